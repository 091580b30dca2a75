//! How much attention a rank gets: the exposure models of METRICS.md section 4.

use serde::{Deserialize, Serialize};

use crate::value::Undefined;

/// v(rank): the attention that a position of a list gets.
pub trait ExposureModel {
    /// Attention of a position counted from 0. Never negative, and never larger than at the position before.
    fn at(&self, position: usize) -> f64;
}

/// The exposure models that need no measurement. Every finding is checked under a second one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "model")]
pub enum Attention {
    /// 1 / log2(1 + rank).
    #[default]
    Logarithmic,
    /// Rank-biased precision: p^(rank−1) (Moffat and Zobel 2008), p = 0.85 by default.
    Rbp {
        /// Probability to look at the next rank.
        persistence: f64,
    },
    /// Every rank counts 1.
    Uniform,
}

/// Persistence of the second exposure model that every finding is checked under.
pub const PERSISTENCE: f64 = 0.85;

impl Attention {
    /// Attention of a position counted from 0.
    #[must_use]
    pub fn at(self, position: usize) -> f64 {
        match self {
            Self::Logarithmic => crate::accuracy::discount(position),
            Self::Rbp { persistence } => persistence.powi(i32::try_from(position).unwrap_or(i32::MAX)),
            Self::Uniform => 1.0,
        }
    }
}

impl ExposureModel for Attention {
    fn at(&self, position: usize) -> f64 {
        Self::at(*self, position)
    }
}

/// Attention by position as it was measured (see [`crate::position_bias`]), as a share of the first position's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasuredAttention {
    shares: Vec<f64>,
}

impl MeasuredAttention {
    /// Takes the examination of each position and makes it a falling share of the first: a later position that measured higher than
    /// an earlier one is averaged with it (isotonic regression), because that is noise.
    ///
    /// # Errors
    /// [`Undefined::NoObservations`] for no position, [`Undefined::BadParameter`] for a negative or infinite value,
    /// [`Undefined::ZeroDenominator`] when the first position gets no attention.
    pub fn new(examination: &[f64]) -> Result<Self, Undefined> {
        if examination.is_empty() {
            return Err(Undefined::NoObservations);
        }
        if examination.iter().any(|value| !value.is_finite() || *value < 0.0) {
            return Err(Undefined::BadParameter);
        }
        let falling = pool_adjacent(examination);
        if falling[0] == 0.0 {
            return Err(Undefined::ZeroDenominator);
        }
        Ok(Self { shares: falling.iter().map(|value| value / falling[0]).collect() })
    }

    /// The shares by position.
    #[must_use]
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }
}

impl ExposureModel for MeasuredAttention {
    /// Below the last measured position the last share holds: nothing is known of it but that it is no larger.
    fn at(&self, position: usize) -> f64 {
        self.shares[position.min(self.shares.len() - 1)]
    }
}

/// The nearest sequence that never rises (pool adjacent violators, equal weights).
fn pool_adjacent(values: &[f64]) -> Vec<f64> {
    // Blocks of (mean, length) from left to right.
    let mut blocks: Vec<(f64, usize)> = Vec::with_capacity(values.len());
    for &value in values {
        let (mut mean, mut length) = (value, 1_usize);
        while let Some(&(before, count)) = blocks.last() {
            if before >= mean {
                break;
            }
            mean = (before * count as f64 + mean * length as f64) / (count + length) as f64;
            length += count;
            blocks.pop();
        }
        blocks.push((mean, length));
    }
    blocks.into_iter().flat_map(|(mean, length)| std::iter::repeat_n(mean, length)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_attention_falls_and_starts_at_one() {
        let measured = MeasuredAttention::new(&[0.4, 0.2, 0.3, 0.05]).unwrap();
        assert_eq!(measured.shares(), [1.0, 0.625, 0.625, 0.125]);
        assert_eq!(measured.at(9), 0.125);
        assert_eq!(MeasuredAttention::new(&[0.0, 0.0]), Err(Undefined::ZeroDenominator));
        assert_eq!(MeasuredAttention::new(&[0.4, f64::NAN]), Err(Undefined::BadParameter));
        assert_eq!(MeasuredAttention::new(&[]), Err(Undefined::NoObservations));
    }
}
