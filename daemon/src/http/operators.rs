//! What operators steer: training runs, model versions, reports, encoders. Every change needs an operator and is audited.

use axum::Json;
use axum::extract::{Request, State};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{
    AddEncoder, EncoderInfo, ModelVersion, Page, Report, ReportKind, Run, RunCause, TrainRequest,
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::http::Shared;
use crate::http::extract::{Document, Id, PageParams, Params, body, parse};
use crate::http::peer::Operator;
use crate::http::problem::{Refused, Reply, blocking};
use crate::jobs;
use crate::reports::report;
use crate::runs::lifecycle;
use crate::state::run_documents;
use crate::versions::add_encoder;
use crate::versions::encoders;
use crate::versions::promote;
use crate::versions::registry;

/// Of which model a report is.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReportParams {
    /// Model version; the serving one if absent.
    model: Option<String>,
}

/// Asks for a training run. Without a body the configured budget and policy hold.
#[utoipa::path(post, path = "/v1/runs", tag = "training", request_body = TrainRequest,
    responses((status = 200, body = Run), (status = "default", body = Problem)))]
pub(crate) async fn train(
    State(shared): State<Shared>,
    Operator(peer): Operator,
    request: Request,
) -> Reply<Json<Run>> {
    let bytes = body(request, &shared).await?;
    let request: TrainRequest =
        if bytes.iter().all(u8::is_ascii_whitespace) { TrainRequest::default() } else { parse(&bytes)? };
    blocking(move || {
        let run = jobs::start_training(&shared.app, &request, RunCause::Operator)?;
        let asked = serde_json::to_string(&request).unwrap_or_default();
        shared.app.audit(Some(peer), "train", &run.id, asked);
        Ok(run)
    })
    .await
    .map(Json)
}

/// Training runs, newest first.
#[utoipa::path(get, path = "/v1/runs", tag = "training", params(PageParams),
    responses((status = 200, body = Page<Run>), (status = "default", body = Problem)))]
pub(crate) async fn runs(State(shared): State<Shared>, Params(page): Params<PageParams>) -> Reply<Json<Page<Run>>> {
    let limit = page.limit()?;
    blocking(move || run_documents::runs(&shared.app, page.cursor.as_deref(), limit)).await.map(Json)
}

/// A training run, live.
#[utoipa::path(get, path = "/v1/runs/{id}", tag = "training", params(("id" = String, Path, description = "the run")),
    responses((status = 200, body = Run), (status = "default", body = Problem)))]
pub(crate) async fn run(State(shared): State<Shared>, Id(id): Id) -> Reply<Json<Run>> {
    blocking(move || run_documents::run(&shared.app, &id)).await.map(Json)
}

/// Stops a training run.
#[utoipa::path(post, path = "/v1/runs/{id}/cancel", tag = "training", params(("id" = String, Path, description = "the run")),
    responses((status = 200, body = Run), (status = "default", body = Problem)))]
pub(crate) async fn cancel(State(shared): State<Shared>, Operator(peer): Operator, Id(id): Id) -> Reply<Json<Run>> {
    blocking(move || {
        let run = lifecycle::cancel(&shared.app, &id)?;
        shared.app.audit(Some(peer), "cancel", &id, "");
        Ok(run)
    })
    .await
    .map(Json)
}

/// Model versions, newest first.
#[utoipa::path(get, path = "/v1/models", tag = "models",
    responses((status = 200, body = Page<ModelVersion>), (status = "default", body = Problem)))]
pub(crate) async fn models(State(shared): State<Shared>) -> Reply<Json<Page<ModelVersion>>> {
    blocking(move || registry::list(&shared.app)).await.map(Json)
}

/// A model version.
#[utoipa::path(get, path = "/v1/models/{version}", tag = "models", params(("version" = String, Path, description = "the version")),
    responses((status = 200, body = ModelVersion), (status = "default", body = Problem)))]
pub(crate) async fn model(State(shared): State<Shared>, Id(version): Id) -> Reply<Json<ModelVersion>> {
    blocking(move || registry::show(&shared.app, &version)).await.map(Json)
}

/// Makes a version serve.
#[utoipa::path(post, path = "/v1/models/{version}/promote", tag = "models", params(("version" = String, Path, description = "the version")),
    responses((status = 200, body = ModelVersion), (status = "default", body = Problem)))]
