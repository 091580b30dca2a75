//! Columns of the softmax: the whole catalogue, or what a batch touches and a draw from the rest.
//!
//! What the batch touches (items taken, had and looked back on) is in the sum exactly; of all others some are drawn with replacement by a share
//! `q` and corrected by `-ln(draws q / times drawn)`, which makes the sum an unbiased estimate of the full one. Drawing them by how
//! often they are taken keeps its variance low.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::loss::{Columns, log_q};

/// Draws items by the three-quarter power of how often they were taken (Mikolov et al., 2013), at least once.
#[derive(Debug)]
pub(crate) struct Negatives {
    items: Vec<u32>,
    /// Running sum of the shares.
    upto: Vec<f64>,
}

impl Negatives {
    /// From `(item, times taken)`.
    pub(crate) fn new(counts: impl Iterator<Item = (u32, u32)>) -> Self {
        let (mut items, mut upto, mut total) = (Vec::new(), Vec::new(), 0.0);
        for (item, n) in counts {
            total += f64::from(n.max(1)).powf(0.75);
            items.push(item);
            upto.push(total);
        }
        upto.iter_mut().for_each(|u| *u /= total);
        Self { items, upto }
    }

    fn share(&self, at: usize) -> f64 {
        self.upto[at] - at.checked_sub(1).map_or(0.0, |b| self.upto[b])
    }

    /// `touched` (ascending, distinct) exactly and `draws` draws from the rest. `since` by item.
    pub(crate) fn columns(&self, touched: &[u32], draws: usize, key: u64, since: &[i64]) -> Columns {
        let mut rng = ChaCha8Rng::seed_from_u64(key);
        let mut drawn: Vec<usize> = (0..draws)
            .map(|_| {
                let u: f64 = rng.random();
                self.upto.partition_point(|x| *x <= u).min(self.items.len().saturating_sub(1))
            })
            .filter(|at| self.items.get(*at).is_some_and(|i| touched.binary_search(i).is_err()))
            .collect();
        drawn.sort_unstable();
        let corrected = drawn.chunk_by(|a, b| a == b).map(|same| {
            let at = same[0];
            let share = self.share(at) * draws as f64 / same.len() as f64;
            // Shares are of all draws: draws that met a touched item count, which is what makes the rest unbiased.
            (self.items[at], log_q(0.0, share) as f32)
        });
        let mut all: Vec<(u32, f32)> = touched.iter().map(|i| (*i, 0.0)).chain(corrected).collect();
        all.sort_unstable_by_key(|(item, _)| *item);
        Columns {
            since: all.iter().map(|(i, _)| since[*i as usize]).collect(),
            correction: all.iter().map(|(_, c)| *c).collect(),
            items: all.into_iter().map(|(i, _)| i).collect(),
        }
    }
}
