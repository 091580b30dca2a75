//! Users: pages, single documents, batches, profiles, erasure.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use mercer_shared::ids::UserId;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{BatchLine, ConsentChoice, ConsentReport, EraseReceipt, Page, Profile, SimilarUsers, User};
use mercer_store::Change;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::batch::{BatchParams, BatchRequest, Single, change_status, statuses};
use crate::http::extract::{FilteredPageParams, JsonBody, PathId, QueryParams, cursor};
use crate::http::peer::{Operator, Viewer};
use crate::http::problem::{HttpResult, ProblemResponse, blocking};
use crate::http::shoppers::{Asked, Sight};
use crate::http::state::HttpState;
use crate::ingest::audited;
use crate::ingest::consent::{self, api_origin};
use crate::ingest::erase::erase as erase_user;
use crate::ingest::users;
use crate::serving::profile as service;
use crate::state::app::App;
use crate::state::problems::Answer;
use crate::state::shop::ShopState;

impl Single for User {
    fn audited(&self, app: &App) -> Option<String> {
        Some(audited::name(app, &self.id))
    }
}

/// Routes of users.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default()
        .routes(routes!(list_users, post_users))
        .routes(routes!(consent_report, change_consent))
        .routes(routes!(user, put_user, erase))
        .routes(routes!(profile))
        .routes(routes!(similar))
}

/// Users in order of first sight; `q` is a prefix of the id.
#[utoipa::path(get, path = "/v1/users", operation_id = "list_users", tag = "users", params(FilteredPageParams),
    responses((status = 200, body = Page<User>), (status = "default", body = Problem)))]
async fn list_users(
    State(state): State<HttpState>,
    viewer: Viewer,
    QueryParams(page): QueryParams<FilteredPageParams>,
) -> HttpResult<Json<Page<User>>> {
    let (start, limit) = (page.start()?, page.limit()?);
    let view = state.app.view();
    let sight = Sight::new(&state.app, viewer);
    // The prefix is one of the name that is shown: a prefix of the id would tell it.
    let fits = |name: &str| page.q.as_deref().is_none_or(|q| name.to_lowercase().starts_with(&q.to_lowercase()));
    let numbers = start as u32..view.subjects.len() as u32;
    let mut found =
        numbers.filter(|&n| view.user_id(n).and_then(|id| sight.name(id).ok()).is_some_and(|id| fits(id.as_str())));
    let users = found.by_ref().take(limit).filter_map(|number| view.user(number));
    let items = users.map(|user| sight.listed(user)).collect::<Answer<Vec<User>>>()?;
    Ok(Json(Page { items, next_cursor: found.next().map(|place| cursor(place as usize)) }))
}

/// Whether to reveal an id.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct RevealParams {
    /// Answer with the id behind a pseudonym; for operators, and audited.
    reveal: Option<bool>,
}

/// One user, by id or pseudonym.
#[utoipa::path(get, path = "/v1/users/{id}", tag = "users", params(("id" = String, Path, description = "the shopper, by id or pseudonym"), RevealParams),
    responses((status = 200, body = User), (status = "default", body = Problem)))]
async fn user(
    State(state): State<HttpState>,
    viewer: Viewer,
    PathId(id): PathId,
    QueryParams(params): QueryParams<RevealParams>,
) -> HttpResult<Json<User>> {
    let answer = tokio::task::spawn_blocking(move || {
        let sight = Sight::new(&state.app, viewer);
        let asked = sight.find(&id);
        let user = known(&state.app.view(), &asked.id)?;
        if params.reveal == Some(true) {
            sight.reveal(&user.id)?;
            return Ok(sight.user(user, &Asked { by_pseudonym: false, ..asked })?);
        }
        Ok(sight.user(user, &asked)?)
    });
    let gone = |error: tokio::task::JoinError| Problem::new(Code::Internal, error.to_string());
    answer.await.map_err(gone)?.map(Json)
}

fn known(view: &ShopState, id: &str) -> Answer<User> {
    let found = view.user_number(id).and_then(|number| view.user(number));
    found.ok_or_else(|| Problem::new(Code::UnknownUser, format!("there is no user `{id}`")))
}

/// What a user agreed to: each scope with its basis, source and time, and every change.
#[utoipa::path(get, path = "/v1/users/{id}/consent", tag = "users", params(("id" = String, Path, description = "the shopper, by id or pseudonym")),
    responses((status = 200, body = ConsentReport), (status = "default", body = Problem)))]
async fn consent_report(
    State(state): State<HttpState>,
    viewer: Viewer,
    PathId(id): PathId,
) -> HttpResult<Json<ConsentReport>> {
    blocking(move || {
        let sight = Sight::new(&state.app, viewer);
        sight.of(&id, |asked| sight.consent(consent::report(&state.app, &asked.id)?, asked))
    })
    .await
    .map(Json)
}

/// Changes the scopes of consent that are named, from the next request on; the others stay.
#[utoipa::path(patch, path = "/v1/users/{id}/consent", tag = "users", params(("id" = String, Path, description = "the shopper, by id or pseudonym")), request_body = ConsentChoice,
    responses((status = 200, body = ConsentReport), (status = "default", body = Problem)))]
