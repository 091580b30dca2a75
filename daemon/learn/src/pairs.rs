//! Training pairs: an anchor (what somebody looked for or had) and a positive (the item they then took).

use std::collections::BTreeMap;

use serde::Serialize;

use crate::texts::TextId;

/// The side that asks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Anchor {
    /// One text: a query, or recent items' texts concatenated ([`crate::texts::TextTable::concat`]).
    Text(TextId),
    /// The normalised mean of the vectors of several texts: recent items. Not empty.
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
pub struct Pair {
    /// What asks.
    pub anchor: Anchor,
    /// Text of the item that was taken.
    pub positive: TextId,
    /// The item: pairs with the same item are never each other's negatives.
    pub item: u32,
    /// Who or what asked, as a number that [`Known`] knows: the query's text, or the shopper (see `examples`).
    pub group: u64,
    /// Weight of the pair in the loss, positive.
    pub weight: f32,
    /// What was shown to whoever asked, and left: a negative of this pair alone, harder than those of other pairs.
    pub left: Option<Left>,
}

/// An item that was shown and led to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Left {
    /// Its text.
    pub text: TextId,
    /// The item.
    pub item: u32,
}

/// Items known to be positives of a group, beyond the pair at hand: they are never its negatives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Known {
    items: BTreeMap<u64, Vec<u32>>,
}

impl Known {
    /// All items of all pairs, by group.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = &'a Pair>) -> Self {
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
