//! What the daemon is, how it is set, what it decided and who changed what.

use axum::Json;
use axum::extract::State;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{AuditEntry, Decision, Page, Status};
use serde_json::Value;

use crate::http::Shared;
use crate::http::extract::{PageParams, Params};
use crate::http::problem::{Reply, blocking};
use crate::serving::status;

/// What the daemon is and does.
#[utoipa::path(get, path = "/v1/status", tag = "daemon",
    responses((status = 200, body = Status), (status = "default", body = Problem)))]
pub(crate) async fn status(State(shared): State<Shared>) -> Reply<Json<Status>> {
    blocking(move || Ok(status::status(&shared.app))).await.map(Json)
}

/// The configuration in force.
#[utoipa::path(get, path = "/v1/config", tag = "daemon",
    responses((status = 200, body = Value), (status = "default", body = Problem)))]
pub(crate) async fn config(State(shared): State<Shared>) -> Reply<Json<Value>> {
    let json = serde_json::to_value(&shared.app.config);
    Ok(Json(json.map_err(|error| Problem::new(Code::Internal, error.to_string()))?))
}

/// Decisions of the agent, newest first.
#[utoipa::path(get, path = "/v1/decisions", tag = "daemon", params(PageParams),
    responses((status = 200, body = Page<Decision>), (status = "default", body = Problem)))]
pub(crate) async fn decisions(
    State(shared): State<Shared>,
    Params(page): Params<PageParams>,
) -> Reply<Json<Page<Decision>>> {
    let limit = page.limit()?;
    blocking(move || status::decisions(&shared.app, page.cursor.as_deref(), limit)).await.map(Json)
}

/// Who changed what, newest first.
#[utoipa::path(get, path = "/v1/audit", tag = "daemon", params(PageParams),
    responses((status = 200, body = Page<AuditEntry>), (status = "default", body = Problem)))]
pub(crate) async fn audit(
    State(shared): State<Shared>,
    Params(page): Params<PageParams>,
) -> Reply<Json<Page<AuditEntry>>> {
    let limit = page.limit()?;
    blocking(move || status::audit(&shared.app, page.cursor.as_deref(), limit)).await.map(Json)
}
