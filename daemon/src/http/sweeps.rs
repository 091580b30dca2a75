//! Sweeps over training settings. Starting one needs an operator and is audited.

use axum::Json;
use axum::extract::State;
use mercer_shared::problem::Problem;
use mercer_shared::wire::{Run, SweepRequest};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::extract::JsonBody;
use crate::http::peer::Operator;
use crate::http::problem::{HttpResult, blocking};
use crate::http::state::HttpState;
use crate::jobs;

/// Routes of sweeps.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default().routes(routes!(sweep))
}

/// Asks for a search over settings. Each point becomes a run that names the sweep.
#[utoipa::path(post, path = "/v1/sweeps", tag = "training", request_body = SweepRequest,
    responses((status = 200, body = Run), (status = "default", body = Problem)))]
async fn sweep(
    State(state): State<HttpState>,
    Operator(peer): Operator,
    JsonBody(request): JsonBody<SweepRequest>,
) -> HttpResult<Json<Run>> {
    blocking(move || {
        let run = jobs::start_sweep(&state.app, &request)?;
        state.app.audit(Some(peer), "sweep", &run.id, serde_json::to_string(&request).unwrap_or_default());
        Ok(run)
    })
    .await
    .map(Json)
}
