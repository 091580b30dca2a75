//! Negative sampling for the softmax over a large catalogue.
//!
//! Items that the batch touches (targets, repeat candidates, context) enter the sum exactly. Others are drawn with replacement with
//! probability `q` and corrected by `-ln(draws q / times drawn)`, which makes the sum an unbiased estimate of the full one. Drawing by
//! frequency keeps its variance low.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::loss::{Candidates, log_q};

/// Draws items by the three-quarter power of how often they were taken (Mikolov et al., 2013), at least once.
#[derive(Debug)]
pub(crate) struct NegativeSampler {
    items: Vec<u32>,
    /// Running sum of the probabilities.
    cumulative: Vec<f64>,
}

impl NegativeSampler {
    /// Over `items`; `counts` says by item number how often each was taken.
    pub(crate) fn new(items: Vec<u32>, counts: &[u32]) -> Self {
        let (mut cumulative, mut total) = (Vec::with_capacity(items.len()), 0.0);
        for item in &items {
            total += f64::from(counts[*item as usize].max(1)).powf(0.75);
            cumulative.push(total);
        }
        cumulative.iter_mut().for_each(|u| *u /= total);
        Self { items, cumulative }
    }

    /// Probability of the item at this place.
    fn probability(&self, at: usize) -> f64 {
        self.cumulative[at] - at.checked_sub(1).map_or(0.0, |b| self.cumulative[b])
    }

    /// `touched` (ascending, distinct) exactly and `draws` draws from the rest. `since` is by item.
    pub(crate) fn candidates(&self, touched: &[u32], draws: usize, key: u64, since: &[i64]) -> Candidates {
        let mut rng = ChaCha8Rng::seed_from_u64(key);
        let mut drawn: Vec<usize> = (0..draws)
            .map(|_| {
                let u: f64 = rng.random();
                self.cumulative.partition_point(|x| *x <= u).min(self.items.len().saturating_sub(1))
            })
            .filter(|at| self.items.get(*at).is_some_and(|i| touched.binary_search(i).is_err()))
            .collect();
        drawn.sort_unstable();
        let corrected = drawn.chunk_by(|a, b| a == b).map(|same| {
            let at = same[0];
            let share = self.probability(at) * draws as f64 / same.len() as f64;
            // Draws that hit a touched item count among the draws, which keeps the estimate unbiased.
            (self.items[at], log_q(0.0, share) as f32)
        });
        let mut all: Vec<(u32, f32)> = touched.iter().map(|i| (*i, 0.0)).chain(corrected).collect();
        all.sort_unstable_by_key(|(item, _)| *item);
        Candidates {
            since: all.iter().map(|(i, _)| since[*i as usize]).collect(),
            correction: all.iter().map(|(_, c)| *c).collect(),
            items: all.into_iter().map(|(i, _)| i).collect(),
        }
    }
}
