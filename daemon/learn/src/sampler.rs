//! Batch order as a pure function of seed and step, so that the position in the data needs no stored state.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Splits pairs into batches in a new seeded order each epoch. Pairs that do not fill the last batch are left out in that epoch.
#[derive(Debug)]
pub struct Sampler {
    seed: u64,
    pairs: usize,
    batch: usize,
    epoch: usize,
    order: Vec<u32>,
}

/// Numbers `0..n` in a seeded random order (Fisher and Yates).
pub(crate) fn permutation(n: usize, seed: u64, stream: &str) -> Vec<u32> {
    let key = blake3::hash(format!("{stream} {seed}").as_bytes());
    let mut rng = ChaCha8Rng::from_seed(*key.as_bytes());
    let mut order: Vec<u32> = (0..n as u32).collect();
    for i in (1..n).rev() {
        order.swap(i, rng.random_range(0..=i as u64) as usize);
    }
    order
}

impl Sampler {
    /// For `pairs` pairs in batches of `batch`; fewer pairs make one smaller batch per epoch.
    #[must_use]
    pub fn new(pairs: usize, batch: usize, seed: u64) -> Self {
        let order = permutation(pairs, seed, "epoch 0");
        Self { seed, pairs, batch: batch.clamp(1, pairs.max(1)), epoch: 0, order }
    }

    /// Batches per epoch.
    #[must_use]
    pub fn batches_per_epoch(&self) -> usize {
        (self.pairs / self.batch).max(1)
    }

    /// Numbers of the pairs of a step; steps count from 0.
    pub fn batch(&mut self, step: usize) -> &[u32] {
        let (epoch, at) = (step / self.batches_per_epoch(), step % self.batches_per_epoch());
        if epoch != self.epoch {
            self.order = permutation(self.pairs, self.seed, &format!("epoch {epoch}"));
            self.epoch = epoch;
        }
        let from = (at * self.batch).min(self.pairs);
        &self.order[from..(from + self.batch).min(self.pairs)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_deals_each_pair_at_most_once_and_depends_on_the_step_alone() {
        let mut s = Sampler::new(10, 3, 7);
        assert_eq!(s.batches_per_epoch(), 3);
        let all: Vec<Vec<u32>> = (0..6).map(|i| s.batch(i).to_vec()).collect();
        for epoch in all.chunks(3) {
            let mut seen = epoch.concat();
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), 9);
        }
        assert_ne!(all[..3], all[3..]);
        let mut late = Sampler::new(10, 3, 7);
        assert_eq!(late.batch(4), all[4]);
        assert_eq!(late.batch(1), all[1]);
        assert_ne!(Sampler::new(10, 3, 8).batch(0), all[0]);
    }

    #[test]
    fn small_and_empty_sets_end_well() {
        assert_eq!(Sampler::new(2, 32, 1).batch(5).len(), 2);
        assert_eq!(Sampler::new(0, 32, 1).batch(0).len(), 0);
    }
}
