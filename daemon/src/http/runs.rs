//! Training runs: start, list, follow, cancel. Every change needs an operator and is audited.

use axum::Json;
use axum::extract::{Request, State};
use mercer_shared::problem::Problem;
use mercer_shared::wire::{Page, Run, RunCause, TrainRequest};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::extract::{PageParams, PathId, QueryParams, read_optional};
use crate::http::peer::Operator;
use crate::http::problem::{HttpResult, blocking};
use crate::http::state::HttpState;
use crate::jobs;
use crate::runs::lifecycle;
use crate::state::run_documents;

/// Routes of training runs.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default().routes(routes!(runs, train)).routes(routes!(run)).routes(routes!(cancel))
}

/// Asks for a training run. Without a body the configured budget and policy apply.
#[utoipa::path(post, path = "/v1/runs", tag = "training", request_body = TrainRequest,
    responses((status = 200, body = Run), (status = "default", body = Problem)))]
async fn train(State(state): State<HttpState>, Operator(peer): Operator, request: Request) -> HttpResult<Json<Run>> {
    let request: TrainRequest = read_optional(request, &state).await?;
    blocking(move || {
        let run = jobs::start_training(&state.app, &request, RunCause::Operator)?;
        let asked = serde_json::to_string(&request).unwrap_or_default();
        state.app.audit(Some(peer), "train", &run.id, asked);
        Ok(run)
    })
    .await
    .map(Json)
}

/// Training runs, newest first.
#[utoipa::path(get, path = "/v1/runs", tag = "training", params(PageParams),
    responses((status = 200, body = Page<Run>), (status = "default", body = Problem)))]
async fn runs(
    State(state): State<HttpState>,
    QueryParams(page): QueryParams<PageParams>,
) -> HttpResult<Json<Page<Run>>> {
    let limit = page.limit()?;
    blocking(move || run_documents::runs(&state.app, page.cursor.as_deref(), limit)).await.map(Json)
}

/// A training run, live.
#[utoipa::path(get, path = "/v1/runs/{id}", tag = "training", params(("id" = String, Path, description = "the run")),
    responses((status = 200, body = Run), (status = "default", body = Problem)))]
async fn run(State(state): State<HttpState>, PathId(id): PathId) -> HttpResult<Json<Run>> {
    blocking(move || run_documents::run(&state.app, &id)).await.map(Json)
}

/// Stops a training run.
#[utoipa::path(post, path = "/v1/runs/{id}/cancel", tag = "training", params(("id" = String, Path, description = "the run")),
    responses((status = 200, body = Run), (status = "default", body = Problem)))]
async fn cancel(State(state): State<HttpState>, Operator(peer): Operator, PathId(id): PathId) -> HttpResult<Json<Run>> {
    blocking(move || {
        let run = lifecycle::cancel(&state.app, &id)?;
        state.app.audit(Some(peer), "cancel", &id, "");
        Ok(run)
    })
    .await
    .map(Json)
}
