//! Pairs of texts from the log. They depend on nothing but the log up to a sequence number and a moment, consent, and the items'
//! texts: shoppers and items are numbered by their first line, so a resumed run finds the data that it began with.

use std::collections::BTreeSet;

use mercer_learn::examples::{Interaction, Kind, NextOptions, QueryOptions, mix, next_pairs, query_pairs};
use mercer_learn::{Anchor, Known, Pair, TextId, TextTable};
use mercer_model::{Checkpoint, TextKind};
use mercer_search::passage_text;
use mercer_shared::wire::{Interaction as Line, InteractionType};
use rustc_hash::FxHashMap;

use super::{Ended, failed};
use crate::app::{App, store_problem};
use crate::world::View;

/// Longest text in tokens while training: titles fit, and a step's cost grows with the longest text of a piece.
const MAX_TOKENS: usize = 48;
/// Items of a history in an anchor: each is one more text through the encoder in every step, and the latest say most.
const RECENT: usize = 4;
/// Pairs of one cycle at most: new ones and replayed ones together.
const MAX_PAIRS: usize = 20_000;

/// What the encoder learns from.
pub(super) struct Examples {
    /// Tokenised texts.
    pub(super) texts: TextTable,
    /// New pairs and replayed ones.
    pub(super) pairs: Vec<Pair>,
    /// Positives of all pairs there are.
    pub(super) known: Known,
    /// Pairs that were not there at the last cycle, before thinning.
    pub(super) fresh: usize,
}

/// The part of the log that is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope {
    /// Last sequence number.
    pub(super) cursor: u64,
    /// Interactions after this moment are left out.
    pub(super) after: i64,
    /// Interactions later than this moment are left out.
    pub(super) until: i64,
}

/// The learner's kind of a line; `None` for what says nothing about interest.
fn kind_of(line: &Line) -> Option<Kind> {
    match line.kind {
        InteractionType::Search => Some(Kind::Search),
        InteractionType::Impression => Some(Kind::Impression),
        InteractionType::View => Some(Kind::View),
        InteractionType::Click => Some(Kind::Click),
        InteractionType::Cart => Some(Kind::Cart),
        InteractionType::Favourite => Some(Kind::Favourite),
        InteractionType::Purchase => Some(Kind::Purchase),
        InteractionType::Return | InteractionType::Dismiss => Some(Kind::Disliked),
        InteractionType::Rating | InteractionType::Review => match line.value {
            Some(stars) if stars >= 4.0 => Some(Kind::Liked),
            Some(stars) if stars <= 2.0 => Some(Kind::Disliked),
            _ => None,
        },
    }
}

/// Lines of the log as the learner reads them. Shoppers have the numbers of the view, items those of the view, queries those of
/// `queries`.
pub(super) struct Read {
    pub(super) log: Vec<Interaction>,
    pub(super) queries: Vec<String>,
}

/// Reads the log of shoppers who agreed to training. An engagement that names a served list belongs to the query that list was
/// made for; the others find theirs by time.
pub(super) fn read(app: &App, view: &View, scope: Scope) -> Result<Read, Ended> {
    let mut read = Read { log: Vec::new(), queries: Vec::new() };
    let mut places: FxHashMap<String, TextId> = FxHashMap::default();
    let mut asked: FxHashMap<String, TextId> = FxHashMap::default();
    let mut joined: Vec<(usize, String)> = Vec::new();
    for line in app.store.scan_interactions(0).map_err(|e| store_problem(&e))?.named() {
        let (seq, line) = line.map_err(|e| store_problem(&e))?;
        if seq > scope.cursor {
            break;
        }
        let at_ms = line.at.millis();
        if at_ms <= scope.after || at_ms > scope.until {
            continue;
        }
        let user = line.user.as_ref().and_then(|id| view.user_index.get(id)).copied();
        let user = user.or_else(|| line.session.as_ref().and_then(|id| view.session_index.get(id)).copied());
        let (Some(user), Some(kind)) = (user, kind_of(&line)) else { continue };
        if !view.subject(user).is_some_and(|subject| subject.consent.train) {
            continue;
        }
        let item = line.item.as_ref().and_then(|id| view.item_index.get(id)).copied();
        let query = line.query.filter(|_| kind == Kind::Search).map(|text| {
            *places.entry(text.clone()).or_insert_with(|| {
                read.queries.push(text);
                read.queries.len() as TextId - 1
            })
        });
        match (query, line.query_id) {
            (Some(query), Some(list)) => drop(asked.insert(list, query)),
            (None, Some(list)) if item.is_some() => joined.push((read.log.len(), list)),
            _ => {}
        }
        read.log.push(Interaction { user, item, kind, query, at_ms });
    }
    for (place, list) in joined {
        read.log[place].query = asked.get(&list).copied();
    }
    Ok(read)
}

