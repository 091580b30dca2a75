//! Secret randomness: which users a step draws, and the noise.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;

use crate::error::{LearnError, Result};

/// A ChaCha20 stream keyed by the operating system. The key is never stored and never shown, so neither sampling nor noise can be
/// recomputed, and a resumed run draws others.
pub struct PrivateRng(ChaCha20Rng);

impl std::fmt::Debug for PrivateRng {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PrivateRng(..)")
    }
}

impl PrivateRng {
    /// A stream with a fresh key.
    ///
    /// # Errors
    /// [`LearnError::Ledger`] when the system gives no randomness.
    pub fn from_os() -> Result<Self> {
        let mut key = [0u8; 32];
        getrandom::fill(&mut key).map_err(|e| LearnError::Ledger { why: format!("no randomness: {e}") })?;
        Ok(Self(ChaCha20Rng::from_seed(key)))
    }

    #[cfg(test)]
    pub(crate) fn from_seed(seed: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(seed))
    }

    /// Poisson sampling: each of `0..n` independently with probability `rate`; ascending.
    pub fn sample(&mut self, n: usize, rate: f64) -> Vec<usize> {
        (0..n).filter(|_| self.0.random::<f64>() < rate).collect()
    }

    /// `count` different numbers of `0..n` with equal probability, ascending; all of them if there are no more.
    pub fn choose(&mut self, n: usize, count: usize) -> Vec<usize> {
        if count >= n {
            return (0..n).collect();
        }
        // Floyd's algorithm: as many draws as numbers, whatever n is.
        let mut chosen = std::collections::BTreeSet::new();
        for last in n - count..n {
            let drawn = self.0.random_range(0..=last as u64) as usize;
            chosen.insert(if chosen.contains(&drawn) { last } else { drawn });
        }
        chosen.into_iter().collect()
    }

    fn normal(&mut self) -> f64 {
        // Box and Muller. 1 - u lies in (0, 1], so the logarithm is finite.
        let (u, v) = (1.0 - self.0.random::<f64>(), self.0.random::<f64>());
        (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    /// `n` normal numbers of mean 0 and this standard deviation. Each is made of four, so that the gaps between the floating-point values
    /// of one do not show.
    pub fn gaussian(&mut self, n: usize, deviation: f64) -> Vec<f32> {
        let one = |rng: &mut Self| 0.5 * (0..4).map(|_| rng.normal()).sum::<f64>() * deviation;
        (0..n).map(|_| one(self) as f32).collect()
    }
}
