//! Evaluations and sweeps: asked for by an operator, audited, kept. Values per shopper leave only to operators, as pseudonyms.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use mercer_shared::problem::Problem;
use mercer_shared::wire::{
    Evaluation, EvaluationRequest, EvaluationSummary, Page, Replay, ReplayRequest, Run, SweepRequest,
};

use crate::evaluation::documents;
use crate::evaluation::prequential;
use crate::evaluation::shoppers;
use crate::http::Shared;
use crate::http::extract::{Document, Id, PageParams, Params, body, parse};
use crate::http::peer::Operator;
use crate::http::problem::{Reply, blocking};
use crate::jobs;

/// Asks for an evaluation: Mercer and other methods, judged on what came after a moment. It is a run and is followed as one.
#[utoipa::path(post, path = "/v1/evaluations", tag = "evaluations", request_body = EvaluationRequest,
    responses((status = 200, body = Run), (status = "default", body = Problem)))]
pub(crate) async fn start(
    State(shared): State<Shared>,
    Operator(peer): Operator,
    request: Request,
) -> Reply<Json<Run>> {
    let bytes = body(request, &shared).await?;
    let request: EvaluationRequest =
        if bytes.iter().all(u8::is_ascii_whitespace) { EvaluationRequest::default() } else { parse(&bytes)? };
    blocking(move || {
        let run = jobs::start_evaluation(&shared.app, &request)?;
        shared.app.audit(Some(peer), "evaluate", &run.id, serde_json::to_string(&request).unwrap_or_default());
        Ok(run)
    })
    .await
    .map(Json)
}

/// Evaluations in short, newest first.
#[utoipa::path(get, path = "/v1/evaluations", tag = "evaluations", params(PageParams),
    responses((status = 200, body = Page<EvaluationSummary>), (status = "default", body = Problem)))]
pub(crate) async fn list(
    State(shared): State<Shared>,
    Params(page): Params<PageParams>,
) -> Reply<Json<Page<EvaluationSummary>>> {
    let limit = page.limit()?;
    blocking(move || documents::list(&shared.app, page.cursor.as_deref(), limit)).await.map(Json)
}

/// An evaluation with every number, by the id of its run.
#[utoipa::path(get, path = "/v1/evaluations/{id}", tag = "evaluations", params(("id" = String, Path, description = "the run that made it")),
    responses((status = 200, body = Evaluation), (status = "default", body = Problem)))]
pub(crate) async fn show(State(shared): State<Shared>, Id(id): Id) -> Reply<Json<Evaluation>> {
    blocking(move || documents::show(&shared.app, &id)).await.map(Json)
}

/// The values of each shopper, under pseudonyms, as Parquet. For operators only, and audited.
#[utoipa::path(get, path = "/v1/evaluations/{id}/shoppers", tag = "evaluations", params(("id" = String, Path, description = "the run that made it")),
    responses((status = 200, body = Vec<u8>, content_type = "application/vnd.apache.parquet"), (status = "default", body = Problem)))]
pub(crate) async fn shoppers(State(shared): State<Shared>, Operator(peer): Operator, Id(id): Id) -> Reply<Response> {
    let bytes = blocking(move || {
        let bytes = shoppers::shoppers(&shared.app, &id)?;
        shared.app.audit(Some(peer), "read-evaluation-shoppers", &id, format!("{} bytes", bytes.len()));
        Ok(bytes)
    })
    .await?;
    Ok(([(header::CONTENT_TYPE, "application/vnd.apache.parquet")], bytes).into_response())
}

/// Asks for a search over settings. Each point becomes a run that names the sweep.
#[utoipa::path(post, path = "/v1/sweeps", tag = "training", request_body = SweepRequest,
    responses((status = 200, body = Run), (status = "default", body = Problem)))]
pub(crate) async fn sweep(
    State(shared): State<Shared>,
    Operator(peer): Operator,
    Document(request): Document<SweepRequest>,
) -> Reply<Json<Run>> {
    blocking(move || {
        let run = jobs::start_sweep(&shared.app, &request)?;
        shared.app.audit(Some(peer), "sweep", &run.id, serde_json::to_string(&request).unwrap_or_default());
        Ok(run)
    })
    .await
    .map(Json)
}

/// Asks for a replay: does fine-tuning the encoder help, window after window?
#[utoipa::path(post, path = "/v1/replays", tag = "evaluations", request_body = ReplayRequest,
    responses((status = 200, body = Run), (status = "default", body = Problem)))]
pub(crate) async fn start_replay(
    State(shared): State<Shared>,
    Operator(peer): Operator,
    Document(request): Document<ReplayRequest>,
) -> Reply<Json<Run>> {
    blocking(move || {
        let run = jobs::start_prequential(&shared.app, &request)?;
        shared.app.audit(Some(peer), "replay", &run.id, serde_json::to_string(&request).unwrap_or_default());
        Ok(run)
    })
    .await
    .map(Json)
}

/// A replay with its numbers, by the id of its run.
#[utoipa::path(get, path = "/v1/replays/{id}", tag = "evaluations", params(("id" = String, Path, description = "the run that made it")),
    responses((status = 200, body = Replay), (status = "default", body = Problem)))]
pub(crate) async fn replay(State(shared): State<Shared>, Id(id): Id) -> Reply<Json<Replay>> {
    blocking(move || prequential::show(&shared.app, &id)).await.map(Json)
}
