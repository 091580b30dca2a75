//! The router: all routes with their limits, checks and counts.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use tokio::sync::Semaphore;

use crate::http::latency::RequestLatency;
use crate::http::routes::{upload, watch, work};
use crate::http::state::{HttpState, MAX_BODY};
use crate::http::strict_query::{Parameters, refuse_unknown_parameters};
use crate::http::{openapi, problem};
use crate::state::app::App;

/// The HTTP service of a daemon.
pub fn router(app: Arc<App>) -> Router {
    let permits = Arc::new(Semaphore::new(app.config.serve.concurrency));
    let state = HttpState { app, permits, latency: RequestLatency::default(), document: openapi::document() };
    let parameters = Arc::new(Parameters::of(state.document));
    let work = work().layer(from_fn_with_state(state.clone(), problem::limit_concurrency));
    let bounded = work.merge(watch()).layer(DefaultBodyLimit::max(MAX_BODY)).layer(from_fn(problem::limit_body));
    let router: Router<HttpState> = bounded.merge(upload().layer(DefaultBodyLimit::disable())).into();
    router
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(from_fn_with_state(parameters, refuse_unknown_parameters))
        .layer(from_fn_with_state(state.clone(), problem::count_responses))
        .with_state(state)
}
