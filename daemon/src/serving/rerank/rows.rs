//! Re-ranks the rows of an answer, says on each row how it moved, and counts what goes out.

use mercer_shared::wire::{ListItem, Moved};

use crate::serving::list_query::ListRequest;
use crate::serving::rerank::{Candidate, RerankContext, Reranked, rerank};
use crate::state::app::App;
use crate::state::served_exposure::ShownItem;
use crate::state::shop::ShopState;

/// Applies the mitigations of a list's placement to its rows and counts what goes out. Returns notes for people. Where nothing is on, the
/// rows stay as they are.
pub(crate) fn mitigate(
    app: &App,
    view: &ShopState,
    asked: &ListRequest,
    context: &RerankContext<'_>,
    rows: &mut Vec<ListItem>,
) -> Vec<String> {
    let Some(mitigations) = asked.mitigations.as_deref() else { return Vec::new() };
    let number = |row: &ListItem| view.item_index.get(&row.id).copied();
    let candidate = |row: &ListItem| number(row).map(|item| Candidate { item, score: row.score });
    // Items out of stock that come last stay last. Every row was made from an item of this state, so all of them have a number.
    let head = asked.first_group(view, rows);
    let candidates: Vec<Candidate> = rows.iter().take(head).map_while(candidate).collect();
    let done = rerank(context, mitigations, &candidates, asked.k);
    reorder(rows, &done, asked.k, asked.reasons);
    // A list as of a named moment is looked at by an operator, not shown to a shopper.
    if mitigations.reads_exposure() && asked.asked_at.is_none() {
        let items = rows.iter().filter_map(|row| view.item(number(row)?));
        let shown = items.map(|item| ShownItem { seller: item.seller.as_deref(), brand: item.brand.as_deref() });
        app.mitigations.served.record(&mitigations.placement, asked.at, shown);
    }
    done.notes
}

/// Puts the first rows into their new order and cuts all at `k`. Rows say how they moved if `reasons` are asked.
pub(super) fn reorder(rows: &mut Vec<ListItem>, done: &Reranked, k: usize, reasons: bool) {
    let tail = rows.split_off(done.order.len());
    let mut taken: Vec<Option<ListItem>> = std::mem::take(rows).into_iter().map(Some).collect();
    for (to, &from) in done.order.iter().enumerate().take(k) {
        let Some(mut row) = taken[from].take() else { continue };
        if reasons && from != to {
            row.moved = Some(Moved { from: from as u32 + 1, to: to as u32 + 1, by: done.by[from].clone() });
        }
        rows.push(row);
    }
    rows.extend(tail);
    rows.truncate(k);
}
