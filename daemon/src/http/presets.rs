//! Presets of imports.

use axum::Json;
use axum::extract::State;
use mercer_shared::problem::Problem;
use mercer_shared::wire::PresetInfo;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::problem::{HttpResult, blocking};
use crate::http::state::HttpState;
use crate::ingest::import as service;

/// Routes of presets.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default().routes(routes!(presets))
}

/// Presets, those that ship and those of the configured directory.
#[utoipa::path(get, path = "/v1/presets", tag = "transfer",
    responses((status = 200, body = Vec<PresetInfo>), (status = "default", body = Problem)))]
async fn presets(State(state): State<HttpState>) -> HttpResult<Json<Vec<PresetInfo>>> {
    blocking(move || service::presets(&state.app)).await.map(Json)
}
