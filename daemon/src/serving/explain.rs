//! Reasons by leave-one-out (METRICS.md section 6): makes the list again without one of the user's own items and reports which rows moved.
//! An item that changes no rank is not a reason.

use mercer_rank::{RankRequest, Recipient, Snapshot};
use mercer_shared::wire::{ListItem, Mode, Reason};

use crate::serving::list_query::ListRequest;
use crate::serving::scorer::{Scorer, rank_problem};
use crate::state::problems::Answer;
use crate::state::shop::ShopState;

/// Own items that are left out one by one: the latest. Each costs one more list.
const OWN_ITEMS: usize = 10;
/// How far down a list is followed after an item was left out.
const DEPTH: usize = 200;
/// Reasons per row.
const PER_ROW: usize = 2;

/// Adds reasons to the rows of a list.
///
/// # Errors
/// As the list itself.
pub fn explain(
    view: &ShopState,
    snapshot: &Snapshot,
    scorer: &Scorer,
    asked: &ListRequest,
    whom: Recipient<'_>,
    rows: &mut [ListItem],
) -> Answer<()> {
    let events: Vec<_> = match whom {
        Recipient::User(number) => snapshot.log.until(number, asked.at).to_vec(),
        Recipient::Session(events) => events.to_vec(),
    };
    let mut own: Vec<u32> = Vec::new();
    for item in events.iter().rev().filter_map(|event| event.item) {
        if !own.contains(&item) {
            own.push(item);
        }
        if own.len() == OWN_ITEMS {
            break;
        }
    }
    let had: Vec<u32> = {
        let mut had: Vec<u32> = events.iter().filter_map(|event| event.item).collect();
        had.sort_unstable();
        had.dedup();
        had
    };
    let mut found: Vec<Vec<(usize, Reason)>> = vec![Vec::new(); rows.len()];
    for left_out in own {
        let without: Vec<_> = events.iter().filter(|event| event.item != Some(left_out)).copied().collect();
        // In mode `new` the left-out item stays out of the list, because the user has it.
        let exclude: &[u32] = if asked.mode == Mode::New { &had } else { &[] };
        let depth = DEPTH.max(asked.k);
        let list = asked.list(view, depth, |allow| {
            let request = RankRequest { k: depth, exclude, ..asked.request(Some(allow)) };
            scorer.list(snapshot, Recipient::Session(&without), asked.at, &request).map_err(rank_problem)
        })?;
        let Some(cause) = view.live_item(left_out) else { continue };
        for (place, row) in rows.iter().enumerate() {
            let Some(number) = view.item_index.get(&row.id) else { continue };
            let now = list.iter().position(|scored| scored.item == *number).map(|p| p + 1);
            let rank = place + 1;
            let fall = now.map_or(DEPTH, |now| now.saturating_sub(rank));
            if fall == 0 {
                continue;
            }
            let what = match now {
                Some(now) => format!("this item would fall from rank {rank} to {now}"),
                None => format!("this item would fall from rank {rank} out of the first {depth}"),
            };
            let own = if row.id == cause.id {
                "your own earlier interest in it".to_owned()
            } else {
                format!("\"{}\"", cause.title)
            };
            found[place].push((
                fall,
                Reason {
                    text: format!("without {own} {what}"),
                    item: Some(cause.id.clone()),
                    rank: Some(rank as u32),
                    rank_without: now.map(|now| now as u32),
                },
            ));
        }
    }
    for (row, mut reasons) in rows.iter_mut().zip(found) {
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.0));
        row.reasons = reasons.into_iter().take(PER_ROW).map(|(_, reason)| reason).collect();
    }
    Ok(())
}
