//! Impressions that a user skipped: hard negatives, because a list had ranked them high.

use std::collections::BTreeSet;

use mercer_shared::interaction::InteractionType;

use super::interaction::Interaction;
use crate::contrastive_pairs::HardNegative;
use crate::texts::TextId;

/// An impression of an item that the user never engaged with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SkippedImpression {
    /// UTC milliseconds.
    pub(super) at_ms: i64,
    /// The item.
    pub(super) item: u32,
    /// The query whose list showed it, if known.
    pub(super) query: Option<TextId>,
}

/// Skipped impressions of one user, in time order.
pub(super) struct SkippedImpressions(Vec<SkippedImpression>);

impl SkippedImpressions {
    /// From a user's interactions in time order.
    pub(super) fn of(events: &[Interaction]) -> Self {
        let engaged: BTreeSet<u32> = events.iter().filter(|e| e.weight().is_some()).filter_map(|e| e.item).collect();
        let shown = events.iter().filter(|e| e.kind == InteractionType::Impression);
        let skipped = shown.filter_map(|e| Some(SkippedImpression { at_ms: e.at_ms, item: e.item?, query: e.query }));
        Self(skipped.filter(|one| !engaged.contains(&one.item)).collect())
    }

    /// Those in `(after, until]`.
    pub(super) fn between(&self, after: i64, until: i64) -> &[SkippedImpression] {
        let from = self.0.partition_point(|one| one.at_ms <= after);
        let to = self.0.partition_point(|one| one.at_ms <= until).max(from);
        &self.0[from..to]
    }
}

/// The n-th latest of `skipped`, counted from 0 and wrapping around, so that the pairs of one moment get different ones. `None` if there is
/// none or the item has no text.
pub(super) fn nth_latest(
    skipped: &[SkippedImpression],
    item_texts: &[Option<TextId>],
    n: usize,
) -> Option<HardNegative> {
    let one = skipped.len().checked_sub(1 + n % skipped.len().max(1)).map(|place| skipped[place])?;
    let text = item_texts.get(one.item as usize).copied().flatten()?;
    Some(HardNegative { text, item: one.item })
}
