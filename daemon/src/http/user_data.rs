//! The data of one user: its export and the removal of interests.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{Html, IntoResponse, Response};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{ForgetReport, UserExport};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::extract::{PathId, QueryParams};
use crate::http::peer::{Operator, Viewer};
use crate::http::problem::{HttpResult, ProblemResponse, blocking};
use crate::http::shoppers::Sight;
use crate::http::state::HttpState;
use crate::ingest::interests;
use crate::serving::{user_export, user_page};

/// Routes of a user's data.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default().routes(routes!(export_user)).routes(routes!(forget_interest))
}

/// The form of an export.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct ExportParams {
    /// `json` (the default) or `html`, one self-contained page.
    format: Option<String>,
}

/// Everything that is held of a shopper: data, inferences, consent, lists, versions. For operators only, and audited.
#[utoipa::path(get, path = "/v1/users/{id}/export", tag = "users", params(("id" = String, Path, description = "the shopper, by id or pseudonym"), ExportParams),
    responses((status = 200, content((UserExport = "application/json"), (String = "text/html"))), (status = "default", body = Problem)))]
async fn export_user(
    State(state): State<HttpState>,
    Operator(peer): Operator,
    viewer: Viewer,
    PathId(id): PathId,
    QueryParams(params): QueryParams<ExportParams>,
) -> HttpResult<Response> {
    let as_page = match params.format.as_deref() {
        None | Some("json") => false,
        Some("html") => true,
        Some(other) => {
            let detail = format!("format is `{other}`, it takes json or html");
            return Err(ProblemResponse(Problem::new(Code::BadParameter, detail)));
        }
    };
    let export = blocking(move || {
        let sight = Sight::new(&state.app, viewer);
        sight.of(&id, |asked| sight.user_export(user_export::export(&state.app, &asked.id, Some(peer))?, asked))
    })
    .await?;
    let private = [(header::CACHE_CONTROL, "no-store")];
    Ok(if as_page {
        (private, Html(user_page::html(&export))).into_response()
    } else {
        (private, Json(export)).into_response()
    })
}

/// An interest of a shopper, in the path.
struct PathInterest {
    user: String,
    kind: String,
    value: String,
}

impl<S: Send + Sync> FromRequestParts<S> for PathInterest {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ProblemResponse> {
        let read = Path::<(String, String, String)>::from_request_parts(parts, state).await;
        let Path((user, kind, value)) =
            read.map_err(|error| ProblemResponse(Problem::new(Code::BadId, error.body_text())))?;
        Ok(Self { user, kind, value })
    }
}

/// Removes a derived interest. The events behind it shape nothing any more; new ones may bring it back.
#[utoipa::path(delete, path = "/v1/users/{id}/interests/{kind}/{value}", tag = "users",
    params(("id" = String, Path, description = "the shopper, by id or pseudonym"),
        ("kind" = String, Path, description = "category, brand, price_band or item"),
        ("value" = String, Path, description = "the interest as the profile names it")),
    responses((status = 200, body = ForgetReport), (status = "default", body = Problem)))]
async fn forget_interest(
    State(state): State<HttpState>,
    Operator(peer): Operator,
    viewer: Viewer,
    interest: PathInterest,
) -> HttpResult<Json<ForgetReport>> {
    let PathInterest { user, kind, value } = interest;
    blocking(move || {
        let sight = Sight::new(&state.app, viewer);
        sight.of(&user, |asked| {
            sight.forgotten(interests::forget(&state.app, &asked.id, &kind, &value, Some(peer))?, asked)
        })
    })
    .await
    .map(Json)
}
