//! What shoppers did.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{InteractionId, ItemId, SessionId, UserId};
use crate::time::Timestamp;

/// The kinds of interaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InteractionType {
    /// Asked the shop for something; carries `query`.
    Search,
    /// Was shown an item.
    Impression,
    /// Looked at an item's page.
    View,
    /// Clicked an item in a list.
    Click,
    /// Put an item into the cart.
    Cart,
    /// Marked an item as favourite.
    Favourite,
    /// Bought an item; `value` is the quantity.
    Purchase,
    /// Returned or cancelled; `value` is the quantity.
    Return,
    /// Rated an item; `value` is the rating.
    Rating,
    /// Wrote a review; `text` holds it, `value` the rating if there is one.
    Review,
    /// Asked not to see an item.
    Dismiss,
}

impl InteractionType {
    /// All kinds, in the order of the wire.
    pub const ALL: [Self; 11] = [
        Self::Search,
        Self::Impression,
        Self::View,
        Self::Click,
        Self::Cart,
        Self::Favourite,
        Self::Purchase,
        Self::Return,
        Self::Rating,
        Self::Review,
        Self::Dismiss,
    ];

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Impression => "impression",
            Self::View => "view",
            Self::Click => "click",
            Self::Cart => "cart",
            Self::Favourite => "favourite",
            Self::Purchase => "purchase",
            Self::Return => "return",
            Self::Rating => "rating",
            Self::Review => "review",
            Self::Dismiss => "dismiss",
        }
    }
}

impl std::str::FromStr for InteractionType {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or_else(|| format!("`{word}` is no type of interaction"))
    }
}

/// One interaction (DESIGN.md section 3). Names a user or a session or both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Interaction {
    /// Makes a retry idempotent; without it the content is its own identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<InteractionId>,
    /// The shopper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// The visit, for shoppers who are not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: InteractionType,
    /// To which item; required for all but `search`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<ItemId>,
    /// What was searched for; required for `search`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The served list this belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_id: Option<String>,
    /// Quantity, rating or dwell time, finite and not negative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Text of a review.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Rank in the served list, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// When.
    pub at: Timestamp,
    /// Where it came from: a preset, `simulated`, a back end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        for kind in InteractionType::ALL {
            assert_eq!(kind.as_str().parse::<InteractionType>().unwrap(), kind);
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.as_str()));
        }
    }
}
