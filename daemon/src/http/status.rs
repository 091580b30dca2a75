//! The state and the configuration of the daemon.

use axum::Json;
use axum::extract::State;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::Status;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::problem::{HttpResult, blocking};
use crate::http::state::HttpState;
use crate::serving::status;

/// Routes of the status.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default().routes(routes!(status)).routes(routes!(config))
}

/// What the daemon is and does.
#[utoipa::path(get, path = "/v1/status", tag = "daemon",
    responses((status = 200, body = Status), (status = "default", body = Problem)))]
async fn status(State(state): State<HttpState>) -> HttpResult<Json<Status>> {
    blocking(move || Ok(status::status(&state.app))).await.map(Json)
}

/// The configuration in force.
#[utoipa::path(get, path = "/v1/config", tag = "daemon",
    responses((status = 200, body = Value), (status = "default", body = Problem)))]
async fn config(State(state): State<HttpState>) -> HttpResult<Json<Value>> {
    let json = serde_json::to_value(&state.app.config);
    Ok(Json(json.map_err(|error| Problem::new(Code::Internal, error.to_string()))?))
}
