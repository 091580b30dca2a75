//! Examples from engagements, with sampled negatives.

use std::collections::BTreeSet;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::draw::{seeded_number, thin_evenly};
use super::history::{recent_history, taken};
use super::options::{ExampleOptions, HistoryEntry, PairExample, TimeWindow};
use crate::examples::{Interaction, by_user};

/// Maximum number of draws per wanted negative.
const TRIES: usize = 20;

/// One item that a user took at a moment; `slot` is the user's number in `by_user` order.
struct Positive {
    slot: usize,
    at_ms: i64,
    item: u32,
}

/// Examples of a window.
pub(super) fn examples(log: &[Interaction], window: TimeWindow, options: &ExampleOptions) -> Vec<PairExample> {
    let users = by_user(log);
    let sold = Engagements::new(log, options);
    let mut positives: Vec<Positive> =
        users.iter().enumerate().flat_map(|(slot, events)| positives_of(slot, events, window, options)).collect();
    positives.sort_by_key(|p| (p.at_ms, p.slot, p.item));
    let mut all = Vec::new();
    for positive in thin_evenly(positives, options.most) {
        with_negatives(&positive, &users[positive.slot], &sold, options, &mut all);
    }
    all
}

/// Positives of one user in the window: engagements that have a history, at most `per_moment` of a basket.
fn positives_of(slot: usize, events: &[Interaction], window: TimeWindow, options: &ExampleOptions) -> Vec<Positive> {
    let mut found = Vec::new();
    for moment in events.chunk_by(|a, b| a.at_ms == b.at_ms) {
        let at_ms = moment[0].at_ms;
        if !window.contains(at_ms) || recent_history(events, at_ms, options).is_empty() {
            continue;
        }
        let items: BTreeSet<u32> = moment.iter().filter_map(|e| taken(e, options)).collect();
        let user = u64::from(moment[0].user);
        let mut items: Vec<u32> = items.into_iter().collect();
        items.sort_by_cached_key(|i| (seeded_number(options.seed, "basket", &[user, at_ms as u64, u64::from(*i)]), *i));
        items.truncate(options.per_moment);
        found.extend(items.into_iter().map(|item| Positive { slot, at_ms, item }));
    }
    found
}

/// One engagement of the whole shop.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Engagement {
    at_ms: i64,
    item: u32,
}

/// All engagements in time order: a uniform draw from a period is a draw by the popularity of that period.
struct Engagements(Vec<Engagement>);

impl Engagements {
    fn new(log: &[Interaction], options: &ExampleOptions) -> Self {
        let engagement = |e: &Interaction| Some(Engagement { at_ms: e.at_ms, item: taken(e, options)? });
        let mut all: Vec<Engagement> = log.iter().filter_map(engagement).collect();
        all.sort_unstable();
        Self(all)
    }

    /// Those in the `period_ms` before a moment; all before the moment if the period is empty.
    fn recent(&self, at_ms: i64, period_ms: i64) -> &[Engagement] {
        let before = self.0.partition_point(|e| e.at_ms < at_ms);
        let since = self.0.partition_point(|e| e.at_ms < at_ms.saturating_sub(period_ms));
        if since < before { &self.0[since..before] } else { &self.0[..before] }
    }
}

/// Adds the example of a positive and those of its negatives; none if no negative was found, so that every positive has some.
fn with_negatives(
    positive: &Positive,
    events: &[Interaction],
    sold: &Engagements,
    options: &ExampleOptions,
    out: &mut Vec<PairExample>,
) {
    let Positive { at_ms, item, .. } = *positive;
    let Some(user) = events.first().map(|e| e.user) else { return };
    let until = events.partition_point(|e| e.at_ms <= at_ms);
    let before = events.partition_point(|e| e.at_ms < at_ms);
    let items = |events: &[Interaction]| events.iter().filter_map(|e| taken(e, options)).collect::<BTreeSet<u32>>();
    let (had, now) = (items(&events[..before]), items(&events[before..until]));
    let repeat = had.contains(&item);
    let stream = seeded_number(options.seed, "negatives", &[u64::from(user), at_ms as u64, u64::from(item)]);
    let mut rng = ChaCha8Rng::seed_from_u64(stream);
    let drawn = if repeat {
        draw_own(had.difference(&now).copied().collect(), options.negatives, &mut rng)
    } else {
        let known = sold.recent(at_ms, options.popular_ms);
        draw_popular(known, |other| had.contains(&other) || now.contains(&other), options.negatives, &mut rng)
    };
    if drawn.is_empty() {
        return;
    }
    let history: Vec<HistoryEntry> = recent_history(events, at_ms, options);
    let example = |item, label| PairExample { user, at_ms, history: history.clone(), item, label, repeat };
    out.push(example(item, true));
    out.extend(drawn.into_iter().map(|item| example(item, false)));
}

/// Up to `most` distinct items of the user's own, uniformly.
fn draw_own(mut own: Vec<u32>, most: usize, rng: &mut ChaCha8Rng) -> Vec<u32> {
    let mut drawn = Vec::new();
    while drawn.len() < most && !own.is_empty() {
        drawn.push(own.swap_remove(rng.random_range(0..own.len() as u64) as usize));
    }
    drawn
}

/// Up to `most` distinct items by popularity, none of them `excluded`.
fn draw_popular(known: &[Engagement], excluded: impl Fn(u32) -> bool, most: usize, rng: &mut ChaCha8Rng) -> Vec<u32> {
    let mut drawn = Vec::new();
    for _ in 0..most * TRIES {
        if known.is_empty() || drawn.len() == most {
            break;
        }
        let other = known[rng.random_range(0..known.len() as u64) as usize].item;
        if !excluded(other) && !drawn.contains(&other) {
            drawn.push(other);
        }
    }
    drawn
}
