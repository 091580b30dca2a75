//! Items: pages and single documents.

use axum::Json;
use axum::extract::State;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{Item, ItemPatch, Page};

use crate::http::Shared;
use crate::http::extract::{Document, Id, PageParams, Params, cursor};
use crate::http::peer::Operator;
use crate::http::problem::{Refused, Reply, blocking};
use crate::ingest::write;

/// Items in order of first sight; `q` is a prefix of the id or a part of the title.
#[utoipa::path(get, path = "/v1/items", tag = "catalogue", params(PageParams),
    responses((status = 200, body = Page<Item>), (status = "default", body = Problem)))]
pub(crate) async fn items(State(shared): State<Shared>, Params(page): Params<PageParams>) -> Reply<Json<Page<Item>>> {
    let (start, limit) = (page.start()?, page.limit()?);
    let view = shared.app.view();
    let wanted = page.q.as_deref().map(str::to_lowercase);
    let fits = |item: &Item| {
        wanted
            .as_deref()
            .is_none_or(|q| item.id.as_str().to_lowercase().starts_with(q) || item.title.to_lowercase().contains(q))
    };
    let mut found = view.items.iter().enumerate().skip(start).filter(|(_, item)| fits(item));
    let items: Vec<Item> = found.by_ref().take(limit).map(|(_, item)| (**item).clone()).collect();
    Ok(Json(Page { items, next_cursor: found.next().map(|(place, _)| cursor(place)) }))
}

/// One item.
#[utoipa::path(get, path = "/v1/items/{id}", tag = "catalogue", params(("id" = String, Path, description = "the item")),
    responses((status = 200, body = Item), (status = "default", body = Problem)))]
pub(crate) async fn item(State(shared): State<Shared>, Id(id): Id) -> Reply<Json<Item>> {
    let view = shared.app.view_that(|view| view.item_number(&id).is_some());
    let found = view.item_number(&id).and_then(|number| view.item(number));
    found
        .map(|item| Json((**item).clone()))
        .ok_or_else(|| Refused(Problem::new(Code::UnknownItem, format!("there is no item `{id}`"))))
}

/// Writes an item whole.
#[utoipa::path(put, path = "/v1/items/{id}", tag = "catalogue", params(("id" = String, Path, description = "the item")), request_body = Item,
    responses((status = 200, body = Item), (status = "default", body = Problem)))]
pub(crate) async fn put_item(
    State(shared): State<Shared>,
    Operator(peer): Operator,
    Id(id): Id,
    Document(item): Document<Item>,
) -> Reply<Json<Item>> {
    if item.id.as_str() != id {
        return Err(Refused(Problem::new(Code::BadId, format!("the path says `{id}`, the document `{}`", item.id))));
    }
    blocking(move || {
        let answer = write::items(&shared.app, vec![item.clone()]).pop();
        answer.unwrap_or_else(|| Err(Problem::new(Code::Internal, "no answer")))?;
        shared.app.audit(Some(peer), "put-item", &id, "");
        Ok(item)
    })
    .await
    .map(Json)
}

/// Changes some fields of an item.
#[utoipa::path(patch, path = "/v1/items/{id}", tag = "catalogue", params(("id" = String, Path, description = "the item")), request_body = ItemPatch,
    responses((status = 200, body = Item), (status = "default", body = Problem)))]
pub(crate) async fn patch_item(
    State(shared): State<Shared>,
    Operator(peer): Operator,
    Id(id): Id,
    Document(patch): Document<ItemPatch>,
) -> Reply<Json<Item>> {
    blocking(move || {
        let item = write::patch_item(&shared.app, &id, patch)?;
        shared.app.audit(Some(peer), "patch-item", &id, "");
        Ok(item)
    })
    .await
    .map(Json)
}
