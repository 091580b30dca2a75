//! Replay of old pairs against forgetting, and the placebo that shows whether learning learned anything.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::{LearnError, Result};
use crate::pairs::Pair;
use crate::sampler::permutation;

/// A uniform sample of everything that went by (Vitter, 1985, algorithm R), of fixed size. The draws are functions of seed and count, so the
/// value can be stored and go on where it was. Erasing takes entries out at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reservoir<T> {
    capacity: usize,
    seed: u64,
    seen: u64,
    kept: Vec<T>,
}

impl<T> Reservoir<T> {
    /// An empty sample.
    #[must_use]
    pub fn new(capacity: usize, seed: u64) -> Self {
        Self { capacity, seed, seen: 0, kept: Vec::new() }
    }

    /// Offers one value.
    pub fn push(&mut self, value: T) {
        let draw = {
            let key = blake3::hash(format!("reservoir {} {}", self.seed, self.seen).as_bytes());
            ChaCha8Rng::from_seed(*key.as_bytes()).random_range(0..=self.seen)
        };
        self.seen += 1;
        if self.kept.len() < self.capacity {
            self.kept.push(value);
        } else if let Ok(at) = usize::try_from(draw)
            && let Some(slot) = self.kept.get_mut(at)
        {
            *slot = value;
        }
    }

    /// Takes out what an erased shopper left: everything that `keep` rejects.
    pub fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        self.kept.retain(keep);
    }

    /// The sample.
    #[must_use]
    pub fn kept(&self) -> &[T] {
        &self.kept
    }
}

/// New pairs followed by a seeded sample of old ones, so that the old make up `share` of the result (0 to 0.9; METRICS.md section 7 recommends
/// 0.2 to 0.5), or as many as there are.
///
/// # Errors
/// [`LearnError::Option`] when the share is out of range.
pub fn mix(new: &[Pair], old: &[Pair], share: f64, seed: u64) -> Result<Vec<Pair>> {
    if !(0.0..=0.9).contains(&share) {
        return Err(LearnError::Option { name: "replay", why: format!("{share} is not between 0 and 0.9") });
    }
    let wanted = (new.len() as f64 * share / (1.0 - share)).round() as usize;
    let mut all = new.to_vec();
    let order = permutation(old.len(), seed, "replay");
    all.extend(order.into_iter().take(wanted).filter_map(|i| old.get(i as usize)).cloned());
    Ok(all)
}

/// The placebo of METRICS.md section 7 (P1): the same pairs with positives dealt out anew at random. Anchors, items with what was
/// left for them, their frequencies and the work of a run are the same; only what belongs together is lost. Call it per window.
#[must_use]
pub fn permute_positives(pairs: &[Pair], seed: u64) -> Vec<Pair> {
    let order = permutation(pairs.len(), seed, "placebo");
    pairs
        .iter()
        .zip(order)
        .map(|(p, from)| {
            let other = &pairs[from as usize];
            Pair { positive: other.positive, item: other.item, left: other.left, ..p.clone() }
        })
        .collect()
}
