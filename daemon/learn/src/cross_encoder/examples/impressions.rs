//! Examples from impressions: an item that was shown, and whether the user engaged with it.

use std::collections::BTreeMap;

use mercer_shared::interaction::InteractionType;

use super::draw::{seeded_number, thin_evenly};
use super::history::{recent_history, taken};
use super::options::{ExampleOptions, PairExample, TimeWindow};
use crate::examples::{Interaction, by_user};

/// An impression: its place among the user's events, and whether it led to an engagement.
struct Shown {
    place: usize,
    led: bool,
}

/// Impressions of one user's events whose outcome is known. Repeated impressions of an item within [`ExampleOptions::led_to_ms`] count once:
/// they are the same chance, seen again.
fn shown(events: &[Interaction], window: TimeWindow, options: &ExampleOptions) -> Vec<Shown> {
    // By item: end of the time in which an engagement still counts.
    let mut open: BTreeMap<u32, i64> = BTreeMap::new();
    let mut all = Vec::new();
    for (place, event) in events.iter().enumerate() {
        let (InteractionType::Impression, Some(item)) = (event.kind, event.item) else { continue };
        if open.get(&item).is_some_and(|until| event.at_ms <= *until) {
            continue;
        }
        let until = event.at_ms.saturating_add(options.led_to_ms);
        open.insert(item, until);
        if !window.contains(event.at_ms) || until > window.until_ms {
            continue;
        }
        let led = events[place + 1..]
            .iter()
            .take_while(|later| later.at_ms <= until)
            .any(|later| later.item == Some(item) && later.weight().is_some());
        all.push(Shown { place, led });
    }
    all
}

/// Number of impressions by outcome.
#[derive(Debug, Default)]
pub(super) struct ImpressionCounts {
    /// Led to an engagement.
    pub(super) positive: usize,
    /// Led to none.
    pub(super) negative: usize,
}

/// Counts the impressions of a window by outcome.
pub(super) fn count(log: &[Interaction], window: TimeWindow, options: &ExampleOptions) -> ImpressionCounts {
    let mut counts = ImpressionCounts::default();
    for events in by_user(log) {
        for one in shown(&events, window, options) {
            if one.led { counts.positive += 1 } else { counts.negative += 1 }
        }
    }
    counts
}

/// An impression chosen as an example.
struct Candidate {
    at_ms: i64,
    /// Number of the user in `by_user` order.
    slot: usize,
    shown: Shown,
}

impl Candidate {
    fn key(&self) -> (i64, usize, usize) {
        (self.at_ms, self.slot, self.shown.place)
    }
}

/// Examples of a window.
pub(super) fn examples(log: &[Interaction], window: TimeWindow, options: &ExampleOptions) -> Vec<PairExample> {
    let users = by_user(log);
    let (mut positives, mut negatives) = (Vec::new(), Vec::new());
    for (slot, events) in users.iter().enumerate() {
        for shown in shown(events, window, options) {
            let class = if shown.led { &mut positives } else { &mut negatives };
            class.push(Candidate { at_ms: events[shown.place].at_ms, slot, shown });
        }
    }
    positives.sort_by_key(Candidate::key);
    let positives = thin_evenly(positives, options.most);
    let most = positives.len().saturating_mul(options.negatives);
    if negatives.len() > most {
        let draw = |c: &Candidate| {
            let event = &users[c.slot][c.shown.place];
            let parts = [c.at_ms as u64, u64::from(event.user), u64::from(event.item.unwrap_or(0))];
            seeded_number(options.seed, "impression", &parts)
        };
        negatives.sort_by_cached_key(|n| (draw(n), n.key()));
        negatives.truncate(most);
    }
    let mut all: Vec<Candidate> = positives.into_iter().chain(negatives).collect();
    all.sort_by_key(Candidate::key);
    all.iter().filter_map(|c| example(c, &users[c.slot], options)).collect()
}

fn example(c: &Candidate, events: &[Interaction], options: &ExampleOptions) -> Option<PairExample> {
    let event = events.get(c.shown.place)?;
    let item = event.item?;
    let before = &events[..events.partition_point(|e| e.at_ms < c.at_ms)];
    Some(PairExample {
        user: event.user,
        at_ms: c.at_ms,
        history: recent_history(events, c.at_ms, options),
        item,
        label: c.shown.led,
        repeat: before.iter().any(|e| taken(e, options) == Some(item)),
    })
}
