//! Served lists: for a user, a session, an item, everybody, and for a query.

use axum::Json;
use axum::extract::State;
use mercer_shared::problem::Problem;
use mercer_shared::wire::{ListQuery, SearchRequest, ServedList, SessionRequest};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::extract::{JsonBody, PathId, QueryParams};
use crate::http::peer::Viewer;
use crate::http::problem::{HttpResult, blocking};
use crate::http::shoppers::Sight;
use crate::http::state::HttpState;
use crate::serving::{recommend as service, search as find};

/// Routes of lists.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default()
        .routes(routes!(recommend))
        .routes(routes!(related))
        .routes(routes!(trending))
        .routes(routes!(session))
        .routes(routes!(search))
}

/// Recommendations for a shopper, by id or pseudonym.
#[utoipa::path(get, path = "/v1/users/{id}/recommendations", tag = "lists", params(("id" = String, Path, description = "the shopper"), ListQuery),
    responses((status = 200, body = ServedList), (status = "default", body = Problem)))]
async fn recommend(
    State(state): State<HttpState>,
    viewer: Viewer,
    PathId(id): PathId,
    QueryParams(query): QueryParams<ListQuery>,
) -> HttpResult<Json<ServedList>> {
    blocking(move || {
        let asked = Sight::new(&state.app, viewer).find(&id);
        service::user_list(&state.app, &asked.id, &query)
    })
    .await
    .map(Json)
}

/// Items that go with an item.
#[utoipa::path(get, path = "/v1/items/{id}/related", tag = "lists", params(("id" = String, Path, description = "the item"), ListQuery),
    responses((status = 200, body = ServedList), (status = "default", body = Problem)))]
async fn related(
    State(state): State<HttpState>,
    PathId(id): PathId,
    QueryParams(query): QueryParams<ListQuery>,
) -> HttpResult<Json<ServedList>> {
    blocking(move || service::related(&state.app, &id, &query)).await.map(Json)
}

/// Items that sell more than they used to.
#[utoipa::path(get, path = "/v1/trending", tag = "lists", params(ListQuery),
    responses((status = 200, body = ServedList), (status = "default", body = Problem)))]
async fn trending(
    State(state): State<HttpState>,
    QueryParams(query): QueryParams<ListQuery>,
) -> HttpResult<Json<ServedList>> {
    blocking(move || service::trending(&state.app, &query)).await.map(Json)
}

/// Recommendations for a visit.
#[utoipa::path(post, path = "/v1/sessions/recommend", tag = "lists", request_body = SessionRequest,
    responses((status = 200, body = ServedList), (status = "default", body = Problem)))]
async fn session(
    State(state): State<HttpState>,
    JsonBody(request): JsonBody<SessionRequest>,
) -> HttpResult<Json<ServedList>> {
    blocking(move || service::session(&state.app, &request)).await.map(Json)
}

/// Searches the catalogue by words and meaning.
#[utoipa::path(get, path = "/v1/search", tag = "lists", params(SearchRequest),
    responses((status = 200, body = ServedList), (status = "default", body = Problem)))]
async fn search(
    State(state): State<HttpState>,
    QueryParams(request): QueryParams<SearchRequest>,
) -> HttpResult<Json<ServedList>> {
    blocking(move || find::search(&state.app, &request)).await.map(Json)
}
