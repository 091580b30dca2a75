//! Interactions as the pair builders read them.

use serde::{Deserialize, Serialize};

use crate::texts::TextId;

/// Kind of an interaction, as far as training needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Typed a query.
    Search,
    /// Was shown an item; no evidence of interest.
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
    /// Weight of a pair whose positive has this kind; `None` for kinds that are no engagement. The gains of METRICS.md section 0; a favourite
    /// counts like a cart.
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

/// One interaction. Users and items are numbers of the caller's choice; only their equality matters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interaction {
    /// User or session.
    pub user: u32,
    /// Item acted on.
    pub item: Option<u32>,
    /// Kind of the interaction.
    pub kind: Kind,
    /// Text of the query: the typed one (with [`Kind::Search`]) or the one whose results were acted on.
    pub query: Option<TextId>,
    /// UTC milliseconds.
    pub at_ms: i64,
}

/// Interactions of each user in time order, users in ascending order; interactions at equal times keep their order.
pub(crate) fn by_user(log: &[Interaction]) -> Vec<Vec<Interaction>> {
    let mut sorted: Vec<Interaction> = log.to_vec();
    sorted.sort_by_key(|i| (i.user, i.at_ms));
    sorted.chunk_by(|a, b| a.user == b.user).map(<[_]>::to_vec).collect()
}
