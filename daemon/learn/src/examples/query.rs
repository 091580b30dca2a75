//! Pairs of a query and an item engaged after it.

use std::collections::BTreeMap;

use mercer_shared::interaction::InteractionType;

use super::interaction::{Interaction, by_user};
use super::skipped::{SkippedImpression, SkippedImpressions, nth_latest};
use crate::contrastive_pairs::{Anchor, ContrastivePair};
use crate::texts::TextId;

/// How engagements are matched to queries.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryOptions {
    /// An engagement without a query of its own belongs to the user's last search at most this long before, milliseconds.
    pub window_ms: i64,
    /// Engagements lighter than this make no pair ([`Interaction::weight`]).
    pub min_weight: f32,
}

impl Default for QueryOptions {
    fn default() -> Self {
        Self { window_ms: 30 * 60 * 1000, min_weight: 0.0 }
    }
}

/// An engagement after a query: greatest weight and last time.
struct Engagement {
    weight: f32,
    at_ms: i64,
}

/// Pairs (query, item engaged after it). `item_texts[item]` is the item's text; items without text make no pair. The same query and item of
/// one user make one pair with the greatest weight. A search is matched only to engagements strictly after it, so the order inside a moment
/// does not matter. Items shown for the query and skipped are hard negatives.
///
/// The group of a pair is its query's text: an item that any user engaged with after the same query is never its negative.
#[must_use]
pub fn query_pairs(log: &[Interaction], item_texts: &[Option<TextId>], options: &QueryOptions) -> Vec<ContrastivePair> {
    let mut pairs = Vec::new();
    for events in by_user(log) {
        let skipped = SkippedImpressions::of(&events);
        let mut pairs_of_query: BTreeMap<TextId, usize> = BTreeMap::new();
        for ((query, item), Engagement { weight, at_ms }) in engagements(&events, options) {
            let Some(positive) = item_texts.get(item as usize).copied().flatten() else { continue };
            let shown = skipped.between(at_ms - options.window_ms, at_ms);
            // An impression that names another query belongs to that one.
            let own = shown.iter().filter(|one| one.query.is_none_or(|q| q == query));
            let shown: Vec<SkippedImpression> = own.copied().collect();
            let n = pairs_of_query.entry(query).or_insert(0);
            pairs.push(ContrastivePair {
                anchor: Anchor::Text(query),
                positive,
                item,
                group: u64::from(query),
                weight,
                hard_negative: nth_latest(&shown, item_texts, *n),
            });
            *n += 1;
        }
    }
    pairs
}

/// Engagements of one user's events (in time order) by query and item.
fn engagements(events: &[Interaction], options: &QueryOptions) -> BTreeMap<(TextId, u32), Engagement> {
    let mut best: BTreeMap<(TextId, u32), Engagement> = BTreeMap::new();
    let mut searches: Vec<(i64, TextId)> = Vec::new();
    for e in events {
        if let (InteractionType::Search, Some(q)) = (e.kind, e.query) {
            searches.push((e.at_ms, q));
        }
        let (Some(item), Some(weight)) = (e.item, e.weight()) else {
            continue;
        };
        let last = || {
            let found = searches.iter().rev().find(|(at, _)| *at < e.at_ms)?;
            (e.at_ms - found.0 <= options.window_ms).then_some(found.1)
        };
        let Some(query) = e.query.or_else(last) else { continue };
        if weight >= options.min_weight {
            let slot = best.entry((query, item)).or_insert(Engagement { weight, at_ms: e.at_ms });
            *slot = Engagement { weight: slot.weight.max(weight), at_ms: e.at_ms };
        }
    }
    best
}
