//! Training pairs out of plain interactions: pure functions over slices, no store and no clock.
//!
//! Pairs follow time: a query leads to what was engaged after it, a history leads to what comes next. Items of one moment (one basket, one
//! day where the log has days) are a set: none of them is another's past, whatever order the log writes them in.

mod next;
mod passed;
mod query;
mod replay;

use serde::{Deserialize, Serialize};

pub use next::{History, NextOptions, next_pairs};
pub use query::{QueryOptions, query_pairs, view_pairs};
pub use replay::{Reservoir, mix, permute_positives};

use crate::texts::TextId;

/// What a shopper did, as far as training cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Typed a query.
    Search,
    /// Was shown an item: no evidence of interest.
    Impression,
    /// Opened an item's page.
    View,
    /// Clicked an item in a list.
    Click,
    /// Put an item into the cart.
    Cart,
    /// Marked an item.
    Favourite,
    /// Bought an item.
    Purchase,
    /// Rated an item well.
    Liked,
    /// Returned, dismissed or rated an item badly: never a positive.
    Disliked,
}

impl Kind {
    /// Weight of a pair whose positive this is; `None` for what is no engagement. The gains that METRICS.md section 0 suggests, a favourite
    /// counted like a cart.
    #[must_use]
    pub fn weight(self) -> Option<f32> {
        match self {
            Self::Search | Self::Impression | Self::Disliked => None,
            Self::View => Some(0.5),
            Self::Click => Some(1.0),
            Self::Cart | Self::Favourite | Self::Liked => Some(2.0),
            Self::Purchase => Some(3.0),
        }
    }
}

/// One interaction. Users and items are numbers of the caller's choice; only equality matters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interaction {
    /// Shopper or session.
    pub user: u32,
    /// Item acted on.
    pub item: Option<u32>,
    /// What was done.
    pub kind: Kind,
    /// Text of the query: typed (with [`Kind::Search`]) or the one whose result list was acted on.
    pub query: Option<TextId>,
    /// UTC milliseconds.
    pub at_ms: i64,
}

/// Interactions of each user in time order, users in the order of their numbers; ties keep the order given.
pub(crate) fn by_user(log: &[Interaction]) -> Vec<Vec<Interaction>> {
    let mut sorted: Vec<Interaction> = log.to_vec();
    sorted.sort_by_key(|i| (i.user, i.at_ms));
    sorted.chunk_by(|a, b| a.user == b.user).map(<[_]>::to_vec).collect()
}

#[cfg(test)]
mod tests;
