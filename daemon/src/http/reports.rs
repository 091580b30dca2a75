//! Reports on a model version.

use axum::Json;
use axum::extract::State;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{Report, ReportKind};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::extract::{PathId, QueryParams};
use crate::http::problem::{HttpResult, blocking};
use crate::http::state::HttpState;
use crate::reports::report as service;

/// Routes of reports.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default().routes(routes!(report))
}

/// Of which model a report is.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct ReportParams {
    /// Model version; the serving one if absent.
    model: Option<String>,
}

/// A report of a model version: `quality`, `diversity` or `fairness`.
#[utoipa::path(get, path = "/v1/reports/{kind}", tag = "reports", params(("kind" = ReportKind, Path, description = "which report"), ReportParams),
    responses((status = 200, body = Report), (status = "default", body = Problem)))]
async fn report(
    State(state): State<HttpState>,
    PathId(kind): PathId,
    QueryParams(params): QueryParams<ReportParams>,
) -> HttpResult<Json<Report>> {
    let kind: ReportKind = kind.parse().map_err(|error: String| Problem::new(Code::NotFound, error))?;
    blocking(move || service::report(&state.app, kind, params.model.as_deref())).await.map(Json)
}