async fn change_consent(
    State(state): State<HttpState>,
    Operator(peer): Operator,
    viewer: Viewer,
    PathId(id): PathId,
    JsonBody(choice): JsonBody<ConsentChoice>,
) -> HttpResult<Json<ConsentReport>> {
    blocking(move || {
        let sight = Sight::new(&state.app, viewer);
        sight.of(&id, |asked| sight.consent(consent::change(&state.app, &asked.id, choice, Some(peer))?, asked))
    })
    .await
    .map(Json)
}

/// Writes a user: attributes whole, and the scopes of consent that the document names. The answer has the consent in force. Attributes that
/// the peer may not see stay as they are where the document leaves them out.
#[utoipa::path(put, path = "/v1/users/{id}", tag = "users", params(("id" = String, Path, description = "the shopper, by id or pseudonym")), request_body = User,
    responses((status = 200, body = User), (status = "default", body = Problem)))]
async fn put_user(
    State(state): State<HttpState>,
    viewer: Viewer,
    PathId(id): PathId,
    JsonBody(user): JsonBody<User>,
) -> HttpResult<Json<User>> {
    let peer = viewer.operator()?;
    if user.id.as_str() != id {
        return Err(ProblemResponse(Problem::new(
            Code::BadId,
            format!("the path says `{id}`, the document `{}`", user.id),
        )));
    }
    blocking(move || {
        let sight = Sight::new(&state.app, viewer);
        sight.of(&id, |asked| {
            let id = UserId::new(asked.id.as_str()).map_err(|error| Problem::new(Code::BadId, error.to_string()))?;
            let said = user.consent;
            let user = sight.keep_unseen(User { id: id.clone(), ..user });
            let answer = users::users(&state.app, vec![user], &api_origin(Some(peer))).pop();
            answer.unwrap_or_else(|| Err(Problem::new(Code::Internal, "no answer")))?;
            state.app.audit(Some(peer), "put-user", &audited::name(&state.app, &id), "");
            consent::audit(&state.app, &id, said, Some(peer));
            let written = known(state.app.shop.lock().view(), id.as_str())?;
            sight.user(written, asked)
        })
    })
    .await
    .map(Json)
}

/// Erases a user everywhere; a tombstone blocks a later import.
#[utoipa::path(delete, path = "/v1/users/{id}", tag = "users", params(("id" = String, Path, description = "the shopper, by id or pseudonym")),
    responses((status = 200, body = EraseReceipt), (status = "default", body = Problem)))]
async fn erase(
    State(state): State<HttpState>,
    Operator(peer): Operator,
    viewer: Viewer,
    PathId(id): PathId,
) -> HttpResult<Json<EraseReceipt>> {
    blocking(move || Sight::new(&state.app, viewer).of(&id, |asked| erase_user(&state.app, &asked.id, Some(peer))))
        .await
        .map(Json)
}

/// The moment of a profile.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct ProfileParams {
    /// Answer as of that moment, from interactions up to it only.
    at: Option<Timestamp>,
}

/// What Mercer knows of a shopper, and from which events; takes `at`.
#[utoipa::path(get, path = "/v1/users/{id}/profile", tag = "users", params(("id" = String, Path, description = "the shopper"), ProfileParams),
    responses((status = 200, body = Profile), (status = "default", body = Problem)))]
async fn profile(
    State(state): State<HttpState>,
    viewer: Viewer,
    PathId(id): PathId,
    QueryParams(params): QueryParams<ProfileParams>,
) -> HttpResult<Json<Profile>> {
    blocking(move || {
        let sight = Sight::new(&state.app, viewer);
        let asked = sight.find(&id);
        sight.profile(service::profile(&state.app, &asked.id, params.at)?, &asked)
    })
    .await
    .map(Json)
}

/// Shoppers with the most similar behaviour.
#[utoipa::path(get, path = "/v1/users/{id}/similar", tag = "users", params(("id" = String, Path, description = "the shopper")),
    responses((status = 200, body = SimilarUsers), (status = "default", body = Problem)))]
async fn similar(State(state): State<HttpState>, viewer: Viewer, PathId(id): PathId) -> HttpResult<Json<SimilarUsers>> {
    blocking(move || {
        let sight = Sight::new(&state.app, viewer);
        let asked = sight.find(&id);
        sight.similar(service::similar(&state.app, &asked.id)?, &asked)
    })
    .await
    .map(Json)
}

/// Writes users whole, one document or NDJSON.
#[utoipa::path(post, path = "/v1/users", operation_id = "users", tag = "users", params(BatchParams), request_body(content = User, description = "one document, or NDJSON as application/x-ndjson"),
    responses((status = 200, body = BatchLine, description = "NDJSON: a line for each line, a summary last"), (status = "default", body = Problem)))]
async fn post_users(State(state): State<HttpState>, batch: BatchRequest) -> HttpResult<Response> {
    batch
        .write(state.app, "users", |app, peer, lines: Vec<User>| {
            let said: Vec<_> = lines.iter().map(|user| (user.id.clone(), user.consent)).collect();
            let answers = users::users(app, lines, &api_origin(Some(peer)));
            for ((id, choice), answer) in said.iter().zip(&answers) {
                if answer.as_ref().is_ok_and(|change| *change != Change::Same) {
                    consent::audit(app, id, *choice, Some(peer));
                }
            }
            statuses(answers, change_status)
        })
        .await
}
