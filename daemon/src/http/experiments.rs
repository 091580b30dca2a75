//! What was really served, and experiments on it.

use axum::Json;
use axum::extract::State;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{
    Counterfactual, CounterfactualQuery, ExposureQuery, Interleaving, InterleavingRequest, ServedExposureReport,
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::evaluation::{counterfactual as estimates, interleaving as verdicts};
use crate::http::extract::{JsonBody, QueryParams};
use crate::http::peer::Operator;
use crate::http::problem::{HttpResult, blocking};
use crate::http::state::HttpState;
use crate::reports::served_exposure;
use crate::state::app::App;
use crate::state::problems::Answer;
use crate::versions::interleaving as service;

/// Routes of experiments.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default().routes(routes!(exposure)).routes(routes!(counterfactual)).routes(routes!(
        interleaving,
        start_interleaving,
        end_interleaving
    ))
}

/// Exposure of items, sellers and brands in the lists that went out.
#[utoipa::path(get, path = "/v1/exposure", tag = "experiments", params(ExposureQuery),
    responses((status = 200, body = ServedExposureReport), (status = "default", body = Problem)))]
async fn exposure(
    State(state): State<HttpState>,
    QueryParams(query): QueryParams<ExposureQuery>,
) -> HttpResult<Json<ServedExposureReport>> {
    blocking(move || served_exposure::exposure(&state.app, &query)).await.map(Json)
}

/// What a version would have earned at explored places.
#[utoipa::path(get, path = "/v1/counterfactual", tag = "experiments", params(CounterfactualQuery),
    responses((status = 200, body = Counterfactual), (status = "default", body = Problem)))]
async fn counterfactual(
    State(state): State<HttpState>,
    QueryParams(query): QueryParams<CounterfactualQuery>,
) -> HttpResult<Json<Counterfactual>> {
    blocking(move || estimates::counterfactual(&state.app, query.model.as_deref())).await.map(Json)
}

/// The interleaving that is on, with what users preferred so far; null where none is.
#[utoipa::path(get, path = "/v1/interleaving", tag = "experiments",
    responses((status = 200, body = Option<Interleaving>), (status = "default", body = Problem)))]
async fn interleaving(State(state): State<HttpState>) -> HttpResult<Json<Option<Interleaving>>> {
    blocking(move || verdicts::show(&state.app)).await.map(Json)
}

/// Interleaves a version with the serving one for a share of the shoppers.
#[utoipa::path(post, path = "/v1/interleaving", tag = "experiments", request_body = InterleavingRequest,
    responses((status = 200, body = Interleaving), (status = "default", body = Problem)))]
async fn start_interleaving(
    State(state): State<HttpState>,
    Operator(peer): Operator,
    JsonBody(request): JsonBody<InterleavingRequest>,
) -> HttpResult<Json<Interleaving>> {
    blocking(move || {
        service::start(&state.app, &request.version, request.share)?;
        let detail = format!("for {:.1} % of the shoppers", 100.0 * request.share);
        state.app.audit(Some(peer), "interleave", &request.version, detail);
        shown(&state.app)
    })
    .await
    .map(Json)
}

/// The interleaving that is on.
fn shown(app: &App) -> Answer<Interleaving> {
    verdicts::show(app)?.ok_or_else(|| Problem::new(Code::NotFound, "no versions are interleaved"))
}

/// Ends the interleaving; returns what shoppers preferred.
#[utoipa::path(delete, path = "/v1/interleaving", tag = "experiments",
    responses((status = 200, body = Interleaving), (status = "default", body = Problem)))]
async fn end_interleaving(State(state): State<HttpState>, Operator(peer): Operator) -> HttpResult<Json<Interleaving>> {
    blocking(move || {
        let verdict = shown(&state.app)?;
        let version = service::end(&state.app)?;
        state.app.audit(
            Some(peer),
            "end-interleaving",
            &version,
            format!("{} wins, {} losses", verdict.wins, verdict.losses),
        );
        Ok(verdict)
    })
    .await
    .map(Json)
}
