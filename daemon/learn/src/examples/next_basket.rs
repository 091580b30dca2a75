//! Pairs of recent items and an item of a later basket.

use std::collections::BTreeMap;

use super::interaction::{Interaction, by_user};
use super::skipped::{SkippedImpressions, nth_latest};
use crate::contrastive_pairs::{Anchor, ContrastivePair, USER_GROUP};
use crate::texts::TextId;

/// How pairs are built from a history.
#[derive(Debug, Clone, PartialEq)]
pub struct NextOptions {
    /// Interactions of one user closer together than this are one moment, milliseconds. 0: only equal times; 86,400,000 for a log with days
    /// only.
    pub moment_ms: i64,
    /// Maximum number of distinct items in an anchor, most recent first.
    pub recent: usize,
    /// Maximum age of history before the positive's moment, milliseconds.
    pub horizon_ms: i64,
    /// Whether items that the history already holds are no positives: repeats are found without text.
    pub novel_only: bool,
    /// Minimum weight of history and positives ([`super::Interaction::weight`]).
    pub min_weight: f32,
    /// Maximum number of pairs per moment, heaviest first: a wholesaler's basket of 300 lines must not outweigh 300 users.
    pub per_moment: usize,
}

impl Default for NextOptions {
    fn default() -> Self {
        Self {
            moment_ms: 0,
            recent: 10,
            horizon_ms: 180 * 86_400_000,
            novel_only: true,
            min_weight: 0.0,
            per_moment: 8,
        }
    }
}

/// Start of a moment, and its items with their greatest weight.
struct Moment {
    at_ms: i64,
    items: BTreeMap<u32, f32>,
}

fn moments(events: &[Interaction], options: &NextOptions, texts: &[Option<TextId>]) -> Vec<Moment> {
    let mut all: Vec<Moment> = Vec::new();
    let mut last = i64::MIN;
    for e in events {
        let (Some(item), Some(weight)) = (e.item, e.weight()) else {
            continue;
        };
        let known = texts.get(item as usize).copied().flatten().is_some();
        if weight < options.min_weight || !known {
            continue;
        }
        // Compared with the previous line, not with the start: a basket filled line by line is one moment however long it took.
        let apart = e.at_ms.saturating_sub(last);
        let same = apart == 0 || apart < options.moment_ms;
        last = e.at_ms;
        if !same || all.is_empty() {
            all.push(Moment { at_ms: e.at_ms, items: BTreeMap::new() });
        }
        if let Some(m) = all.last_mut() {
            let w = m.items.entry(item).or_insert(weight);
            *w = w.max(weight);
        }
    }
    all
}

/// Pairs (recent items before a moment, item of that moment). No pair joins two items of one moment. `item_texts[item]` is the item's text;
/// items without text are left out. Items shown between a moment and the one before, and skipped, are hard negatives of its pairs.
///
/// The group of a pair is the user; bit 32 keeps it apart from the groups of query pairs.
#[must_use]
pub fn next_pairs(log: &[Interaction], item_texts: &[Option<TextId>], options: &NextOptions) -> Vec<ContrastivePair> {
    let text = |item: &u32| item_texts.get(*item as usize).copied().flatten();
    let mut pairs = Vec::new();
    for events in by_user(log) {
        let Some(user) = events.first().map(|e| e.user) else { continue };
        let moments = moments(&events, options, item_texts);
        let skipped = SkippedImpressions::of(&events);
        for (at, now) in moments.iter().enumerate().skip(1) {
            let history = &moments[..at];
            let ids: Vec<TextId> = recent_items(history, now.at_ms, options).iter().filter_map(text).collect();
            if ids.is_empty() {
                continue;
            }
            let shown = skipped.between(moments[at - 1].at_ms, now.at_ms);
            for (place, (item, weight)) in positives(now, history, options).into_iter().enumerate() {
                let Some(positive) = text(&item) else { continue };
                pairs.push(ContrastivePair {
                    anchor: Anchor::Mean(ids.clone()),
                    positive,
                    item,
                    group: USER_GROUP | u64::from(user),
                    weight,
                    hard_negative: nth_latest(shown, item_texts, place),
                });
            }
        }
    }
    pairs
}

/// Distinct items of the moments before `at_ms`, most recent moment first.
fn recent_items(history: &[Moment], at_ms: i64, options: &NextOptions) -> Vec<u32> {
    let mut recent: Vec<u32> = Vec::new();
    for before in history.iter().rev() {
        let old = at_ms.saturating_sub(before.at_ms) > options.horizon_ms;
        if old || recent.len() >= options.recent {
            break;
        }
        for item in before.items.keys() {
            if recent.len() < options.recent && !recent.contains(item) {
                recent.push(*item);
            }
        }
    }
    recent
}

/// Items of a moment that make pairs, with their weights, heaviest first.
fn positives(now: &Moment, history: &[Moment], options: &NextOptions) -> Vec<(u32, f32)> {
    let seen = |item: &u32| history.iter().any(|m| m.items.contains_key(item));
    let items = now.items.iter().filter(|(item, _)| !(options.novel_only && seen(item)));
    let mut items: Vec<(u32, f32)> = items.map(|(item, weight)| (*item, *weight)).collect();
    items.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    items.truncate(options.per_moment);
    items
}
