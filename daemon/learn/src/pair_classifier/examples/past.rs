//! What a shopper had done before a moment.

use std::collections::BTreeSet;

use super::Options;
use crate::examples::{Interaction, Kind};
use crate::texts::TextId;

/// One entry of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entry {
    /// Typed a query.
    Query(TextId),
    /// Took, or looked at, an item.
    Item(u32),
}

/// The latest distinct items and queries of one shopper's events (in the order of time) before `at_ms`, newest first. What happened at one
/// time is a set: its order says nothing, so it is written in the order of the numbers.
#[must_use]
pub fn behaviour(events: &[Interaction], at_ms: i64, options: &Options) -> Vec<Entry> {
    let end = events.partition_point(|e| e.at_ms < at_ms);
    let mut history: Vec<Entry> = Vec::new();
    let mut seen = BTreeSet::new();
    for moment in events[..end].chunk_by(|a, b| a.at_ms == b.at_ms).rev() {
        let old = moment.first().is_some_and(|e| at_ms.saturating_sub(e.at_ms) > options.horizon_ms);
        if old || history.len() >= options.recent {
            break;
        }
        let entries: BTreeSet<Entry> = moment.iter().filter_map(|e| entry(e, options)).collect();
        history.extend(entries.into_iter().filter(|entry| seen.insert(*entry)));
    }
    history.truncate(options.recent);
    history
}

fn entry(event: &Interaction, options: &Options) -> Option<Entry> {
    if event.kind == Kind::Search {
        return event.query.map(Entry::Query);
    }
    taken(event, options).map(Entry::Item)
}

/// The item of an engagement that is heavy enough.
pub(super) fn taken(event: &Interaction, options: &Options) -> Option<u32> {
    event.item.filter(|_| event.kind.weight().is_some_and(|weight| weight >= options.min_weight))
}