/// Numbers by first sight, so that they do not depend on the order in which the shop was loaded.
#[derive(Default)]
pub(super) struct Renumbered {
    numbers: FxHashMap<u32, u32>,
    /// Old numbers by new ones.
    pub(super) order: Vec<u32>,
}

impl Renumbered {
    pub(super) fn of(&mut self, old: u32) -> u32 {
        *self.numbers.entry(old).or_insert_with(|| {
            self.order.push(old);
            self.order.len() as u32 - 1
        })
    }
}

type Key = (Anchor, u32, u64);

fn key(pair: &Pair) -> Key {
    (pair.anchor.clone(), pair.item, pair.group)
}

/// Pairs from everything up to the cut-off: those that came after `since` are new, of the older ones a share is replayed.
pub(super) fn gather(
    app: &App,
    view: &View,
    base: &Checkpoint,
    (scope, since): (Scope, i64),
    seed: u64,
) -> Result<Examples, Ended> {
    let Read { mut log, queries } = read(app, view, scope)?;
    let (mut users, mut items) = (Renumbered::default(), Renumbered::default());
    for event in &mut log {
        event.user = users.of(event.user);
        event.item = event.item.map(|item| items.of(item));
    }
    let tokens = base.tokens().map_err(|e| failed(&e))?;
    let most = MAX_TOKENS.min(base.config.max_tokens());
    let mut texts = TextTable::new();
    let mut number = |kind: TextKind, words: &[String]| -> Result<Vec<TextId>, Ended> {
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
    let mut all_pairs = |log: &[Interaction]| {
        let mut pairs = query_pairs(log, &item_texts, &QueryOptions::default());
        pairs.extend(next_pairs(log, &item_texts, &mut texts, &options));
        pairs
    };
    let all = all_pairs(&log);
    let known = Known::from_pairs(&all);
    log.retain(|event| event.at_ms <= since);
    let old = all_pairs(&log);
    let seen: BTreeSet<Key> = old.iter().map(key).collect();
    let new: Vec<Pair> = all.into_iter().filter(|pair| !seen.contains(&key(pair))).collect();
    let mut pairs = mix(&new, &old, app.config.train.replay, seed).map_err(|e| failed(&e))?;
    thin(&mut pairs, MAX_PAIRS);
    Ok(Examples { texts, pairs, known, fresh: new.len() })
}

/// Rules that read the log and nothing else: a log of days has days as baskets; a log without carts and purchases is learned
/// from what it has.
pub(super) fn next_options(log: &[Interaction]) -> NextOptions {
    let days = log.iter().all(|event| event.at_ms.rem_euclid(mercer_rank::DAY_MS) == 0);
    let strongest = log.iter().filter_map(|event| event.kind.weight()).fold(0.0, f32::max);
    NextOptions {
        moment_ms: if days { mercer_rank::DAY_MS } else { 0 },
        min_weight: Kind::Cart.weight().unwrap_or(0.0).min(strongest),
        recent: RECENT,
        ..NextOptions::default()
    }
}

fn shortened(mut ids: Vec<u32>, most: usize) -> Vec<u32> {
    if ids.len() > most {
        // The closing token stays.
        let last = ids.pop();
        ids.truncate(most.saturating_sub(1));
        ids.extend(last);
    }
    ids
}

/// Keeps every n-th pair, so that all times stay represented.
fn thin(pairs: &mut Vec<Pair>, most: usize) {
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
        let event = |kind, at_ms| Interaction { user: 0, item: Some(0), kind, query: None, at_ms };
        let clicks = next_options(&[event(Kind::Click, 5), event(Kind::View, 6)]);
        assert_eq!((clicks.min_weight, clicks.moment_ms), (1.0, 0));
        let days = next_options(&[event(Kind::Purchase, mercer_rank::DAY_MS), event(Kind::View, 0)]);
        assert_eq!((days.min_weight, days.moment_ms), (2.0, mercer_rank::DAY_MS));
    }

    #[test]
    fn thinning_keeps_all_times() {
        let pair = |i: u32| Pair { anchor: Anchor::Text(i), positive: i, item: i, group: 0, weight: 1.0, left: None };
        let mut pairs: Vec<Pair> = (0..100).map(pair).collect();
        thin(&mut pairs, 10);
        let items: Vec<u32> = pairs.iter().map(|p| p.item).collect();
        assert_eq!(items, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
    }
}
