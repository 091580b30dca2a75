//! HTTP/1.1 over the Unix socket: handlers read a question, hand it to a service on a blocking thread and write the answer or
//! a problem document. Nothing about how answers are made is known here.

mod admin;
mod batch;
mod collections;
mod evaluations;
mod extract;
mod imports;
mod lists;
mod metrics;
pub mod openapi;
mod operators;
mod peer;
mod problem;
mod stream;
mod users;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tokio::sync::Semaphore;

use crate::state::app::App;

/// Largest body of a request that is no import, in bytes.
pub const MAX_BODY: usize = 64 << 20;

/// What handlers share.
#[derive(Clone)]
pub struct Shared {
    /// The daemon.
    pub app: Arc<App>,
    /// Room for requests at work.
    pub room: Arc<Semaphore>,
}

/// All paths.
pub fn router(app: Arc<App>) -> Router {
    let room = Arc::new(Semaphore::new(app.config.serve.concurrency));
    let shared = Shared { app, room };
    // What does work: limited in number, refused at once beyond that.
    let work = Router::new()
        .route("/v1/items", get(collections::items).post(batch::items))
        .route("/v1/items/{id}", get(collections::item).put(collections::put_item).patch(collections::patch_item))
        .route("/v1/items/{id}/related", get(lists::related))
        .route("/v1/users", get(users::users).post(batch::users))
        .route("/v1/users/{id}", get(users::user).put(users::put_user).delete(users::erase))
        .route("/v1/users/{id}/profile", get(users::profile))
        .route("/v1/users/{id}/similar", get(users::similar))
        .route("/v1/users/{id}/recommendations", get(lists::recommend))
        .route("/v1/interactions", post(batch::interactions))
        .route("/v1/search", get(lists::search))
        .route("/v1/trending", get(lists::trending))
        .route("/v1/sessions/recommend", post(lists::session))
        .route("/v1/reports/{kind}", get(operators::report))
        .route("/v1/models", get(operators::models))
        .route("/v1/models/rollback", post(operators::rollback))
        .route("/v1/models/{version}", get(operators::model))
        .route("/v1/models/{version}/promote", post(operators::promote))
        .route("/v1/models/{version}/pin", post(operators::pin))
        .route("/v1/models/{version}/unpin", post(operators::unpin))
        .route("/v1/encoders", get(operators::encoders).post(operators::add_encoder))
        .layer(from_fn_with_state(shared.clone(), problem::limit));
    let watch = Router::new()
        .route("/v1/status", get(admin::status))
        .route("/v1/config", get(admin::config))
        .route("/v1/decisions", get(admin::decisions))
        .route("/v1/audit", get(admin::audit))
        .route("/v1/runs", get(operators::runs).post(operators::train))
        .route("/v1/runs/{id}", get(operators::run))
        .route("/v1/runs/{id}/cancel", post(operators::cancel))
        .route("/v1/evaluations", get(evaluations::list).post(evaluations::start))
        .route("/v1/evaluations/{id}", get(evaluations::show))
        .route("/v1/evaluations/{id}/shoppers", get(evaluations::shoppers))
        .route("/v1/sweeps", post(evaluations::sweep))
        .route("/v1/replays", post(evaluations::start_replay))
        .route("/v1/replays/{id}", get(evaluations::replay))
        .route("/v1/presets", get(imports::presets))
        .route("/v1/imports", post(imports::import).layer(DefaultBodyLimit::disable()))
        .route("/v1/export", get(stream::export))
        .route("/v1/events", get(stream::events))
        .route("/v1/openapi.json", get(openapi::document))
        .route("/metrics", get(metrics::metrics));
    work.merge(watch)
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(shared.clone(), problem::account))
        .with_state(shared)
}
