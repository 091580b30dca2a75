//! Reports on model versions: computed, stored, compared, exported. Exports are audited; exact ones are for operators.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{
    ExportFormat, KeyQuery, Page, PublicKey, RankingParameters, ReportAnswer, ReportKind, ReportSummary, ReportTrend,
    StoredReport,
};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::extract::{PathId, QueryParams};
use crate::http::peer::Viewer;
use crate::http::problem::{HttpResult, blocking};
use crate::http::state::HttpState;
use crate::reports::documents::{self as service, StoredQuery};
use crate::reports::export::{self, ExportRequest};

/// The header of an export that carries the signed statement for the file beside it.
const STATEMENT: HeaderName = HeaderName::from_static(mercer_shared::wire::STATEMENT_HEADER);

/// Routes of reports.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default()
        .routes(routes!(stored_reports))
        .routes(routes!(stored_report))
        .routes(routes!(report_key))
        .routes(routes!(ranking_parameters))
        .routes(routes!(report))
        .routes(routes!(report_trend))
        .routes(routes!(export_report))
}

fn kind_of(word: &str) -> HttpResult<ReportKind> {
    word.parse().map_err(|error: String| Problem::new(Code::NotFound, error).into())
}

/// Of which model a report is.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct ReportParams {
    /// Model version; the serving one if absent.
    model: Option<String>,
    /// Another version: the answer then has the difference of the two on the same window and users.
    against: Option<String>,
}

/// A report of a model version, and its difference from another version if one is named.
#[utoipa::path(get, path = "/v1/reports/{kind}", tag = "reports", params(("kind" = ReportKind, Path, description = "which report"), ReportParams),
    responses((status = 200, body = ReportAnswer), (status = "default", body = Problem)))]
async fn report(
    State(state): State<HttpState>,
    viewer: Viewer,
    PathId(kind): PathId,
    QueryParams(params): QueryParams<ReportParams>,
) -> HttpResult<Json<ReportAnswer>> {
    let kind = kind_of(&kind)?;
    blocking(move || {
        let answer = service::answer(&state.app, kind, params.model.as_deref(), params.against.as_deref())?;
        // A console that shows a report asks for it again and again.
        state.app.audit_frequent(viewer.peer, "read-report", kind.as_str(), "times");
        Ok(answer)
    })
    .await
    .map(Json)
}

/// Which stored reports are listed.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct StoredParams {
    /// Of this kind.
    kind: Option<ReportKind>,
    /// Of this version.
    model: Option<String>,
    /// From the page before.
    cursor: Option<String>,
    /// Entries of a page, 1 to 1,000; 100 if absent.
    limit: Option<u32>,
}

/// Stored reports in short, newest first.
#[utoipa::path(get, path = "/v1/reports", tag = "reports", params(StoredParams),
    responses((status = 200, body = Page<ReportSummary>), (status = "default", body = Problem)))]
async fn stored_reports(
    State(state): State<HttpState>,
    QueryParams(params): QueryParams<StoredParams>,
) -> HttpResult<Json<Page<ReportSummary>>> {
    let query = StoredQuery { kind: params.kind, model: params.model, cursor: params.cursor, limit: params.limit };
    blocking(move || service::list(&state.app, &query)).await.map(Json)
}

/// A stored report with the hashes of its data and version.
#[utoipa::path(get, path = "/v1/reports/stored/{id}", tag = "reports", params(("id" = String, Path, description = "the stored report")),
    responses((status = 200, body = StoredReport), (status = "default", body = Problem)))]
async fn stored_report(
    State(state): State<HttpState>,
    viewer: Viewer,
    PathId(id): PathId,
) -> HttpResult<Json<StoredReport>> {
    blocking(move || {
        let report = service::show(&state.app, &id)?;
        state.app.audit_frequent(viewer.peer, "read-report", &id, "times");
        Ok(report)
    })
    .await
    .map(Json)
}

/// Which row over time.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TrendParams {
    /// Name of the row, such as `ndcg@10/repeat`.
    row: String,
    /// Of this version only.
    #[serde(default)]
    model: Option<String>,
    /// Newest reports, 1 to 1,000; 100 if absent.
    #[serde(default)]
    limit: Option<u32>,
}

