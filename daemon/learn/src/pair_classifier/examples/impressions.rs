//! Rows that were shown: what a shopper saw, and whether it led to anything.

use std::collections::BTreeMap;

use super::past::{behaviour, taken};
use super::{Options, Row, Window, keyed, thinned};
use crate::examples::{Interaction, Kind, by_user};

/// An impression: place among the shopper's events, and whether it led to an engagement.
struct Shown {
    place: usize,
    led: bool,
}

/// Impressions of one shopper's events whose outcome is known. Of the impressions of one item that are closer together than the engagement
/// may be late, the first stands for all: the others are the same chance, seen again.
fn shown(events: &[Interaction], window: Window, options: &Options) -> Vec<Shown> {
    // By item: when its chance ends.
    let mut open: BTreeMap<u32, i64> = BTreeMap::new();
    let mut all = Vec::new();
    for (place, event) in events.iter().enumerate() {
        let (Kind::Impression, Some(item)) = (event.kind, event.item) else { continue };
        if open.get(&item).is_some_and(|until| event.at_ms <= *until) {
            continue;
        }
        let until = event.at_ms.saturating_add(options.led_to_ms);
        open.insert(item, until);
        if !window.holds(event.at_ms) || until > window.until_ms {
            continue;
        }
        let led = events[place + 1..]
            .iter()
            .take_while(|later| later.at_ms <= until)
            .any(|later| later.item == Some(item) && later.kind.weight().is_some());
        all.push(Shown { place, led });
    }
    all
}

/// Impressions that led to something, and those that did not.
pub(super) fn count(log: &[Interaction], window: Window, options: &Options) -> (usize, usize) {
    let mut counts = (0, 0);
    for events in by_user(log) {
        for one in shown(&events, window, options) {
            if one.led { counts.0 += 1 } else { counts.1 += 1 }
        }
    }
    counts
}

/// Rows of a window.
pub(super) fn rows(log: &[Interaction], window: Window, options: &Options) -> Vec<Row> {
    let users = by_user(log);
    let mut chosen: [Vec<(i64, usize, Shown)>; 2] = [Vec::new(), Vec::new()];
    for (slot, events) in users.iter().enumerate() {
        for one in shown(events, window, options) {
            chosen[usize::from(one.led)].push((events[one.place].at_ms, slot, one));
        }
    }
    let [mut negatives, mut positives] = chosen;
    let key = |(at, slot, one): &(i64, usize, Shown)| (*at, *slot, one.place);
    positives.sort_by_key(key);
    let positives = thinned(positives, options.most);
    let most = positives.len().saturating_mul(options.negatives);
    if negatives.len() > most {
        let dice = |(at, slot, one): &(i64, usize, Shown)| {
            let user = u64::from(users[*slot][one.place].user);
            keyed(options.seed, "impression", &[*at as u64, user, u64::from(users[*slot][one.place].item.unwrap_or(0))])
        };
        negatives.sort_by_cached_key(|n| (dice(n), key(n)));
        negatives.truncate(most);
    }
    let mut all: Vec<(i64, usize, Shown)> = positives.into_iter().chain(negatives).collect();
    all.sort_by_key(key);
    all.into_iter()
        .filter_map(|(at_ms, slot, one)| {
            let events = &users[slot];
            let event = events.get(one.place)?;
            let item = event.item?;
            let before = &events[..events.partition_point(|e| e.at_ms < at_ms)];
            Some(Row {
                user: event.user,
                at_ms,
                history: behaviour(events, at_ms, options),
                item,
                label: one.led,
                repeat: before.iter().any(|e| taken(e, options) == Some(item)),
            })
        })
        .collect()
}
