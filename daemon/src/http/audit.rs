//! The audit log.

use axum::Json;
use axum::extract::State;
use mercer_shared::problem::Problem;
use mercer_shared::wire::{AuditEntry, Page};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::extract::{PageParams, QueryParams};
use crate::http::problem::{HttpResult, blocking};
use crate::http::state::HttpState;
use crate::serving::status;

/// Routes of the audit log.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default().routes(routes!(audit))
}

/// Who changed what, newest first.
#[utoipa::path(get, path = "/v1/audit", tag = "daemon", params(PageParams),
    responses((status = 200, body = Page<AuditEntry>), (status = "default", body = Problem)))]
async fn audit(
    State(state): State<HttpState>,
    QueryParams(page): QueryParams<PageParams>,
) -> HttpResult<Json<Page<AuditEntry>>> {
    let limit = page.limit()?;
    blocking(move || status::audit(&state.app, page.cursor.as_deref(), limit)).await.map(Json)
}
