//! The routes of all resources, in groups that differ in their limits.

use utoipa_axum::router::OpenApiRouter;

use crate::http::state::HttpState;
use crate::http::{
    audit, decisions, document, encoders, evaluations, events, experiments, explanations, export, imports,
    interactions, items, lists, membership, metrics, mitigations, models, presets, replays, reports, runs, status,
    sweeps, user_data, users,
};

/// Routes that compute or write. Their number in progress is limited; more are refused at once.
pub(super) fn work() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default()
        .merge(items::routes())
        .merge(users::routes())
        .merge(user_data::routes())
        .merge(interactions::routes())
        .merge(lists::routes())
        .merge(reports::routes())
        .merge(explanations::routes())
        .merge(mitigations::routes())
        .merge(models::routes())
        .merge(experiments::routes())
        .merge(encoders::routes())
}

/// Routes that observe or steer. They answer however busy the daemon is.
pub(super) fn watch() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default()
        .merge(status::routes())
        .merge(decisions::routes())
        .merge(audit::routes())
        .merge(runs::routes())
        .merge(evaluations::routes())
        .merge(sweeps::routes())
        .merge(membership::routes())
        .merge(replays::routes())
        .merge(presets::routes())
        .merge(export::routes())
        .merge(events::routes())
        .merge(document::routes())
        .merge(metrics::routes())
}

/// Routes whose body has no limit: it is spooled to disk.
pub(super) fn upload() -> OpenApiRouter<HttpState> {
    imports::routes()
}
