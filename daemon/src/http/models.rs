//! Model versions: list, promote, roll back, pin. Every change needs an operator and is audited.

use axum::Json;
use axum::extract::State;
use mercer_shared::problem::Problem;
use mercer_shared::wire::{ModelVersion, Page};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::extract::PathId;
use crate::http::peer::Operator;
use crate::http::problem::{HttpResult, blocking};
use crate::http::state::HttpState;
use crate::versions::{promote as service, registry};

/// Routes of model versions.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default()
        .routes(routes!(models))
        .routes(routes!(rollback))
        .routes(routes!(model))
        .routes(routes!(promote))
        .routes(routes!(pin))
        .routes(routes!(unpin))
}

/// Model versions, newest first.
#[utoipa::path(get, path = "/v1/models", tag = "models",
    responses((status = 200, body = Page<ModelVersion>), (status = "default", body = Problem)))]
async fn models(State(state): State<HttpState>) -> HttpResult<Json<Page<ModelVersion>>> {
    blocking(move || registry::list(&state.app)).await.map(Json)
}

/// A model version.
#[utoipa::path(get, path = "/v1/models/{version}", tag = "models", params(("version" = String, Path, description = "the version")),
    responses((status = 200, body = ModelVersion), (status = "default", body = Problem)))]
async fn model(State(state): State<HttpState>, PathId(version): PathId) -> HttpResult<Json<ModelVersion>> {
    blocking(move || registry::show(&state.app, &version)).await.map(Json)
}

/// Makes a version serve.
#[utoipa::path(post, path = "/v1/models/{version}/promote", tag = "models", params(("version" = String, Path, description = "the version")),
    responses((status = 200, body = ModelVersion), (status = "default", body = Problem)))]
async fn promote(
    State(state): State<HttpState>,
    Operator(peer): Operator,
    PathId(version): PathId,
) -> HttpResult<Json<ModelVersion>> {
    blocking(move || {
        let before = state.app.view().model.meta.version.clone();
        let model = service::promote(&state.app, &version)?;
        state.app.audit(Some(peer), "promote", &version, format!("{before} served before"));
        Ok(model)
    })
    .await
    .map(Json)
}

/// Goes back to the version that served before.
#[utoipa::path(post, path = "/v1/models/rollback", tag = "models",
    responses((status = 200, body = ModelVersion), (status = "default", body = Problem)))]
async fn rollback(State(state): State<HttpState>, Operator(peer): Operator) -> HttpResult<Json<ModelVersion>> {
    blocking(move || {
        let before = state.app.view().model.meta.version.clone();
        let model = service::rollback(&state.app)?;
        state.app.audit(Some(peer), "rollback", &model.version, format!("{before} served before"));
        Ok(model)
    })
    .await
    .map(Json)
}

/// Keeps a version when old ones are deleted.
#[utoipa::path(post, path = "/v1/models/{version}/pin", tag = "models", params(("version" = String, Path, description = "the version")),
    responses((status = 200, body = ModelVersion), (status = "default", body = Problem)))]
async fn pin(state: State<HttpState>, peer: Operator, version: PathId) -> HttpResult<Json<ModelVersion>> {
    set_pin(state, peer, version, true).await
}

/// Lets a version be deleted when it is old.
#[utoipa::path(post, path = "/v1/models/{version}/unpin", tag = "models", params(("version" = String, Path, description = "the version")),
    responses((status = 200, body = ModelVersion), (status = "default", body = Problem)))]
async fn unpin(state: State<HttpState>, peer: Operator, version: PathId) -> HttpResult<Json<ModelVersion>> {
    set_pin(state, peer, version, false).await
}

async fn set_pin(
    State(state): State<HttpState>,
    Operator(peer): Operator,
    PathId(version): PathId,
    pinned: bool,
) -> HttpResult<Json<ModelVersion>> {
    blocking(move || {
        let model = service::pin(&state.app, &version, pinned)?;
        state.app.audit(Some(peer), if pinned { "pin" } else { "unpin" }, &version, "");
        Ok(model)
    })
    .await
    .map(Json)
}
