//! Mitigations of placements: list, show, set, turn off, undo, ask the price. Every change needs an operator and is audited.

use axum::Json;
use axum::extract::State;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{Mitigation, MitigationPrice, MitigationSettings, Placement};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::extract::{JsonBody, PathId};
use crate::http::peer::Operator;
use crate::http::problem::{HttpResult, ProblemResponse, blocking};
use crate::http::state::HttpState;
use crate::reports::mitigation_price;
use crate::serving::mitigations as service;

/// Routes of mitigations.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default()
        .routes(routes!(mitigations))
        .routes(routes!(mitigation, set_mitigation, mitigation_off))
        .routes(routes!(undo_mitigation))
        .routes(routes!(mitigation_what_if))
}

fn placement(name: String) -> HttpResult<Placement> {
    Placement::new(name).map_err(|error| ProblemResponse(Problem::new(Code::BadPlacement, error.to_string())))
}

/// Placements for which mitigations were ever set, without their histories.
#[utoipa::path(get, path = "/v1/mitigations", tag = "mitigations",
    responses((status = 200, body = Vec<Mitigation>), (status = "default", body = Problem)))]
async fn mitigations(State(state): State<HttpState>) -> HttpResult<Json<Vec<Mitigation>>> {
    blocking(move || service::list(&state.app)).await.map(Json)
}

/// The mitigations of a placement with their history and the price that was measured last.
#[utoipa::path(get, path = "/v1/mitigations/{placement}", tag = "mitigations", params(("placement" = String, Path, description = "the placement")),
    responses((status = 200, body = Mitigation), (status = "default", body = Problem)))]
async fn mitigation(State(state): State<HttpState>, PathId(name): PathId) -> HttpResult<Json<Mitigation>> {
    let placement = placement(name)?;
    blocking(move || service::show(&state.app, &placement)).await.map(Json)
}

/// Sets the mitigations of a placement; they apply from the next list on.
#[utoipa::path(put, path = "/v1/mitigations/{placement}", tag = "mitigations", params(("placement" = String, Path, description = "the placement")),
    request_body = MitigationSettings, responses((status = 200, body = Mitigation), (status = "default", body = Problem)))]
async fn set_mitigation(
    State(state): State<HttpState>,
    Operator(peer): Operator,
    PathId(name): PathId,
    JsonBody(settings): JsonBody<MitigationSettings>,
) -> HttpResult<Json<Mitigation>> {
    let placement = placement(name)?;
    blocking(move || service::set(&state.app, peer, &placement, settings)).await.map(Json)
}

/// Turns the mitigations of a placement off.
#[utoipa::path(delete, path = "/v1/mitigations/{placement}", tag = "mitigations", params(("placement" = String, Path, description = "the placement")),
    responses((status = 200, body = Mitigation), (status = "default", body = Problem)))]
async fn mitigation_off(
    State(state): State<HttpState>,
    Operator(peer): Operator,
    PathId(name): PathId,
) -> HttpResult<Json<Mitigation>> {
    let placement = placement(name)?;
    blocking(move || service::off(&state.app, peer, &placement)).await.map(Json)
}

/// Brings back what was in force before.
#[utoipa::path(post, path = "/v1/mitigations/{placement}/undo", tag = "mitigations", params(("placement" = String, Path, description = "the placement")),
    responses((status = 200, body = Mitigation), (status = "default", body = Problem)))]
async fn undo_mitigation(
    State(state): State<HttpState>,
    Operator(peer): Operator,
    PathId(name): PathId,
) -> HttpResult<Json<Mitigation>> {
    let placement = placement(name)?;
    blocking(move || service::undo(&state.app, peer, &placement)).await.map(Json)
}

/// Measures what settings would cost and change, on the validation window. Changes nothing that is served; the answer is kept.
#[utoipa::path(post, path = "/v1/mitigations/{placement}/what-if", tag = "mitigations", params(("placement" = String, Path, description = "the placement")),
    request_body = MitigationSettings, responses((status = 200, body = MitigationPrice), (status = "default", body = Problem)))]
async fn mitigation_what_if(
    State(state): State<HttpState>,
    Operator(peer): Operator,
    PathId(name): PathId,
    JsonBody(settings): JsonBody<MitigationSettings>,
) -> HttpResult<Json<MitigationPrice>> {
    let placement = placement(name)?;
    blocking(move || {
        let price = mitigation_price::measure(&state.app, &placement, &settings)?;
        let detail = format!("{} shoppers, {} lists changed", price.users, price.lists_changed);
        state.app.audit(Some(peer), "mitigation-what-if", placement.as_str(), detail);
        Ok(price)
    })
    .await
    .map(Json)
}
