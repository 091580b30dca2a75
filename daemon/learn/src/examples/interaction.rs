//! Interactions as the pair builders read them.

use mercer_shared::interaction::{InteractionType, InterestWeights};
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
    /// Kind of an interaction with its value, see [`InteractionType::value`].
    #[must_use]
    pub fn of(kind: InteractionType, value: f32) -> Self {
        match kind {
            _ if kind.is_negative(value) => Self::Disliked,
            InteractionType::Search => Self::Search,
            InteractionType::Impression => Self::Impression,
            InteractionType::View => Self::View,
            InteractionType::Click => Self::Click,
            InteractionType::Cart => Self::Cart,
            InteractionType::Favourite => Self::Favourite,
            InteractionType::Purchase => Self::Purchase,
            InteractionType::Rating | InteractionType::Review => Self::Liked,
            InteractionType::Return | InteractionType::Dismiss => Self::Disliked,
        }
    }

    /// Weight of a pair whose positive has this kind, from [`InterestWeights`]; `None` for kinds that are no engagement.
    #[must_use]
    pub fn weight(self) -> Option<f32> {
        let kind = match self {
            Self::Search | Self::Impression | Self::Disliked => return None,
            Self::View => InteractionType::View,
            Self::Click => InteractionType::Click,
            Self::Cart => InteractionType::Cart,
            Self::Favourite => InteractionType::Favourite,
            Self::Liked => InteractionType::Rating,
            Self::Purchase => InteractionType::Purchase,
        };
        Some(InterestWeights::default().0[usize::from(kind.number())])
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
