//! Reasons by leave-one-out (METRICS.md section 6): the list is made again without one cause, and the rows that fall have a reason.
//!
//! Causes are every item and query of the user's own events that can matter, what other users did, popularity, newness and offers. A cause
//! that makes no row fall is no reason. Two causes can hide each other: where none alone moves a row, the strongest are left out in pairs.
//! Reasons name the user's own events only; other users appear as "people with a similar history".

mod cause;
mod counterfactual;
#[cfg(test)]
mod tests;
mod words;

use std::time::{Duration, Instant};

use mercer_rank::{DAY_MS, RankedItem, Recipient, Snapshot};
use mercer_shared::wire::{ExplanationScope, ListItem, Reason, ReasonCategory, UnexplainedCode};
use rustc_hash::FxHashMap;

use crate::serving::list_query::ListRequest;
use crate::serving::scorer::Scorer;
use crate::state::problems::Answer;
use crate::state::shop::ShopState;

use cause::Scenario;
pub(crate) use cause::{Cause, own_causes};
use counterfactual::{Counterfactuals, Source, list_price};
use words::{Ranks, unexplained};

/// How far down a list is followed after a cause was left out.
pub(crate) const DEPTH: usize = 200;
/// Reasons per row.
const PER_ROW: usize = 3;
/// Reasons of one category per row, so that a strong one of another category is not crowded out.
const PER_CATEGORY: usize = 2;
/// Own causes that pairs are made of, beside those of the signals.
const PAIRED: usize = 4;
/// Days for which an item counts as new.
const NEW_DAYS: i64 = 30;

/// A list whose rows are explained.
#[derive(Clone, Copy)]
pub(crate) struct Explained<'a> {
    pub(crate) view: &'a ShopState,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) scorer: &'a Scorer,
    pub(crate) asked: &'a ListRequest,
    pub(crate) whom: Recipient<'a>,
    /// The list as the model made it, best first. Ranks in reasons are those of this list: rows may have been moved or cut since.
    pub(crate) made: &'a [RankedItem],
    /// How long the search for reasons may take.
    pub(crate) limit: Duration,
}

/// A row and what is known of it so far.
struct Row {
    item: u32,
    rank: usize,
    new: bool,
    /// Scenarios that make it fall, with the ranks.
    falls: Vec<(Scenario, Ranks)>,
}

impl Row {
    fn may_rest_on(&self, scenario: Scenario) -> bool {
        let unmoved = || self.falls.iter().all(|(other, _)| other.second.is_some());
        scenario.causes().all(|cause| cause.concerns(self.item, self.new)) && (scenario.second.is_none() || unmoved())
    }
}

/// Adds reasons to rows of a list, behind those that they have, and says how far they were searched. The rows may be any of those that the
/// model made, in any order.
///
/// # Errors
/// As the list itself.
pub(crate) fn explain(list: Explained<'_>, items: &mut [ListItem]) -> Answer<ExplanationScope> {
    let Explained { view, snapshot, scorer, asked, whom, limit, .. } = list;
    let until = Instant::now() + limit;
    let mut rows = rows_of(list, items);
    let shown: Vec<u32> = rows.iter().map(|row| row.item).collect();
    let own = own_causes(snapshot, scorer, whom, asked.at, &shown);
    let others = other_causes(view, scorer, &rows);
    let source = Source { view, snapshot, scorer, asked, whom };
    let lists = Counterfactuals::new(source, DEPTH.max(asked.k), until);
    // The signals come first: they are few, and each is one list.
    let singles: Vec<Scenario> = others.iter().chain(&own).map(|cause| Scenario::one(*cause)).collect();
    let tried = try_out(&lists, &singles, &mut rows)?;
    let pairs = if tried == singles.len() { pairs(&others, &own, &rows) } else { Vec::new() };
    let pairs_tried = try_out(&lists, &pairs, &mut rows)?;
    let complete = tried == singles.len() && pairs_tried == pairs.len();
    for (row, item) in rows.into_iter().zip(items) {
        let found = strongest(view, &row);
        if found.is_empty() && !lifted(item) {
            let code = if complete { UnexplainedCode::NothingMovesIt } else { UnexplainedCode::OutOfTime };
            item.unexplained = Some(unexplained(code));
        }
        item.reasons.extend(found);
    }
    Ok(ExplanationScope {
        own: own.len() as u64,
        own_tried: tried.saturating_sub(others.len()) as u64,
        others_tried: tried.min(others.len()) as u64,
        pairs_tried: pairs_tried as u64,
        depth: lists.depth as u64,
        limit_ms: limit.as_millis() as u64,
        complete,
    })
}

/// Says of every row that its shopper did not agree to explanations; nothing is searched.
pub(crate) fn refused(items: &mut [ListItem]) -> ExplanationScope {
    for item in items.iter_mut().filter(|item| !lifted(item)) {
        item.unexplained = Some(unexplained(UnexplainedCode::NotAgreed));
    }
    ExplanationScope { complete: true, ..ExplanationScope::default() }
}

