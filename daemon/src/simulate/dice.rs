//! Random draws that give the same bytes on every platform and with every version of the libraries.
//!
//! Only ChaCha8 words, integer arithmetic, and `+ − × ÷` on floats are used. Logarithms and powers are not exact everywhere, and
//! distributions of a library may draw differently in its next version.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// A seeded source of draws.
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// Independent draws for each `stream` of a seed.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// Uniform in [0, 1) with 53 bits.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform below `bound`; 0 when the bound is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.0.next_u64()) * bound as u128) >> 64) as usize
    }

    /// Uniform in [low, high], both included.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1).max(1) as usize) as i64
    }

    /// True with probability `p`.
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// One of a list that is not empty.
    pub(crate) fn pick<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }

    /// Roughly normal with mean 0 and deviation 1: twelve uniforms minus six (Irwin–Hall).
    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// An index with probability proportional to its weight; `cumulative` holds running sums.
    pub(crate) fn weighted<T: Copy + Into<f64>>(&mut self, cumulative: &[T]) -> usize {
        let total: f64 = cumulative.last().map_or(0.0, |&last| last.into());
        let target = self.unit() * total;
        cumulative.partition_point(|&sum| sum.into() <= target).min(cumulative.len().saturating_sub(1))
    }
}

/// Running sums of weights.
pub(crate) fn running<T: Copy + std::ops::Add<Output = T> + Default>(weights: impl IntoIterator<Item = T>) -> Vec<T> {
    weights
        .into_iter()
        .scan(T::default(), |sum, weight| {
            *sum = *sum + weight;
            Some(*sum)
        })
        .collect()
}
