//! Decisions of the agent.

use axum::Json;
use axum::extract::State;
use mercer_shared::problem::Problem;
use mercer_shared::wire::{Decision, Page};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::extract::{PageParams, QueryParams};
use crate::http::problem::{HttpResult, blocking};
use crate::http::state::HttpState;
use crate::serving::status;

/// Routes of the decisions.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default().routes(routes!(decisions))
}

/// Decisions of the agent, newest first.
#[utoipa::path(get, path = "/v1/decisions", tag = "daemon", params(PageParams),
    responses((status = 200, body = Page<Decision>), (status = "default", body = Problem)))]
async fn decisions(
    State(state): State<HttpState>,
    QueryParams(page): QueryParams<PageParams>,
) -> HttpResult<Json<Page<Decision>>> {
    let limit = page.limit()?;
    blocking(move || status::decisions(&state.app, page.cursor.as_deref(), limit)).await.map(Json)
}
