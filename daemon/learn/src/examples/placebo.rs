//! Placebo pairs: they show whether training learned an association or only the frequencies.

use crate::contrastive_pairs::ContrastivePair;
use crate::sampler::permutation;

/// The placebo of METRICS.md section 7 (P1): the same pairs with their positives permuted at random. Anchors, items with their hard
/// negatives, item frequencies and training work stay the same; only the association is lost. Call it per window.
#[must_use]
pub fn permute_positives(pairs: &[ContrastivePair], seed: u64) -> Vec<ContrastivePair> {
    let order = permutation(pairs.len(), seed, "placebo");
    pairs
        .iter()
        .zip(order)
        .map(|(p, from)| {
            let other = &pairs[from as usize];
            ContrastivePair {
                positive: other.positive,
                item: other.item,
                hard_negative: other.hard_negative,
                ..p.clone()
            }
        })
        .collect()
}
