//! Query to engaged item, and two views of one item where there is no log yet.

use std::collections::BTreeMap;

use super::passed::{AllPassed, Passed, nth_latest};
use super::{Interaction, Kind, by_user};
use crate::pairs::{Anchor, Pair};
use crate::texts::TextId;

/// How an engagement finds its query.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryOptions {
    /// An engagement without a query of its own belongs to the shopper's last search at most this long before, milliseconds.
    pub window_ms: i64,
    /// Engagements lighter than this make no pair ([`Kind::weight`]).
    pub min_weight: f32,
}

impl Default for QueryOptions {
    fn default() -> Self {
        Self { window_ms: 30 * 60 * 1000, min_weight: 0.0 }
    }
}

/// Pairs (query, item engaged after it). `item_texts[item]` is the item's text; items without one make no pair. The same query and item of one
/// shopper make one pair with the greatest weight. A search finds only engagements strictly after it, so a moment carries no order here either.
/// What the shopper was shown for it and left is the pair's own negative.
/// The group of a pair is its query's text: what anybody took after the same query is no negative of it.
#[must_use]
pub fn query_pairs(log: &[Interaction], item_texts: &[Option<TextId>], options: &QueryOptions) -> Vec<Pair> {
    let mut pairs = Vec::new();
    for events in by_user(log) {
        let passed = AllPassed::of(&events);
        // Greatest weight, and when it was last engaged.
        let mut best: BTreeMap<(TextId, u32), (f32, i64)> = BTreeMap::new();
        let mut searches: Vec<(i64, TextId)> = Vec::new();
        for e in &events {
            if let (Kind::Search, Some(q)) = (e.kind, e.query) {
                searches.push((e.at_ms, q));
            }
            let (Some(item), Some(weight)) = (e.item, e.kind.weight()) else {
                continue;
            };
            let last = || {
                let found = searches.iter().rev().find(|(at, _)| *at < e.at_ms)?;
                (e.at_ms - found.0 <= options.window_ms).then_some(found.1)
            };
            let Some(query) = e.query.or_else(last) else { continue };
            if weight >= options.min_weight {
                let (w, at) = best.entry((query, item)).or_insert((weight, e.at_ms));
                (*w, *at) = (w.max(weight), e.at_ms);
            }
        }
        let mut of_query: BTreeMap<TextId, usize> = BTreeMap::new();
        for ((query, item), (weight, at_ms)) in best {
            if let Some(positive) = item_texts.get(item as usize).copied().flatten() {
                let group = u64::from(query);
                let shown = passed.until(at_ms - options.window_ms, at_ms);
                // An impression that names another query was made for that one.
                let its = shown.iter().filter(|one| one.query.is_none_or(|q| q == query));
                let shown: Vec<Passed> = its.copied().collect();
                let left = of_query.entry(query).or_insert(0usize);
                let left = nth_latest(&shown, item_texts, std::mem::replace(left, *left + 1));
                pairs.push(Pair { anchor: Anchor::Text(query), positive, item, group, weight, left });
            }
        }
    }
    pairs
}

/// Self-supervised pairs for a shop without a log: two texts of the same item (its title as a query, its description as a passage). Equal
/// texts teach nothing and make no pair.
#[must_use]
pub fn view_pairs(views: &[(u32, TextId, TextId)]) -> Vec<Pair> {
    views
        .iter()
        .filter(|(_, a, b)| a != b)
        .map(|&(item, a, b)| Pair {
            anchor: Anchor::Text(a),
            positive: b,
            item,
            group: u64::from(a),
            weight: 1.0,
            left: None,
        })
        .collect()
}
