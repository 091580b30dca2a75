//! A user's history before a moment.

use std::collections::BTreeSet;

use mercer_shared::interaction::InteractionType;

use super::options::{ExampleOptions, HistoryEntry};
use crate::examples::Interaction;

/// The latest distinct items and queries of one user's events (in time order) before `at_ms`, newest first. Events at equal times are a set
/// and come in ascending order.
#[must_use]
pub fn recent_history(events: &[Interaction], at_ms: i64, options: &ExampleOptions) -> Vec<HistoryEntry> {
    let end = events.partition_point(|e| e.at_ms < at_ms);
    let mut history: Vec<HistoryEntry> = Vec::new();
    let mut seen = BTreeSet::new();
    for moment in events[..end].chunk_by(|a, b| a.at_ms == b.at_ms).rev() {
        let old = moment.first().is_some_and(|e| at_ms.saturating_sub(e.at_ms) > options.horizon_ms);
        if old || history.len() >= options.recent {
            break;
        }
        let entries: BTreeSet<HistoryEntry> = moment.iter().filter_map(|e| entry(e, options)).collect();
        history.extend(entries.into_iter().filter(|entry| seen.insert(*entry)));
    }
    history.truncate(options.recent);
    history
}

fn entry(event: &Interaction, options: &ExampleOptions) -> Option<HistoryEntry> {
    if event.kind == InteractionType::Search {
        return event.query.map(HistoryEntry::Query);
    }
    taken(event, options).map(HistoryEntry::Item)
}

/// The item of an engagement of at least the minimum weight.
pub(super) fn taken(event: &Interaction, options: &ExampleOptions) -> Option<u32> {
    event.item.filter(|_| event.weight().is_some_and(|weight| weight >= options.min_weight))
}
