//! Interests that a shopper had removed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::UserId;
use crate::time::Timestamp;

/// What an interest is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InterestKind {
    /// A category path, written with ` / ` between its levels; narrower ones count too.
    Category,
    /// A brand.
    Brand,
    /// A price band, as profiles name it.
    PriceBand,
    /// An item, by its id or title.
    Item,
}

impl InterestKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Category, Self::Brand, Self::PriceBand, Self::Item];

    /// The name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Category => "category",
            Self::Brand => "brand",
            Self::PriceBand => "price_band",
            Self::Item => "item",
        }
    }
}

impl std::str::FromStr for InterestKind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == word);
        found.ok_or_else(|| format!("`{word}` is none of {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// A removed interest: events up to its moment shape nothing any more, later ones do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForgottenInterest {
    /// What it is in.
    pub kind: InterestKind,
    /// The category, brand, price band or item.
    pub value: String,
    /// When it was removed.
    pub at: Timestamp,
}

/// The answer to the removal of an interest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForgetReport {
    /// The shopper.
    pub user: UserId,
    /// What was removed.
    pub forgotten: ForgottenInterest,
    /// Events that shape lists, interests and models no longer. They stay in the log and in the shopper's export.
    pub events: u64,
}
