//! Popularity debiasing and weights of examples: logQ, PDA, inverse propensity (METRICS.md section 4, mitigation).

use serde::{Deserialize, Serialize};

use crate::value::{Measure, Undefined, finite};

/// Smallest sampling probability of logQ: below it the correction would be unbounded (TFRS clips there too).
pub const LOG_Q_FLOOR: f64 = 1e-6;

/// The largest weight of an example before weights are normalised.
pub const WEIGHT_CAP: f64 = 10.0;

/// logQ: the logit of a sampled negative or positive less the logarithm of its sampling probability. For training only.
///
/// # Errors
/// [`Undefined::BadParameter`] for a probability outside [0, 1], [`Undefined::NotFinite`].
pub fn log_q(logit: f64, sampling: f64) -> Measure {
    if !(0.0..=1.0).contains(&sampling) {
        return Err(Undefined::BadParameter);
    }
    finite(logit - sampling.max(LOG_Q_FLOOR).ln())
}

/// PDA (Zhang 2021): (ELU(score) + 1) × popularity^γ. γ = 0 leaves popularity out; training uses γ > 0 and serving may use less.
///
/// # Errors
/// [`Undefined::BadParameter`] for a negative popularity or γ, [`Undefined::NotFinite`].
pub fn pda(score: f64, popularity: f64, gamma: f64) -> Measure {
    if !(popularity >= 0.0 && gamma >= 0.0) {
        return Err(Undefined::BadParameter);
    }
    let positive = if score > 0.0 { score + 1.0 } else { score.exp() };
    finite(positive * popularity.powf(gamma))
}

/// Weights of examples with mean 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CappedWeights {
    /// One weight per example.
    pub weights: Vec<f64>,
    /// Effective sample size (Σw)² / Σw²: printed wherever the weights are used.
    pub effective: f64,
    /// Examples whose weight was cut to the cap.
    pub capped: usize,
}

/// Inverse propensity weights 1/max(p, p_min), cut at [`WEIGHT_CAP`], then self-normalised to mean 1.
///
/// # Errors
/// [`Undefined::NoObservations`] without examples, [`Undefined::BadParameter`] for a propensity outside [0, 1] or p_min outside (0, 1].
pub fn inverse_propensity_weights(propensities: &[f64], smallest: f64) -> Result<CappedWeights, Undefined> {
    if !(smallest > 0.0 && smallest <= 1.0) || propensities.iter().any(|p| !(0.0..=1.0).contains(p)) {
        return Err(Undefined::BadParameter);
    }
    normalise(propensities.iter().map(|p| 1.0 / p.max(smallest)))
}

/// Weights that give every group the same total, as far as the cap allows: inverse of the group's share times the number of groups, so
/// that an average group weighs 1 and no example weighs more than [`WEIGHT_CAP`] average ones.
///
/// # Errors
/// [`Undefined::NoObservations`] without examples.
pub fn group_weights(groups: &[usize]) -> Result<CappedWeights, Undefined> {
    let mut counts = vec![0_usize; groups.iter().max().map_or(0, |last| last + 1)];
    groups.iter().for_each(|group| counts[*group] += 1);
    let present = counts.iter().filter(|count| **count > 0).count() as f64;
    let n = groups.len() as f64;
    normalise(groups.iter().map(|group| n / (counts[*group] as f64 * present)))
}

fn normalise(raw: impl Iterator<Item = f64>) -> Result<CappedWeights, Undefined> {
    let raw: Vec<f64> = raw.collect();
    let capped = raw.iter().filter(|weight| **weight > WEIGHT_CAP).count();
    let cut: Vec<f64> = raw.iter().map(|weight| weight.min(WEIGHT_CAP)).collect();
    let centre = crate::value::mean(&cut)?;
    let squares: f64 = cut.iter().map(|weight| weight * weight).sum();
    let sum: f64 = cut.iter().sum();
    Ok(CappedWeights {
        weights: cut.iter().map(|weight| weight / centre).collect(),
        effective: sum * sum / squares,
        capped,
    })
}
