//! The prequential experiment, which the wire calls a replay. Starting one needs an operator and is audited.

use axum::Json;
use axum::extract::State;
use mercer_shared::problem::Problem;
use mercer_shared::wire::{Replay, ReplayRequest, Run};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::evaluation::prequential;
use crate::http::extract::{JsonBody, PathId};
use crate::http::peer::Operator;
use crate::http::problem::{HttpResult, blocking};
use crate::http::state::HttpState;
use crate::jobs;

/// Routes of replays.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default().routes(routes!(start_replay)).routes(routes!(replay))
}

/// Asks for a replay: does fine-tuning the encoder help, window after window?
#[utoipa::path(post, path = "/v1/replays", tag = "evaluations", request_body = ReplayRequest,
    responses((status = 200, body = Run), (status = "default", body = Problem)))]
async fn start_replay(
    State(state): State<HttpState>,
    Operator(peer): Operator,
    JsonBody(request): JsonBody<ReplayRequest>,
) -> HttpResult<Json<Run>> {
    blocking(move || {
        let run = jobs::start_prequential(&state.app, &request)?;
        state.app.audit(Some(peer), "replay", &run.id, serde_json::to_string(&request).unwrap_or_default());
        Ok(run)
    })
    .await
    .map(Json)
}

/// A replay with its numbers, by the id of its run.
#[utoipa::path(get, path = "/v1/replays/{id}", tag = "evaluations", params(("id" = String, Path, description = "the run that made it")),
    responses((status = 200, body = Replay), (status = "default", body = Problem)))]
async fn replay(State(state): State<HttpState>, PathId(id): PathId) -> HttpResult<Json<Replay>> {
    blocking(move || prequential::show(&state.app, &id)).await.map(Json)
}
