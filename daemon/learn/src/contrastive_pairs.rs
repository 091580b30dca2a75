//! Contrastive training pairs: an anchor (a query or recent items) and a positive (the item taken afterwards).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::texts::TextId;

/// The query side of a pair.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Anchor {
    /// One text: a query.
    Text(TextId),
    /// The normalised mean of the vectors of several texts: the recent items of a user. Not empty.
    Mean(Vec<TextId>),
}

impl Anchor {
    /// The texts that make up the anchor.
    #[must_use]
    pub fn texts(&self) -> &[TextId] {
        match self {
            Self::Text(id) => std::slice::from_ref(id),
            Self::Mean(ids) => ids,
        }
    }
}

/// One training pair.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ContrastivePair {
    /// Query or recent items.
    pub anchor: Anchor,
    /// Text of the item that was taken.
    pub positive: TextId,
    /// The item. Pairs with the same item are never negatives of each other.
    pub item: u32,
    /// Key of [`KnownPositives`]: the query's text or the user (see [`crate::examples`]).
    pub group: u64,
    /// Weight of the pair in the loss, above 0.
    pub weight: f32,
    /// An item that was shown and skipped: a negative of this pair alone. Hashed as `left` since the first checkpoints.
    #[serde(rename = "left")]
    pub hard_negative: Option<HardNegative>,
}

/// Bit of [`ContrastivePair::group`] that tells users from queries.
pub(crate) const USER_GROUP: u64 = 1 << 32;

impl ContrastivePair {
    /// The user whose history the pair comes from, as numbered in the log; `None` for a pair of a query.
    #[must_use]
    pub fn user(&self) -> Option<u32> {
        (self.group & USER_GROUP != 0).then_some(self.group as u32)
    }

    /// All texts of the pair: anchor, positive, hard negative.
    pub(crate) fn texts(&self) -> impl Iterator<Item = TextId> + '_ {
        self.anchor.texts().iter().copied().chain([self.positive]).chain(self.hard_negative.map(|h| h.text))
    }
}

/// An item that was shown and skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct HardNegative {
    /// Its text.
    pub text: TextId,
    /// The item.
    pub item: u32,
}

/// Known positives by group. They are never used as negatives of a pair of the same group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct KnownPositives {
    items: BTreeMap<u64, Vec<u32>>,
}

impl KnownPositives {
    /// All items of all pairs, by group.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = &'a ContrastivePair>) -> Self {
        let mut known = Self::default();
        for p in pairs {
            known.add(p.group, p.item);
        }
        known
    }

    /// Adds one positive.
    pub fn add(&mut self, group: u64, item: u32) {
        let items = self.items.entry(group).or_default();
        if let Err(at) = items.binary_search(&item) {
            items.insert(at, item);
        }
    }

    /// Whether the item is a known positive of the group.
    #[must_use]
    pub fn contains(&self, group: u64, item: u32) -> bool {
        self.items.get(&group).is_some_and(|items| items.binary_search(&item).is_ok())
    }
}
