//! Evaluations against other methods. Starting one needs an operator and is audited, as is reading the values per shopper.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use mercer_shared::problem::Problem;
use mercer_shared::wire::{Evaluation, EvaluationRequest, EvaluationSummary, Page, Run};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::evaluation::{documents, shoppers as values};
use crate::http::extract::{PageParams, PathId, QueryParams, read_optional};
use crate::http::peer::Operator;
use crate::http::problem::{HttpResult, blocking};
use crate::http::state::HttpState;
use crate::jobs;

/// Routes of evaluations.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default().routes(routes!(list, start)).routes(routes!(show)).routes(routes!(shoppers))
}

/// Asks for an evaluation: Mercer and other methods, judged on what came after a moment. It is a run and is followed as one.
#[utoipa::path(post, path = "/v1/evaluations", tag = "evaluations", request_body = EvaluationRequest,
    responses((status = 200, body = Run), (status = "default", body = Problem)))]
async fn start(State(state): State<HttpState>, Operator(peer): Operator, request: Request) -> HttpResult<Json<Run>> {
    let request: EvaluationRequest = read_optional(request, &state).await?;
    blocking(move || {
        let run = jobs::start_evaluation(&state.app, &request)?;
        state.app.audit(Some(peer), "evaluate", &run.id, serde_json::to_string(&request).unwrap_or_default());
        Ok(run)
    })
    .await
    .map(Json)
}

/// Evaluations in short, newest first.
#[utoipa::path(get, path = "/v1/evaluations", tag = "evaluations", params(PageParams),
    responses((status = 200, body = Page<EvaluationSummary>), (status = "default", body = Problem)))]
async fn list(
    State(state): State<HttpState>,
    QueryParams(page): QueryParams<PageParams>,
) -> HttpResult<Json<Page<EvaluationSummary>>> {
    let limit = page.limit()?;
    blocking(move || documents::list(&state.app, page.cursor.as_deref(), limit)).await.map(Json)
}

/// An evaluation with every number, by the id of its run.
#[utoipa::path(get, path = "/v1/evaluations/{id}", tag = "evaluations", params(("id" = String, Path, description = "the run that made it")),
    responses((status = 200, body = Evaluation), (status = "default", body = Problem)))]
async fn show(State(state): State<HttpState>, PathId(id): PathId) -> HttpResult<Json<Evaluation>> {
    blocking(move || documents::show(&state.app, &id)).await.map(Json)
}

/// The values of each shopper, under pseudonyms, as Parquet. For operators only, and audited.
#[utoipa::path(get, path = "/v1/evaluations/{id}/shoppers", tag = "evaluations", params(("id" = String, Path, description = "the run that made it")),
    responses((status = 200, body = Vec<u8>, content_type = "application/vnd.apache.parquet"), (status = "default", body = Problem)))]
async fn shoppers(
    State(state): State<HttpState>,
    Operator(peer): Operator,
    PathId(id): PathId,
) -> HttpResult<Response> {
    let bytes = blocking(move || {
        let bytes = values::shoppers(&state.app, &id)?;
        state.app.audit(Some(peer), "read-evaluation-shoppers", &id, format!("{} bytes", bytes.len()));
        Ok(bytes)
    })
    .await?;
    Ok(([(header::CONTENT_TYPE, "application/vnd.apache.parquet")], bytes).into_response())
}
