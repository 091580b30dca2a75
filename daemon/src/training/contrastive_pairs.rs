//! Pairs of texts from the log. They depend on nothing but the log up to a sequence number and a moment, consent, and the items'
//! texts: users and items are numbered by their first line, so a resumed run finds the data that it began with.

use std::collections::BTreeSet;

use mercer_learn::examples::{Interaction, NextOptions, QueryOptions, add_experience_replay, next_pairs, query_pairs};
use mercer_learn::{Anchor, ContrastivePair, KnownPositives, TextId, TextTable};
use mercer_model::{Checkpoint, TextKind};
use mercer_search::passage_text;
use mercer_shared::interaction::{InteractionType, InterestWeights};
use rustc_hash::FxHashMap;

use crate::runs::context::{RunExit, failed};
use crate::runs::labelled_log::{Read, Scope, read};
use crate::state::app::App;
use crate::state::shop::ShopState;
use crate::training::balance;

/// Longest text in training, tokens: titles fit, and a step's cost grows with the longest text of a micro-batch.
pub(crate) const MAX_TOKENS: usize = 48;
/// Items of a history in an anchor: each costs one more text per step, and the latest carry most information.
const RECENT: usize = 4;
/// Pairs of one cycle at most: new and old ones together.
const MAX_PAIRS: usize = 20_000;

/// What the encoder learns from.
pub(crate) struct Examples {
    /// Tokenised texts.
    pub(crate) texts: TextTable,
    /// New pairs and a share of old ones.
    pub(crate) pairs: Vec<ContrastivePair>,
    /// Positives of all pairs there are.
    pub(crate) known: KnownPositives,
    /// Pairs that were not there at the last cycle, before thinning.
    pub(crate) fresh: usize,
    /// What was balanced, in words; empty where nothing is configured.
    pub(crate) balanced: Vec<String>,
}

/// Numbers in order of first occurrence, so that they do not depend on the order in which the shop was loaded.
#[derive(Default)]
pub(crate) struct Renumbered {
    numbers: FxHashMap<u32, u32>,
    /// Old numbers by new ones.
    pub(crate) order: Vec<u32>,
}

impl Renumbered {
    pub(crate) fn of(&mut self, old: u32) -> u32 {
        *self.numbers.entry(old).or_insert_with(|| {
            self.order.push(old);
            self.order.len() as u32 - 1
        })
    }
}

type Key = (Anchor, u32, u64);

fn key(pair: &ContrastivePair) -> Key {
    (pair.anchor.clone(), pair.item, pair.group)
}

/// Pairs from the log up to the cut-off: those after `since` are new, and a share of the older ones is added
/// (experience replay).
pub(crate) fn gather(
    app: &App,
    view: &ShopState,
    base: &Checkpoint,
    scope: Scope,
    since: i64,
    seed: u64,
) -> Result<Examples, RunExit> {
    let Read { mut log, queries } = read(app, view, scope)?;
    let (mut users, mut items) = (Renumbered::default(), Renumbered::default());
    for event in &mut log {
        event.user = users.of(event.user);
        event.item = event.item.map(|item| items.of(item));
    }
    let tokens = base.tokens().map_err(|e| failed(&e))?;
    let most = MAX_TOKENS.min(base.config.max_tokens());
    let mut texts = TextTable::new();
    let mut number = |kind: TextKind, words: &[String]| -> Result<Vec<TextId>, RunExit> {
        let rows = tokens.encode(words, kind).map_err(|e| failed(&e))?;
        Ok(rows.into_iter().map(|row| texts.push(&shortened(row, most))).collect())
    };
    let passages: Vec<String> =
        items.order.iter().map(|&n| view.item(n).map(|item| passage_text(item)).unwrap_or_default()).collect();
    let item_texts: Vec<Option<TextId>> = number(TextKind::Passage, &passages)?.into_iter().map(Some).collect();
    let query_texts = number(TextKind::Query, &queries)?;
    for event in &mut log {
        event.query = event.query.and_then(|query| query_texts.get(query as usize)).copied();
    }
    let options = next_options(&log);
    let all_pairs = |log: &[Interaction]| {
        let mut pairs = query_pairs(log, &item_texts, &QueryOptions::default());
        pairs.extend(next_pairs(log, &item_texts, &options));
        pairs
    };
    let config = &app.config.train;
    let mut balanced = Vec::new();
    let mut all = all_pairs(&log);
    // What a shopper took is no negative, even where the cap leaves it out.
    let known = KnownPositives::from_pairs(&all);
    let left_out = balance::cap_per_user(&mut log, config.cap_per_user);
    if left_out > 0 {
        all = all_pairs(&log);
        balanced
            .push(format!("{left_out} interactions beyond the {} latest of a shopper left out", config.cap_per_user));
    }
    log.retain(|event| event.at_ms <= since);
    let old = all_pairs(&log);
    let seen: BTreeSet<Key> = old.iter().map(key).collect();
    let new: Vec<ContrastivePair> = all.into_iter().filter(|pair| !seen.contains(&key(pair))).collect();
    let mut pairs = add_experience_replay(&new, &old, config.replay, seed).map_err(|e| failed(&e))?;
    let copies = balance::oversample_tail(&mut pairs, config.tail_oversampling);
    if copies > 0 {
        balanced.push(format!("{copies} copies of pairs of the long tail added"));
    }
    thin(&mut pairs, MAX_PAIRS);
    balanced.extend(balance::weigh_configured(&app.config, view, &users.order, &mut pairs));
    Ok(Examples { texts, pairs, known, fresh: new.len(), balanced })
}

