//! Lists.

use axum::Json;
use axum::extract::State;
use mercer_shared::problem::Problem;
use mercer_shared::wire::{ListQuery, SearchRequest, ServedList, SessionRequest};

use crate::http::Shared;
use crate::http::extract::{Document, Id, Params};
use crate::http::problem::{Reply, blocking};
use crate::serving::recommend;
use crate::serving::search;

/// Recommendations for a shopper.
#[utoipa::path(get, path = "/v1/users/{id}/recommendations", tag = "lists", params(("id" = String, Path, description = "the shopper"), ListQuery),
    responses((status = 200, body = ServedList), (status = "default", body = Problem)))]
pub(crate) async fn recommend(
    State(shared): State<Shared>,
    Id(id): Id,
    Params(query): Params<ListQuery>,
) -> Reply<Json<ServedList>> {
    blocking(move || recommend::user_list(&shared.app, &id, &query)).await.map(Json)
}

/// Items that go with an item.
#[utoipa::path(get, path = "/v1/items/{id}/related", tag = "lists", params(("id" = String, Path, description = "the item"), ListQuery),
    responses((status = 200, body = ServedList), (status = "default", body = Problem)))]
pub(crate) async fn related(
    State(shared): State<Shared>,
    Id(id): Id,
    Params(query): Params<ListQuery>,
) -> Reply<Json<ServedList>> {
    blocking(move || recommend::related(&shared.app, &id, &query)).await.map(Json)
}

/// Items whose sales grow against their own past.
#[utoipa::path(get, path = "/v1/trending", tag = "lists", params(ListQuery),
    responses((status = 200, body = ServedList), (status = "default", body = Problem)))]
pub(crate) async fn trending(
    State(shared): State<Shared>,
    Params(query): Params<ListQuery>,
) -> Reply<Json<ServedList>> {
    blocking(move || recommend::trending(&shared.app, &query)).await.map(Json)
}

/// Recommendations for a visit.
#[utoipa::path(post, path = "/v1/sessions/recommend", tag = "lists", request_body = SessionRequest,
    responses((status = 200, body = ServedList), (status = "default", body = Problem)))]
pub(crate) async fn session(
    State(shared): State<Shared>,
    Document(request): Document<SessionRequest>,
) -> Reply<Json<ServedList>> {
    blocking(move || recommend::session(&shared.app, &request)).await.map(Json)
}

/// Search.
#[utoipa::path(get, path = "/v1/search", tag = "lists", params(SearchRequest),
    responses((status = 200, body = ServedList), (status = "default", body = Problem)))]
pub(crate) async fn search(
    State(shared): State<Shared>,
    Params(request): Params<SearchRequest>,
) -> Reply<Json<ServedList>> {
    blocking(move || search::search(&shared.app, &request)).await.map(Json)
}
