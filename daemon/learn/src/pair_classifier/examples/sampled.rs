//! Rows of what was taken, with negatives that are drawn.

use std::collections::BTreeSet;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::past::{Entry, behaviour, taken};
use super::{Options, Row, Window, keyed, thinned};
use crate::examples::{Interaction, by_user};

/// Draws a positive may take to find its negatives, for each one wanted.
const TRIES: usize = 20;

/// One item that a shopper took at a moment.
struct Positive {
    slot: usize,
    at_ms: i64,
    item: u32,
}

/// Rows of a window.
pub(super) fn rows(log: &[Interaction], window: Window, options: &Options) -> Vec<Row> {
    let users = by_user(log);
    // All that was taken, in the order of time: a draw from a stretch of it is a draw by popularity as of its end.
    let mut sold: Vec<(i64, u32)> = log.iter().filter_map(|e| Some((e.at_ms, taken(e, options)?))).collect();
    sold.sort_unstable();
    let mut positives: Vec<Positive> =
        users.iter().enumerate().flat_map(|(slot, events)| positives_of(slot, events, window, options)).collect();
    positives.sort_by_key(|p| (p.at_ms, p.slot, p.item));
    let mut all = Vec::new();
    for positive in thinned(positives, options.most) {
        with_negatives(&positive, &users[positive.slot], &sold, options, &mut all);
    }
    all
}

/// What one shopper took in the window after having done something before; of a full basket, some.
fn positives_of(slot: usize, events: &[Interaction], window: Window, options: &Options) -> Vec<Positive> {
    let mut found = Vec::new();
    for moment in events.chunk_by(|a, b| a.at_ms == b.at_ms) {
        let at_ms = moment[0].at_ms;
        if !window.holds(at_ms) || behaviour(events, at_ms, options).is_empty() {
            continue;
        }
        let items: BTreeSet<u32> = moment.iter().filter_map(|e| taken(e, options)).collect();
        let user = u64::from(moment[0].user);
        let mut items: Vec<u32> = items.into_iter().collect();
        items.sort_by_cached_key(|i| (keyed(options.seed, "basket", &[user, at_ms as u64, u64::from(*i)]), *i));
        items.truncate(options.per_moment);
        found.extend(items.into_iter().map(|item| Positive { slot, at_ms, item }));
    }
    found
}

/// Adds a positive's row and those of its negatives; nothing where no negative was found, so that each positive has some.
fn with_negatives(
    positive: &Positive,
    events: &[Interaction],
    sold: &[(i64, u32)],
    options: &Options,
    rows: &mut Vec<Row>,
) {
    let Positive { at_ms, item, .. } = *positive;
    let Some(user) = events.first().map(|e| e.user) else { return };
    let until = events.partition_point(|e| e.at_ms <= at_ms);
    let before = events.partition_point(|e| e.at_ms < at_ms);
    let items = |events: &[Interaction]| events.iter().filter_map(|e| taken(e, options)).collect::<BTreeSet<u32>>();
    let (had, now) = (items(&events[..before]), items(&events[before..until]));
    let repeat = had.contains(&item);
    let stream = keyed(options.seed, "negatives", &[u64::from(user), at_ms as u64, u64::from(item)]);
    let mut rng = ChaCha8Rng::seed_from_u64(stream);
    let mut drawn: Vec<u32> = Vec::new();
    if repeat {
        let mut own: Vec<u32> = had.difference(&now).copied().collect();
        while drawn.len() < options.negatives && !own.is_empty() {
            drawn.push(own.swap_remove(rng.random_range(0..own.len() as u64) as usize));
        }
    } else {
        let before = sold.partition_point(|(at, _)| *at < at_ms);
        let since = sold.partition_point(|(at, _)| *at < at_ms.saturating_sub(options.popular_ms));
        // A shop that sold nothing for so long has its whole past.
        let known = if since < before { &sold[since..before] } else { &sold[..before] };
        for _ in 0..options.negatives * TRIES {
            if known.is_empty() || drawn.len() == options.negatives {
                break;
            }
            let other = known[rng.random_range(0..known.len() as u64) as usize].1;
            if !had.contains(&other) && !now.contains(&other) && !drawn.contains(&other) {
                drawn.push(other);
            }
        }
    }
    if drawn.is_empty() {
        return;
    }
    let history: Vec<Entry> = behaviour(events, at_ms, options);
    let row = |item, label| Row { user, at_ms, history: history.clone(), item, label, repeat };
    rows.push(row(item, true));
    rows.extend(drawn.into_iter().map(|item| row(item, false)));
}
