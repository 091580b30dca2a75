//! Placements, the named places where lists are shown, and the groups of items that their mitigations speak of.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest name of a placement in bytes.
pub const MAX_PLACEMENT_BYTES: usize = 64;

/// A named place where lists are shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, min_length = 1, max_length = 64, pattern = "^[a-z0-9][a-z0-9._-]*$")]
pub struct Placement(String);

/// Why a string is no name of a placement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no name of a placement: it has 1 to {MAX_PLACEMENT_BYTES} of a-z, 0-9, `.`, `_` and `-`, a letter or digit first"
)]
pub struct PlacementError(String);

impl Placement {
    /// Where recommendations are shown if a request names no placement.
    pub const DEFAULT: &'static str = "default";
    /// Where hits of a search are shown if a request names no placement. Mitigations of [`DEFAULT`](Self::DEFAULT) leave searches alone.
    pub const SEARCH: &'static str = "search";

    /// Takes a name that obeys the rules.
    ///
    /// # Errors
    /// The rules, if they are broken.
    pub fn new(name: impl Into<String>) -> Result<Self, PlacementError> {
        let name = name.into();
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let first = name.bytes().next().is_some_and(plain);
        let rest = name.bytes().all(|byte| plain(byte) || matches!(byte, b'.' | b'_' | b'-'));
        if first && rest && name.len() <= MAX_PLACEMENT_BYTES { Ok(Self(name)) } else { Err(PlacementError(name)) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Placement {
    type Error = PlacementError;
    fn try_from(name: String) -> Result<Self, PlacementError> {
        Self::new(name)
    }
}

impl FromStr for Placement {
    type Err = PlacementError;
    fn from_str(name: &str) -> Result<Self, PlacementError> {
        Self::new(name)
    }
}

impl From<Placement> for String {
    fn from(placement: Placement) -> Self {
        placement.0
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What items are grouped by: facts of the item, never of the shopper. On the wire `category`, `brand`, `seller` or `attribute:NAME`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ItemGrouping {
    /// The widest category of the item's path.
    #[default]
    Category,
    /// The brand.
    Brand,
    /// Who sells it.
    Seller,
    /// An attribute of the item, written `attribute:NAME`.
    Attribute(String),
}

impl FromStr for ItemGrouping {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "category" => Ok(Self::Category),
            "brand" => Ok(Self::Brand),
            "seller" => Ok(Self::Seller),
            _ => match word.strip_prefix("attribute:") {
                Some(name) if !name.is_empty() => Ok(Self::Attribute(name.to_owned())),
                _ => Err(format!("`{word}` is none of category, brand, seller, attribute:NAME")),
            },
        }
    }
}

impl TryFrom<String> for ItemGrouping {
    type Error = String;
    fn try_from(word: String) -> Result<Self, String> {
        word.parse()
    }
}

impl From<ItemGrouping> for String {
    fn from(grouping: ItemGrouping) -> Self {
        grouping.to_string()
    }
}

impl fmt::Display for ItemGrouping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Category => f.write_str("category"),
            Self::Brand => f.write_str("brand"),
            Self::Seller => f.write_str("seller"),
            Self::Attribute(name) => write!(f, "attribute:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placements_have_plain_names() {
        for good in ["home", "basket", "mail-2", "a.b_c", "0", Placement::DEFAULT, Placement::SEARCH] {
            assert_eq!(Placement::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "Home", "-home", ".x", "ho me", "größe", "a/b", &"x".repeat(65)] {
            assert!(Placement::new(bad).is_err(), "{bad}");
        }
    }
}