/// One row over the stored reports of a kind.
#[utoipa::path(get, path = "/v1/reports/{kind}/trend", tag = "reports", params(("kind" = ReportKind, Path, description = "which report"), TrendParams),
    responses((status = 200, body = ReportTrend), (status = "default", body = Problem)))]
async fn report_trend(
    State(state): State<HttpState>,
    PathId(kind): PathId,
    QueryParams(params): QueryParams<TrendParams>,
) -> HttpResult<Json<ReportTrend>> {
    let query = StoredQuery { kind: Some(kind_of(&kind)?), model: params.model, cursor: None, limit: params.limit };
    blocking(move || service::trend(&state.app, &params.row, &query)).await.map(Json)
}

/// The public key by which exported reports, or receipts of erasures, are checked.
#[utoipa::path(get, path = "/v1/reports/key", tag = "reports", params(KeyQuery),
    responses((status = 200, body = PublicKey), (status = "default", body = Problem)))]
async fn report_key(
    State(state): State<HttpState>,
    QueryParams(query): QueryParams<KeyQuery>,
) -> HttpResult<Json<PublicKey>> {
    blocking(move || Ok(service::key(&state.app, query.of))).await.map(Json)
}

/// In which language.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct ParameterParams {
    /// `en` or `zh`; `en` if absent.
    language: Option<String>,
}

/// The main ranking parameters in words, for the shop's public page, with what each changes when it is left out.
#[utoipa::path(get, path = "/v1/reports/parameters", tag = "reports", params(ParameterParams),
    responses((status = 200, body = RankingParameters), (status = "default", body = Problem)))]
async fn ranking_parameters(
    State(state): State<HttpState>,
    QueryParams(params): QueryParams<ParameterParams>,
) -> HttpResult<Json<RankingParameters>> {
    blocking(move || service::parameters(&state.app, params.language.as_deref())).await.map(Json)
}

/// What is exported, and how.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct ExportParams {
    /// `json`, `csv`, `parquet` or `html`; `json` if absent.
    format: Option<String>,
    /// Model version; the serving one if absent.
    model: Option<String>,
    /// With the difference from this version.
    against: Option<String>,
    /// Exact counts, for operators. Without it counts are noised, which spends the privacy budget of exports.
    exact: bool,
}

/// A report as a file, signed: JSON holds its signature, and for the other formats the header `mercer-statement` has the signed statement
/// that belongs beside the file. Audited.
#[utoipa::path(get, path = "/v1/reports/{kind}/export", tag = "reports", params(("kind" = ReportKind, Path, description = "which report"), ExportParams),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = "default", body = Problem)))]
async fn export_report(
    State(state): State<HttpState>,
    viewer: Viewer,
    PathId(kind): PathId,
    QueryParams(params): QueryParams<ExportParams>,
) -> HttpResult<Response> {
    let kind = kind_of(&kind)?;
    if params.exact && !viewer.roles.audit {
        viewer.operator()?;
    }
    let format = export::format(params.format.as_deref())?;
    let request = ExportRequest { kind, model: params.model, against: params.against, format, exact: params.exact };
    let made = blocking(move || {
        let made = export::export(&state.app, &request)?;
        let cost = made.epsilon.map_or_else(|| "exact".to_owned(), |epsilon| format!("epsilon {epsilon}"));
        let detail = format!("{} as {}, {cost}, {} bytes", kind.as_str(), format.as_str(), made.bytes.len());
        state.app.audit(Some(viewer.peer), "export-report", &made.id, detail);
        Ok(made)
    })
    .await?;
    Ok(answer(format, made.bytes, made.statement))
}

fn answer(format: ExportFormat, bytes: Vec<u8>, statement: Option<Vec<u8>>) -> Response {
    let mut response = ([(header::CONTENT_TYPE, format.media_type())], bytes).into_response();
    if let Some(value) = statement.and_then(|statement| HeaderValue::from_bytes(&statement).ok()) {
        response.headers_mut().insert(STATEMENT, value);
    }
    response
}
