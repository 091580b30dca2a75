//! The audit log.

use axum::Json;
use axum::extract::State;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{AuditEntry, AuditVerification, Page};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::extract::{PageParams, QueryParams};
use crate::http::problem::{HttpResult, blocking};
use crate::http::state::HttpState;
use crate::serving::status;

/// Routes of the audit log.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default().routes(routes!(audit)).routes(routes!(verify_audit))
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

/// What a check of the audit log takes.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct VerifyParams {
    /// A `head` that an earlier check returned: it must still be in the chain.
    head: Option<String>,
}

/// Walks the hash chain of the audit log and names the first entry that does not hold.
#[utoipa::path(get, path = "/v1/audit/verify", tag = "daemon", params(VerifyParams),
    responses((status = 200, body = AuditVerification), (status = "default", body = Problem)))]
async fn verify_audit(
    State(state): State<HttpState>,
    QueryParams(params): QueryParams<VerifyParams>,
) -> HttpResult<Json<AuditVerification>> {
    let head = params.head.map(|head| head.to_ascii_lowercase());
    if head.as_ref().is_some_and(|head| head.len() != 64 || !head.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return Err(Problem::new(Code::BadParameter, "head is no hash: it takes 64 hexadecimal digits").into());
    }
    blocking(move || status::verify_audit(&state.app, head.as_deref())).await.map(Json)
}