/// Options from the log alone: in a log of days a day is a basket; a log without carts and purchases trains on its
/// strongest kind.
pub(crate) fn next_options(log: &[Interaction]) -> NextOptions {
    let days = log.iter().all(|event| event.at_ms.rem_euclid(mercer_rank::DAY_MS) == 0);
    let strongest = log.iter().filter_map(|event| event.weight()).fold(0.0, f32::max);
    NextOptions {
        moment_ms: if days { mercer_rank::DAY_MS } else { 0 },
        min_weight: InterestWeights::default().of(InteractionType::Cart, 1.0).min(strongest),
        recent: RECENT,
        ..NextOptions::default()
    }
}

pub(crate) fn shortened(mut ids: Vec<u32>, most: usize) -> Vec<u32> {
    if ids.len() > most {
        // The closing token stays.
        let last = ids.pop();
        ids.truncate(most.saturating_sub(1));
        ids.extend(last);
    }
    ids
}

/// Keeps every n-th pair, so that all times stay represented.
fn thin(pairs: &mut Vec<ContrastivePair>, most: usize) {
    if pairs.len() > most {
        let step = pairs.len() as f64 / most as f64;
        *pairs = (0..most).map(|n| pairs[(n as f64 * step) as usize].clone()).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_first_sight() {
        let mut numbers = Renumbered::default();
        assert_eq!([9, 4, 9, 7].map(|n| numbers.of(n)), [0, 1, 0, 2]);
        assert_eq!(numbers.order, [9, 4, 7]);
    }

    #[test]
    fn a_long_text_keeps_its_ends() {
        assert_eq!(shortened(vec![1, 5, 6, 7, 2], 3), [1, 5, 2]);
        assert_eq!(shortened(vec![1, 2], 3), [1, 2]);
    }

    #[test]
    fn the_rules_read_the_log() {
        let event = |kind, at_ms| Interaction { user: 0, item: Some(0), kind, value: 1.0, query: None, at_ms };
        let clicks = next_options(&[event(InteractionType::Click, 5), event(InteractionType::View, 6)]);
        assert_eq!((clicks.min_weight, clicks.moment_ms), (1.0, 0));
        let days =
            next_options(&[event(InteractionType::Purchase, mercer_rank::DAY_MS), event(InteractionType::View, 0)]);
        assert_eq!((days.min_weight, days.moment_ms), (2.0, mercer_rank::DAY_MS));
    }

    #[test]
    fn thinning_keeps_all_times() {
        let pair = |i: u32| ContrastivePair {
            anchor: Anchor::Text(i),
            positive: i,
            item: i,
            group: 0,
            weight: 1.0,
            hard_negative: None,
        };
        let mut pairs: Vec<ContrastivePair> = (0..100).map(pair).collect();
        thin(&mut pairs, 10);
        let items: Vec<u32> = pairs.iter().map(|p| p.item).collect();
        assert_eq!(items, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
    }
}
