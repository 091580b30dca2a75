//! The OpenAPI document as a resource.

use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::state::HttpState;

/// Routes of the document.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default().routes(routes!(document))
}

/// This API as an OpenAPI document.
#[utoipa::path(get, path = "/v1/openapi.json", tag = "daemon", responses((status = 200, body = serde_json::Value)))]
async fn document(State(state): State<HttpState>) -> Json<&'static utoipa::openapi::OpenApi> {
    Json(state.document)
}
