//! Loss of each user under an encoder as it is: what a membership test reads. It trains nothing.

use candle_core::Device;
use rustc_hash::FxHashMap;

use super::set::PrivateSet;
use crate::contrastive_pairs::ContrastivePair;
use crate::error::{LearnError, Result};
use crate::graph::{BaseEncoder, TunableEncoder};
use crate::run::Hooks;
use crate::sampler::permutation;
use crate::texts::TextId;

/// How losses are computed; equal settings make the losses of two encoders comparable.
#[derive(Debug, Clone, PartialEq)]
pub struct UserLossOptions {
    /// Latest pairs of a user that count, at least 1.
    pub pairs_per_user: usize,
    /// Negatives, the same for all users.
    pub negatives: usize,
    /// Divisor of the cosines.
    pub temperature: f64,
    /// Decides which items are negatives.
    pub seed: u64,
}

impl Default for UserLossOptions {
    fn default() -> Self {
        Self { pairs_per_user: 8, negatives: 256, temperature: 0.05, seed: 0 }
    }
}

/// Mean softmax loss in nats of each user's pairs against negatives of the catalogue, in the order of `set.users`. `None` if the caller
/// stopped it.
///
/// # Errors
/// [`LearnError::Option`] and [`LearnError::Text`] for a set that does not fit, also for a user without pairs.
pub fn user_losses(
    base: BaseEncoder<'_>,
    set: PrivateSet<'_>,
    options: &UserLossOptions,
    device: &Device,
    hooks: &mut dyn Hooks,
) -> Result<Option<Vec<f64>>> {
    set.check(base.config)?;
    if set.users.iter().any(Vec::is_empty) || set.catalogue.is_empty() {
        let why = "a user has no pairs, or the catalogue is empty".to_owned();
        return Err(LearnError::Option { name: "users", why });
    }
    let order = permutation(set.catalogue.len(), options.seed, "membership negatives");
    let negatives: Vec<_> = order.iter().take(options.negatives).map(|at| set.catalogue[*at as usize]).collect();
    let of_user = |own: &'_ Vec<ContrastivePair>| own.len().saturating_sub(options.pairs_per_user);
    let counted: Vec<&[ContrastivePair]> = set.users.iter().map(|own| &own[of_user(own)..]).collect();
    let mut ids: Vec<TextId> = counted.iter().flat_map(|own| own.iter().flat_map(ContrastivePair::texts)).collect();
    ids.extend(negatives.iter().map(|one| one.text));
    ids.sort_unstable();
    ids.dedup();
    let encoder = TunableEncoder::frozen(base, 0, device)?;
    let mut vectors: FxHashMap<TextId, Vec<f32>> = FxHashMap::default();
    for ids in ids.chunks(32) {
        if hooks.should_stop() {
            return Ok(None);
        }
        let rows = encoder.embed(set.texts, ids)?.to_vec2::<f32>()?;
        vectors.extend(ids.iter().copied().zip(rows));
        hooks.yield_now();
    }
    let losses = counted.iter().zip(set.users).map(|(counted, own)| {
        let free: Vec<&[f32]> = negatives
            .iter()
            .filter(|one| own.iter().all(|pair| pair.item != one.item && pair.positive != one.text))
            .map(|one| vectors[&one.text].as_slice())
            .collect();
        let sum: f64 = counted.iter().map(|pair| pair_loss(pair, &vectors, &free, options.temperature)).sum();
        sum / counted.len() as f64
    });
    Ok(Some(losses.collect()))
}

/// `ln sum_j e^(s_j / t) - s_positive / t` over the positive and the negatives.
fn pair_loss(
    pair: &ContrastivePair,
    vectors: &FxHashMap<TextId, Vec<f32>>,
    negatives: &[&[f32]],
    temperature: f64,
) -> f64 {
    let texts = pair.anchor.texts();
    let mut anchor = vec![0f64; vectors[&pair.positive].len()];
    for id in texts {
        anchor.iter_mut().zip(&vectors[id]).for_each(|(sum, v)| *sum += f64::from(*v));
    }
    let length = anchor.iter().map(|v| v * v).sum::<f64>().sqrt().max(1e-12);
    let score = |v: &[f32]| anchor.iter().zip(v).map(|(a, b)| a * f64::from(*b)).sum::<f64>() / length / temperature;
    let positive = score(&vectors[&pair.positive]);
    let scores: Vec<f64> = negatives.iter().map(|v| score(v)).collect();
    let most = scores.iter().copied().fold(positive, f64::max);
    let total: f64 = scores.iter().map(|s| (s - most).exp()).sum::<f64>() + (positive - most).exp();
    most + total.ln() - positive
}
