//! The vocabulary of interactions: their kinds, the weight of interest of each, and one rule for stars and returns. The
//! wire, imports, ranking and training all use it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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

    /// Number of kinds.
    pub const COUNT: usize = Self::ALL.len();

    /// Kinds that a shop may want to predict, strongest first.
    pub const TARGETS: [Self; 7] =
        [Self::Purchase, Self::Rating, Self::Review, Self::Cart, Self::Favourite, Self::Click, Self::View];

    /// Whether it counts as an outcome of a list: a click, a cart or a purchase.
    #[must_use]
    pub const fn is_taken(self) -> bool {
        matches!(self, Self::Click | Self::Cart | Self::Purchase)
    }

    /// Place in [`ALL`](Self::ALL): the number of the kind in stored records and in models.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Whether `value` is a number of stars.
    #[must_use]
    pub const fn has_stars(self) -> bool {
        matches!(self, Self::Rating | Self::Review)
    }

    /// The value of an interaction: the given one, else one piece, and [`NEUTRAL_STARS`] for a rating or review without stars.
    #[must_use]
    pub fn value(self, given: Option<f64>) -> f32 {
        let default = if self.has_stars() { NEUTRAL_STARS } else { 1.0 };
        given.map_or(default, |value| value as f32)
    }

    /// Whether an interaction with this value is a bad rating or review: fewer than [`NEUTRAL_STARS`] stars.
    #[must_use]
    pub fn is_bad(self, value: f32) -> bool {
        self.has_stars() && value < NEUTRAL_STARS
    }

    /// Whether it tells against the item: a return, a dismissal, a bad rating or review.
    #[must_use]
    pub fn is_negative(self, value: f32) -> bool {
        matches!(self, Self::Return | Self::Dismiss) || self.is_bad(value)
    }

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

/// Stars that are neither good nor bad (METRICS.md section 0: gain `max(0, stars - 2)`).
pub const NEUTRAL_STARS: f32 = 3.0;

/// Interest that one interaction of each kind shows, by [`InteractionType::number`]: the gains that METRICS.md section 0 suggests, where a
/// favourite, a rating and a review count like a cart. Weights between kinds cannot be learned
/// from a log that has only one of them, so these are priors.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct InterestWeights(pub [f32; InteractionType::COUNT]);

impl Default for InterestWeights {
    fn default() -> Self {
        Self(InteractionType::ALL.map(|kind| match kind {
            InteractionType::View => 0.5,
            InteractionType::Click => 1.0,
            InteractionType::Cart | InteractionType::Favourite | InteractionType::Rating | InteractionType::Review => {
                2.0
            }
            InteractionType::Purchase => 3.0,
            InteractionType::Search
            | InteractionType::Impression
            | InteractionType::Return
            | InteractionType::Dismiss => 0.0,
        }))
    }
}

impl InterestWeights {
    /// The weights scaled so that the target kind weighs 1, none above 1; a target of weight 0 is set to 1 and the rest kept.
    #[must_use]
    pub fn for_target(mut self, target: InteractionType) -> Self {
        let t = self.0[target as usize];
        if t > 0.0 {
            for w in &mut self.0 {
                *w = (*w / t).min(1.0);
            }
        }
        self.0[target as usize] = 1.0;
        self
    }

    /// Interest in the item that one interaction shows; 0 for bad ratings and reviews.
    #[must_use]
    pub fn of(&self, kind: InteractionType, value: f32) -> f32 {
        if kind.is_bad(value) { 0.0 } else { self.0[kind as usize] }
    }
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

    #[test]
    fn numbers_are_places() {
        for (place, kind) in InteractionType::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(kind.number()), place);
        }
    }

    #[test]
    fn fewer_than_three_stars_show_no_interest() {
        let weights = InterestWeights::default();
        for kind in [InteractionType::Rating, InteractionType::Review] {
            for stars in [0.0, 1.0, 2.0, 2.5] {
                assert_eq!(weights.of(kind, kind.value(Some(stars))), 0.0, "{kind:?} with {stars} stars");
                assert!(kind.is_negative(stars as f32));
            }
            for given in [None, Some(3.0), Some(5.0)] {
                assert!(weights.of(kind, kind.value(given)) > 0.0, "{kind:?} with {given:?} stars");
            }
        }
        let purchase = InteractionType::Purchase;
        assert_eq!([purchase.value(None), purchase.value(Some(4.0)), weights.of(purchase, 1.0)], [1.0, 4.0, 3.0]);
    }
}
