//! Recent items to items of the next basket.

use std::collections::BTreeMap;

use super::passed::{AllPassed, nth_latest};
use super::{Interaction, by_user};
use crate::pairs::{Anchor, Pair};
use crate::texts::{Frame, TextId, TextTable};

/// How a history becomes an anchor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum History {
    /// The mean of the vectors of recent items: serving can keep it up to date without the encoder.
    Mean,
    /// One text made of the recent items' texts, most recent first: frame of item texts, frame of the new text, longest text in tokens.
    Concatenated {
        /// Frame that item texts have.
        from: Frame,
        /// Frame of the new text.
        to: Frame,
        /// Longest text in tokens.
        max_tokens: usize,
    },
}

/// Which pairs a history gives.
#[derive(Debug, Clone, PartialEq)]
pub struct NextOptions {
    /// Interactions of one shopper closer together than this are one moment, milliseconds; 0: only equal times. 86,400,000 where the log has
    /// days.
    pub moment_ms: i64,
    /// Distinct items of a history, most recent first.
    pub recent: usize,
    /// History older than this before the next moment does not count, milliseconds.
    pub horizon_ms: i64,
    /// Positives that the history already holds make no pair: repeats need no text to be found.
    pub unseen_only: bool,
    /// Engagements lighter than this count neither as history nor as positive ([`super::Kind::weight`]).
    pub min_weight: f32,
    /// Most pairs of one moment, the heaviest first: a wholesaler's basket of 300 lines is not worth 300 shoppers.
    pub per_moment: usize,
    /// Form of the anchor.
    pub history: History,
}

impl Default for NextOptions {
    fn default() -> Self {
        Self {
            moment_ms: 0,
            recent: 10,
            horizon_ms: 180 * 86_400_000,
            unseen_only: true,
            min_weight: 0.0,
            per_moment: 8,
            history: History::Mean,
        }
    }
}

/// Items of one moment with their greatest weight; when it began.
struct Moment {
    at_ms: i64,
    items: BTreeMap<u32, f32>,
}

fn moments(events: &[Interaction], options: &NextOptions, texts: &[Option<TextId>]) -> Vec<Moment> {
    let mut all: Vec<Moment> = Vec::new();
    let mut last = i64::MIN;
    for e in events {
        let (Some(item), Some(weight)) = (e.item, e.kind.weight()) else {
            continue;
        };
        let known = texts.get(item as usize).copied().flatten().is_some();
        if weight < options.min_weight || !known {
            continue;
        }
        // Chained: a basket filled within minutes of each other is one moment however long it took.
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
/// items without one are left out. What was shown between a moment and the one before, and left, is the own negative of its pairs.
/// Concatenated anchors are added to `table`. The group of a pair is the shopper, set apart from query groups.
#[must_use]
pub fn next_pairs(
    log: &[Interaction],
    item_texts: &[Option<TextId>],
    table: &mut TextTable,
    options: &NextOptions,
) -> Vec<Pair> {
    let text = |item: &u32| item_texts.get(*item as usize).copied().flatten();
    let mut pairs = Vec::new();
    for events in by_user(log) {
        let Some(user) = events.first().map(|e| e.user) else { continue };
        let moments = moments(&events, options, item_texts);
        let passed = AllPassed::of(&events);
        for (at, now) in moments.iter().enumerate().skip(1) {
            let mut recent: Vec<u32> = Vec::new();
            for before in moments[..at].iter().rev() {
                let old = now.at_ms.saturating_sub(before.at_ms) > options.horizon_ms;
                if old || recent.len() >= options.recent {
                    break;
                }
                for item in before.items.keys() {
                    if recent.len() < options.recent && !recent.contains(item) {
                        recent.push(*item);
                    }
                }
            }
            let ids: Vec<TextId> = recent.iter().filter_map(text).collect();
            if ids.is_empty() {
                continue;
            }
            let seen = |item: &u32| moments[..at].iter().any(|m| m.items.contains_key(item));
            let mut items: Vec<(&u32, &f32)> =
                now.items.iter().filter(|(item, _)| !(options.unseen_only && seen(item))).collect();
            items.sort_by(|a, b| b.1.total_cmp(a.1).then(a.0.cmp(b.0)));
            items.truncate(options.per_moment);
            if items.is_empty() {
                continue;
            }
            let anchor = match &options.history {
                History::Mean => Anchor::Mean(ids),
                History::Concatenated { from, to, max_tokens } => {
                    Anchor::Text(table.concat(&ids, from, to, *max_tokens))
                }
            };
            let shown = passed.until(moments[at - 1].at_ms, now.at_ms);
            for (place, (item, weight)) in items.into_iter().enumerate() {
                let Some(positive) = text(item) else { continue };
                pairs.push(Pair {
                    anchor: anchor.clone(),
                    positive,
                    item: *item,
                    group: (1 << 32) | u64::from(user),
                    weight: *weight,
                    left: nth_latest(shown, item_texts, place),
                });
            }
        }
    }
    pairs
}
