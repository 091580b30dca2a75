//! Experience replay: old pairs mixed into the new ones against forgetting.

use crate::contrastive_pairs::ContrastivePair;
use crate::error::{LearnError, Result};
use crate::sampler::permutation;

/// New pairs followed by a seeded sample of old ones. The old pairs make up `share` of the result (0 to 0.9; METRICS.md section 7 recommends
/// 0.2 to 0.5), or fewer if there are not enough.
///
/// # Errors
/// [`LearnError::Option`] when the share is out of range.
pub fn add_experience_replay(
    new: &[ContrastivePair],
    old: &[ContrastivePair],
    share: f64,
    seed: u64,
) -> Result<Vec<ContrastivePair>> {
    if !(0.0..=0.9).contains(&share) {
        return Err(LearnError::Option { name: "replay", why: format!("{share} is not between 0 and 0.9") });
    }
    let wanted = (new.len() as f64 * share / (1.0 - share)).round() as usize;
    let mut all = new.to_vec();
    let order = permutation(old.len(), seed, "replay");
    all.extend(order.into_iter().take(wanted).filter_map(|i| old.get(i as usize)).cloned());
    Ok(all)
}
