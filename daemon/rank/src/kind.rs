//! What a shopper did: the kinds of interaction and how much each counts as a sign of interest.
use serde::{Deserialize, Serialize};

/// Kind of an interaction, as on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Kind {
    /// A query was sent; has no item.
    Search,
    /// An item was shown in a list.
    Impression,
    /// An item's page was seen.
    View,
    /// An item in a list was clicked.
    Click,
    /// Put into the cart.
    Cart,
    /// Put on a wish list.
    Favourite,
    /// Bought; `value` is the quantity.
    Purchase,
    /// Sent back; `value` is the quantity.
    Return,
    /// Rated; `value` is the number of stars.
    Rating,
    /// Reviewed in words.
    Review,
    /// "Not interested".
    Dismiss,
}

impl Kind {
    /// The value of an event: what was given, else one piece, and for a rating or a review without stars the three that say neither good
    /// nor bad.
    pub fn value(self, given: Option<f64>) -> f32 {
        let unsaid = if matches!(self, Self::Rating | Self::Review) { 3.0 } else { 1.0 };
        given.map_or(unsaid, |value| value as f32)
    }
}

/// Number of kinds.
pub const KINDS: usize = 11;

/// Interest per event of each kind, in units of one event of the target kind. Weights between kinds cannot be learned from
/// a log that has only one of them, so these are plain priors: nearer to buying counts more, being shown counts nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct KindWeights(pub [f32; KINDS]);

impl Default for KindWeights {
    fn default() -> Self {
        let mut w = [0.0; KINDS];
        w[Kind::View as usize] = 0.1;
        w[Kind::Click as usize] = 0.15;
        w[Kind::Cart as usize] = 0.4;
        w[Kind::Favourite as usize] = 0.4;
        w[Kind::Review as usize] = 0.3;
        w[Kind::Rating as usize] = 0.5;
        w[Kind::Purchase as usize] = 1.0;
        Self(w)
    }
}

impl KindWeights {
    /// The weights scaled so that the target kind weighs 1; a target of weight 0 is set to 1 and the rest kept.
    pub fn for_target(mut self, target: Kind) -> Self {
        let t = self.0[target as usize];
        if t > 0.0 {
            for w in &mut self.0 {
                *w = (*w / t).min(1.0);
            }
        }
        self.0[target as usize] = 1.0;
        self
    }

    /// Interest in the item that one event shows. Ratings below 3 stars show none (METRICS.md section 0: gain max(0, r - 2)).
    pub fn of(&self, kind: Kind, value: f32) -> f32 {
        if kind == Kind::Rating && value < 3.0 { 0.0 } else { self.0[kind as usize] }
    }
}

/// Kinds that can be what a shop wants to predict, strongest first.
pub const TARGETS: [Kind; 7] =
    [Kind::Purchase, Kind::Rating, Kind::Review, Kind::Cart, Kind::Favourite, Kind::Click, Kind::View];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_that_were_not_given_are_neither_good_nor_bad() {
        let weights = KindWeights::default();
        assert_eq!(weights.of(Kind::Rating, Kind::Rating.value(Some(1.0))), 0.0);
        assert!(weights.of(Kind::Rating, Kind::Rating.value(None)) > 0.0);
        assert_eq!(
            [Kind::Purchase.value(None), Kind::Purchase.value(Some(4.0)), Kind::Review.value(None)],
            [1.0, 4.0, 3.0]
        );
    }
}