/// Whether a rule moved a row up, which is why it stands there.
fn lifted(item: &ListItem) -> bool {
    item.moved.as_ref().is_some_and(|moved| moved.to < moved.from)
}

fn rows_of(list: Explained<'_>, items: &[ListItem]) -> Vec<Row> {
    let Explained { view, snapshot, asked, made, .. } = list;
    let ranks: FxHashMap<u32, usize> = made.iter().map(|ranked| ranked.item).zip(1..).collect();
    let is_new = |item: u32| {
        let sold = snapshot.index.stats(item).map(|stats| stats.first).filter(|first| *first != i64::MAX);
        let offered = snapshot.catalogue.get(item).and_then(|facts| facts.available_from);
        sold.into_iter().chain(offered).min().is_some_and(|since| asked.at - since <= NEW_DAYS * DAY_MS)
    };
    let row = |row: &ListItem| {
        // Every row of a list is an item of the catalogue that it was made from.
        let item = view.item_index.get(&row.id).copied().unwrap_or(u32::MAX);
        Row { item, rank: ranks.get(&item).copied().unwrap_or(made.len()), new: is_new(item), falls: Vec::new() }
    };
    items.iter().map(row).collect()
}

/// The causes that are no events of the user. Prices are read by a ranker only, so offers are no cause of a blend's list.
fn other_causes(view: &ShopState, scorer: &Scorer, rows: &[Row]) -> Vec<Cause> {
    let mut causes = vec![Cause::People, Cause::Popularity];
    if rows.iter().any(|row| row.new) {
        causes.push(Cause::Newness);
    }
    if scorer.policy().ranker.is_some() {
        let on_offer = rows.iter().filter(|row| list_price(view, row.item).is_some());
        causes.extend(on_offer.map(|row| Cause::Offer(row.item)));
    }
    causes
}

/// Makes the list without each scenario and notes the rows that fall: without a pair only those that stay without one of the two, because
/// that is what is said of a pair. Returns how many scenarios time allowed.
fn try_out(lists: &Counterfactuals<'_>, scenarios: &[Scenario], rows: &mut [Row]) -> Answer<usize> {
    let made = lists.lists(scenarios)?;
    for (scenario, list) in scenarios.iter().zip(&made) {
        for row in rows.iter_mut().filter(|row| row.may_rest_on(*scenario)) {
            let without = list.iter().position(|item| *item == row.item).map(|place| place + 1);
            let ranks = Ranks { with: row.rank, without, depth: lists.depth };
            if ranks.fall() > 0 {
                row.falls.push((*scenario, ranks));
            }
        }
    }
    Ok(made.len())
}

/// The pairs to leave out for rows that no single cause moves: of the signals, the strongest own causes, and the rows' own items.
fn pairs(others: &[Cause], own: &[Cause], rows: &[Row]) -> Vec<Scenario> {
    let unmoved: Vec<u32> = rows.iter().filter(|row| row.falls.is_empty()).map(|row| row.item).collect();
    if unmoved.is_empty() {
        return Vec::new();
    }
    let mut pool: Vec<Cause> =
        others.iter().copied().filter(|cause| matches!(cause, Cause::People | Cause::Popularity)).collect();
    let of_row = |cause: &&Cause| matches!(cause, Cause::Item(item) if unmoved.contains(item));
    for cause in own.iter().filter(of_row).take(PAIRED).chain(own.iter().take(PAIRED)) {
        if !pool.contains(cause) {
            pool.push(*cause);
        }
    }
    let pair = |n: usize| {
        let first = pool[n];
        pool[n + 1..].iter().map(move |second| Scenario { first, second: Some(*second) })
    };
    let mut pairs: Vec<Scenario> = (0..pool.len()).flat_map(pair).collect();
    // Scenarios that leave out the same signals are made together.
    pairs.sort_by_key(|pair| {
        let left_out = pair.ablation();
        (left_out.collaborative, left_out.popularity)
    });
    pairs
}

/// The reasons of a row, those with the deepest fall first.
fn strongest(view: &ShopState, row: &Row) -> Vec<Reason> {
    let mut falls: Vec<&(Scenario, Ranks)> = row.falls.iter().collect();
    // Stable: of equal falls the signals come first, then the user's own events by interest.
    falls.sort_by_key(|(_, ranks)| std::cmp::Reverse(ranks.fall()));
    let mut reasons: Vec<Reason> = Vec::with_capacity(PER_ROW);
    for (scenario, ranks) in falls {
        let category: ReasonCategory = scenario.first.category(row.item);
        if reasons.len() == PER_ROW {
            break;
        }
        if reasons.iter().filter(|reason| reason.category == category).count() < PER_CATEGORY {
            reasons.push(words::reason(view, *scenario, row.item, *ranks));
        }
    }
    reasons
}
