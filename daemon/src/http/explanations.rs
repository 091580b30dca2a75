//! Checks of the reasons that lists give.

use axum::Json;
use axum::extract::State;
use mercer_shared::problem::Problem;
use mercer_shared::wire::{ExplanationFidelity, FidelityRequest};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::evaluation::explanations;
use crate::http::extract::QueryParams;
use crate::http::problem::{HttpResult, blocking};
use crate::http::state::HttpState;

/// Routes of explanations.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default().routes(routes!(explanation_fidelity))
}

/// Replays the reasons of a sample of lists: takes the named events out of a copy of the log and asks for the lists again.
#[utoipa::path(get, path = "/v1/explanations/fidelity", tag = "reports", params(FidelityRequest),
    responses((status = 200, body = ExplanationFidelity), (status = "default", body = Problem)))]
async fn explanation_fidelity(
    State(state): State<HttpState>,
    QueryParams(request): QueryParams<FidelityRequest>,
) -> HttpResult<Json<ExplanationFidelity>> {
    blocking(move || explanations::fidelity(&state.app, &request)).await.map(Json)
}
