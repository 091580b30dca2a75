//! Items: pages, single documents, batches.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{BatchLine, DeletedItem, Item, ItemPatch, Page};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::batch::{BatchParams, BatchRequest, Single, change_status, statuses};
use crate::http::extract::{FilteredPageParams, JsonBody, PathId, QueryParams, cursor};
use crate::http::peer::Operator;
use crate::http::problem::{HttpResult, ProblemResponse, blocking};
use crate::http::state::HttpState;
use crate::ingest::write;
use crate::state::app::App;

impl Single for Item {
    fn audited(&self, _: &App) -> Option<String> {
        Some(self.id.as_str().to_owned())
    }
}

/// Routes of items.
pub(super) fn routes() -> OpenApiRouter<HttpState> {
    OpenApiRouter::default().routes(routes!(items, post_items)).routes(routes!(item, put_item, patch_item, delete_item))
}

/// Items in order of first sight; `q` is a prefix of the id or a part of the title.
#[utoipa::path(get, path = "/v1/items", tag = "catalogue", params(FilteredPageParams),
    responses((status = 200, body = Page<Item>), (status = "default", body = Problem)))]
async fn items(
    State(state): State<HttpState>,
    QueryParams(page): QueryParams<FilteredPageParams>,
) -> HttpResult<Json<Page<Item>>> {
    let (start, limit) = (page.start()?, page.limit()?);
    let view = state.app.view();
    let wanted = page.q.as_deref().map(str::to_lowercase);
    let fits = |item: &Item| {
        wanted
            .as_deref()
            .is_none_or(|q| item.id.as_str().to_lowercase().starts_with(q) || item.title.to_lowercase().contains(q))
    };
    let live = |(place, item): &(usize, &Arc<Item>)| !view.deleted.contains(&(*place as u32)) && fits(item);
    let mut found = view.items.iter().enumerate().skip(start).filter(live);
    let items: Vec<Item> = found.by_ref().take(limit).map(|(_, item)| (**item).clone()).collect();
    Ok(Json(Page { items, next_cursor: found.next().map(|(place, _)| cursor(place)) }))
}

/// One item.
#[utoipa::path(get, path = "/v1/items/{id}", tag = "catalogue", params(("id" = String, Path, description = "the item")),
    responses((status = 200, body = Item), (status = "default", body = Problem)))]
async fn item(State(state): State<HttpState>, PathId(id): PathId) -> HttpResult<Json<Item>> {
    let view = state.app.view_that(|view| view.item_number(&id).is_some());
    let found = view.item_number(&id).and_then(|number| view.item(number));
    found
        .map(|item| Json((**item).clone()))
        .ok_or_else(|| ProblemResponse(Problem::new(Code::UnknownItem, format!("there is no item `{id}`"))))
}

/// Writes an item whole.
#[utoipa::path(put, path = "/v1/items/{id}", tag = "catalogue", params(("id" = String, Path, description = "the item")), request_body = Item,
    responses((status = 200, body = Item), (status = "default", body = Problem)))]
async fn put_item(
    State(state): State<HttpState>,
    Operator(peer): Operator,
    PathId(id): PathId,
    JsonBody(item): JsonBody<Item>,
) -> HttpResult<Json<Item>> {
    if item.id.as_str() != id {
        return Err(ProblemResponse(Problem::new(
            Code::BadId,
            format!("the path says `{id}`, the document `{}`", item.id),
        )));
    }
    blocking(move || {
        let answer = write::items(&state.app, vec![item.clone()]).pop();
        answer.unwrap_or_else(|| Err(Problem::new(Code::Internal, "no answer")))?;
        state.app.audit(Some(peer), "put-item", &id, "");
        Ok(item)
    })
    .await
    .map(Json)
}

/// Changes some fields of an item.
#[utoipa::path(patch, path = "/v1/items/{id}", tag = "catalogue", params(("id" = String, Path, description = "the item")), request_body = ItemPatch,
    responses((status = 200, body = Item), (status = "default", body = Problem)))]
async fn patch_item(
    State(state): State<HttpState>,
    Operator(peer): Operator,
    PathId(id): PathId,
    JsonBody(patch): JsonBody<ItemPatch>,
) -> HttpResult<Json<Item>> {
    blocking(move || {
        let item = write::patch_item(&state.app, &id, patch)?;
        state.app.audit(Some(peer), "patch-item", &id, "");
        Ok(item)
    })
    .await
    .map(Json)
}

/// Deletes an item and leaves a tombstone, which an export lists. The item leaves every list at once; interactions with it stay, and
/// writing it again brings it back.
#[utoipa::path(delete, path = "/v1/items/{id}", tag = "catalogue", params(("id" = String, Path, description = "the item")),
    responses((status = 200, body = DeletedItem), (status = "default", body = Problem)))]
async fn delete_item(
    State(state): State<HttpState>,
    Operator(peer): Operator,
    PathId(id): PathId,
) -> HttpResult<Json<DeletedItem>> {
    blocking(move || {
        let deleted = write::delete_item(&state.app, &id)?;
        state.app.audit(Some(peer), "delete-item", &id, "");
        Ok(deleted)
    })
    .await
    .map(Json)
}

/// Writes items whole, one document or NDJSON.
#[utoipa::path(post, path = "/v1/items", operation_id = "items", tag = "catalogue", params(BatchParams), request_body(content = Item, description = "one document, or NDJSON as application/x-ndjson"),
    responses((status = 200, body = BatchLine, description = "NDJSON: a line for each line, a summary last"), (status = "default", body = Problem)))]
async fn post_items(State(state): State<HttpState>, batch: BatchRequest) -> HttpResult<Response> {
    batch.write(state.app, "items", |app, _, lines: Vec<Item>| statuses(write::items(app, lines), change_status)).await
}