pub(crate) async fn promote(
    State(shared): State<Shared>,
    Operator(peer): Operator,
    Id(version): Id,
) -> Reply<Json<ModelVersion>> {
    blocking(move || {
        let before = shared.app.view().model.meta.version.clone();
        let model = promote::promote(&shared.app, &version)?;
        shared.app.audit(Some(peer), "promote", &version, format!("{before} served before"));
        Ok(model)
    })
    .await
    .map(Json)
}

/// Goes back to the version that served before.
#[utoipa::path(post, path = "/v1/models/rollback", tag = "models",
    responses((status = 200, body = ModelVersion), (status = "default", body = Problem)))]
pub(crate) async fn rollback(State(shared): State<Shared>, Operator(peer): Operator) -> Reply<Json<ModelVersion>> {
    blocking(move || {
        let before = shared.app.view().model.meta.version.clone();
        let model = promote::rollback(&shared.app)?;
        shared.app.audit(Some(peer), "rollback", &model.version, format!("{before} served before"));
        Ok(model)
    })
    .await
    .map(Json)
}

/// Keeps a version when old ones are deleted.
#[utoipa::path(post, path = "/v1/models/{version}/pin", tag = "models", params(("version" = String, Path, description = "the version")),
    responses((status = 200, body = ModelVersion), (status = "default", body = Problem)))]
pub(crate) async fn pin(shared: State<Shared>, peer: Operator, version: Id) -> Reply<Json<ModelVersion>> {
    set_pin(shared, peer, version, true).await
}

/// Lets a version go when it is old.
#[utoipa::path(post, path = "/v1/models/{version}/unpin", tag = "models", params(("version" = String, Path, description = "the version")),
    responses((status = 200, body = ModelVersion), (status = "default", body = Problem)))]
pub(crate) async fn unpin(shared: State<Shared>, peer: Operator, version: Id) -> Reply<Json<ModelVersion>> {
    set_pin(shared, peer, version, false).await
}

async fn set_pin(
    State(shared): State<Shared>,
    Operator(peer): Operator,
    Id(version): Id,
    pinned: bool,
) -> Reply<Json<ModelVersion>> {
    blocking(move || {
        let model = promote::pin(&shared.app, &version, pinned)?;
        shared.app.audit(Some(peer), if pinned { "pin" } else { "unpin" }, &version, "");
        Ok(model)
    })
    .await
    .map(Json)
}

/// A report of a model version: `quality`, `diversity` or `fairness`.
#[utoipa::path(get, path = "/v1/reports/{kind}", tag = "reports", params(("kind" = ReportKind, Path, description = "which report"), ReportParams),
    responses((status = 200, body = Report), (status = "default", body = Problem)))]
pub(crate) async fn report(
    State(shared): State<Shared>,
    Id(kind): Id,
    Params(params): Params<ReportParams>,
) -> Reply<Json<Report>> {
    let kind: ReportKind = kind.parse().map_err(|error: String| Refused(Problem::new(Code::NotFound, error)))?;
    blocking(move || report::report(&shared.app, kind, params.model.as_deref())).await.map(Json)
}

/// Installed encoders.
#[utoipa::path(get, path = "/v1/encoders", tag = "models",
    responses((status = 200, body = Vec<EncoderInfo>), (status = "default", body = Problem)))]
pub(crate) async fn encoders(State(shared): State<Shared>) -> Reply<Json<Vec<EncoderInfo>>> {
    blocking(move || encoders::encoders(&shared.app)).await.map(Json)
}

/// Checks and installs an encoder from a directory or a hub repository.
#[utoipa::path(post, path = "/v1/encoders", tag = "models", request_body = AddEncoder,
    responses((status = 200, body = EncoderInfo), (status = "default", body = Problem)))]
pub(crate) async fn add_encoder(
    State(shared): State<Shared>,
    Operator(peer): Operator,
    Document(request): Document<AddEncoder>,
) -> Reply<Json<EncoderInfo>> {
    blocking(move || {
        let encoder = add_encoder::add_encoder(&shared.app, &request)?;
        shared.app.audit(
            Some(peer),
            "add-encoder",
            &encoder.name,
            format!("{}, sha256 {}", request.source, encoder.sha256),
        );
        Ok(encoder)
    })
    .await
    .map(Json)
}
