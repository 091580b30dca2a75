//! Shoppers: documents, profiles, erasure.

use axum::Json;
use axum::extract::State;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{EraseReceipt, ListQuery, Page, Profile, SimilarUsers, User};

use crate::http::Shared;
use crate::http::extract::{Document, Id, PageParams, Params, cursor};
use crate::http::peer::Operator;
use crate::http::problem::{Refused, Reply, blocking};
use crate::ingest::write;
use crate::serving::profile;

/// Users in order of first sight; `q` is a prefix of the id.
#[utoipa::path(get, path = "/v1/users", tag = "users", params(PageParams),
    responses((status = 200, body = Page<User>), (status = "default", body = Problem)))]
pub(crate) async fn users(State(shared): State<Shared>, Params(page): Params<PageParams>) -> Reply<Json<Page<User>>> {
    let (start, limit) = (page.start()?, page.limit()?);
    let view = shared.app.view();
    let fits = |id: &str| page.q.as_deref().is_none_or(|q| id.to_lowercase().starts_with(&q.to_lowercase()));
    let numbers = start as u32..view.subjects.len() as u32;
    let mut found = numbers.filter(|&n| view.user_id(n).is_some_and(|id| fits(id.as_str())));
    let items: Vec<User> = found.by_ref().take(limit).filter_map(|number| view.user(number)).collect();
    Ok(Json(Page { items, next_cursor: found.next().map(|place| cursor(place as usize)) }))
}

/// One user.
#[utoipa::path(get, path = "/v1/users/{id}", tag = "users", params(("id" = String, Path, description = "the shopper")),
    responses((status = 200, body = User), (status = "default", body = Problem)))]
pub(crate) async fn user(State(shared): State<Shared>, Id(id): Id) -> Reply<Json<User>> {
    let view = shared.app.view_that(|view| view.user_number(&id).is_some());
    let found = view.user_number(&id).and_then(|number| view.user(number));
    found.map(Json).ok_or_else(|| Refused(Problem::new(Code::UnknownUser, format!("there is no user `{id}`"))))
}

/// Writes a user whole: attributes and consent.
#[utoipa::path(put, path = "/v1/users/{id}", tag = "users", params(("id" = String, Path, description = "the shopper")), request_body = User,
    responses((status = 200, body = User), (status = "default", body = Problem)))]
pub(crate) async fn put_user(
    State(shared): State<Shared>,
    Operator(peer): Operator,
    Id(id): Id,
    Document(user): Document<User>,
) -> Reply<Json<User>> {
    if user.id.as_str() != id {
        return Err(Refused(Problem::new(Code::BadId, format!("the path says `{id}`, the document `{}`", user.id))));
    }
    blocking(move || {
        let answer = write::users(&shared.app, vec![user.clone()]).pop();
        answer.unwrap_or_else(|| Err(Problem::new(Code::Internal, "no answer")))?;
        let pseudonym = shared.app.store.pseudonym(&user.id).hex();
        shared.app.audit(Some(peer), "put-user", &pseudonym, "");
        Ok(user)
    })
    .await
    .map(Json)
}

/// Erases a user everywhere; a tombstone blocks a later import.
#[utoipa::path(delete, path = "/v1/users/{id}", tag = "users", params(("id" = String, Path, description = "the shopper")),
    responses((status = 200, body = EraseReceipt), (status = "default", body = Problem)))]
pub(crate) async fn erase(
    State(shared): State<Shared>,
    Operator(peer): Operator,
    Id(id): Id,
) -> Reply<Json<EraseReceipt>> {
    blocking(move || {
        let receipt = write::erase(&shared.app, &id)?;
        let detail = format!("{} interactions", receipt.interactions);
        shared.app.audit(Some(peer), "erase", &receipt.pseudonym, detail);
        Ok(receipt)
    })
    .await
    .map(Json)
}

/// What Mercer knows of a shopper, and from which events; takes `at`.
#[utoipa::path(get, path = "/v1/users/{id}/profile", tag = "users", params(("id" = String, Path, description = "the shopper"), ListQuery),
    responses((status = 200, body = Profile), (status = "default", body = Problem)))]
pub(crate) async fn profile(
    State(shared): State<Shared>,
    Id(id): Id,
    Params(query): Params<ListQuery>,
) -> Reply<Json<Profile>> {
    blocking(move || profile::profile(&shared.app, &id, query.at)).await.map(Json)
}

/// Shoppers with the most similar behaviour.
#[utoipa::path(get, path = "/v1/users/{id}/similar", tag = "users", params(("id" = String, Path, description = "the shopper")),
    responses((status = 200, body = SimilarUsers), (status = "default", body = Problem)))]
pub(crate) async fn similar(State(shared): State<Shared>, Id(id): Id) -> Reply<Json<SimilarUsers>> {
    blocking(move || profile::similar(&shared.app, &id)).await.map(Json)
}
