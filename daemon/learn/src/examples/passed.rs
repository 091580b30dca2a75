//! What a shopper was shown and left: negatives that are harder than what others took, for a list had put them in sight.

use std::collections::BTreeSet;

use super::{Interaction, Kind};
use crate::pairs::Left;
use crate::texts::TextId;

/// An impression of an item that the shopper never engaged with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Passed {
    /// UTC milliseconds.
    pub(super) at_ms: i64,
    /// The item.
    pub(super) item: u32,
    /// The query whose list showed it, where one is known.
    pub(super) query: Option<TextId>,
}

/// All of a shopper, in time order.
pub(super) struct AllPassed(Vec<Passed>);

impl AllPassed {
    /// From a shopper's interactions in time order.
    pub(super) fn of(events: &[Interaction]) -> Self {
        let engaged: BTreeSet<u32> =
            events.iter().filter(|e| e.kind.weight().is_some()).filter_map(|e| e.item).collect();
        let shown = events.iter().filter(|e| e.kind == Kind::Impression);
        let left = shown.filter_map(|e| Some(Passed { at_ms: e.at_ms, item: e.item?, query: e.query }));
        Self(left.filter(|one| !engaged.contains(&one.item)).collect())
    }

    /// Those after a moment and up to another.
    pub(super) fn until(&self, after: i64, until: i64) -> &[Passed] {
        let from = self.0.partition_point(|one| one.at_ms <= after);
        let to = self.0.partition_point(|one| one.at_ms <= until).max(from);
        &self.0[from..to]
    }
}

/// The n-th latest of these, from 0 and going round: pairs of one moment get different ones as far as there are. `None` where there is
/// none, or that one has no text.
pub(super) fn nth_latest(shown: &[Passed], item_texts: &[Option<TextId>], n: usize) -> Option<Left> {
    let one = shown.len().checked_sub(1 + n % shown.len().max(1)).map(|place| shown[place])?;
    let text = item_texts.get(one.item as usize).copied().flatten()?;
    Some(Left { text, item: one.item })
}
