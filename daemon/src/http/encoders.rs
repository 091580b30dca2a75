//! Installed encoders. Installing one needs an operator and is audited.

use axum::Json;
use axum::extract::State;
use mercer_shared::problem::Problem;
use mercer_shared::wire::{AddEncoder, EncoderInfo};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::extract::JsonBody;
use crate::http::peer::Operator;
use crate::http::problem::{HttpResult, blocking};
use crate::http::state::HttpState;
use crate::versions::{add_encoder as install, encoders as installed};

/// Routes of encoders.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default().routes(routes!(encoders, add_encoder))
}

/// Installed encoders.
#[utoipa::path(get, path = "/v1/encoders", tag = "models",
    responses((status = 200, body = Vec<EncoderInfo>), (status = "default", body = Problem)))]
async fn encoders(State(state): State<HttpState>) -> HttpResult<Json<Vec<EncoderInfo>>> {
    blocking(move || installed::encoders(&state.app)).await.map(Json)
}

/// Checks and installs an encoder from a directory or a hub repository.
#[utoipa::path(post, path = "/v1/encoders", tag = "models", request_body = AddEncoder,
    responses((status = 200, body = EncoderInfo), (status = "default", body = Problem)))]
async fn add_encoder(
    State(state): State<HttpState>,
    Operator(peer): Operator,
    JsonBody(request): JsonBody<AddEncoder>,
) -> HttpResult<Json<EncoderInfo>> {
    blocking(move || {
        let encoder = install::add_encoder(&state.app, &request)?;
        let detail = format!("{}, sha256 {}", request.source, encoder.sha256);
        state.app.audit(Some(peer), "add-encoder", &encoder.name, detail);
        Ok(encoder)
    })
    .await
    .map(Json)
}
