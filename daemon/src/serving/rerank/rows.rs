//! Re-ranks the rows of an answer, says on each row how it moved, and counts what goes out.

use mercer_shared::wire::{ListItem, Moved, Reason, ReasonCategory};

use crate::serving::list_query::ListRequest;
use crate::serving::rerank::apply::rerank;
use crate::serving::rerank::pool::{Candidate, RerankContext, Reranked};
use crate::state::shop::ShopState;

/// Applies the mitigations of a list's placement to its rows. Returns notes for people. Where nothing is on, the
/// rows stay as they are.
pub(crate) fn mitigate(
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
    done.notes
}

/// The reason of a row that a mitigation moved up: without it the row would stand where the model put it.
fn rule(moved: &Moved) -> Reason {
    Reason {
        category: ReasonCategory::Rule,
        text: format!("without {} this item would stand at rank {} instead of {}", moved.by, moved.from, moved.to),
        rank: Some(moved.to),
        rank_without: Some(moved.from),
        ..Reason::default()
    }
}

/// Puts the first rows into their new order and cuts all at `k`. Rows say how they moved if `reasons` are asked.
pub(super) fn reorder(rows: &mut Vec<ListItem>, done: &Reranked, k: usize, reasons: bool) {
    let tail = rows.split_off(done.order.len());
    let mut taken: Vec<Option<ListItem>> = std::mem::take(rows).into_iter().map(Some).collect();
    for (to, &from) in done.order.iter().enumerate().take(k) {
        let Some(mut row) = taken[from].take() else { continue };
        if reasons && from != to {
            let moved = Moved { from: from as u32 + 1, to: to as u32 + 1, by: done.by[from].clone() };
            if moved.to < moved.from {
                row.reasons.insert(0, rule(&moved));
            }
            row.moved = Some(moved);
        }
        rows.push(row);
    }
    rows.extend(tail);
    rows.truncate(k);
}
