//! Estimates the reward of another policy from logged propensities (METRICS.md section 2): IPS, SNIPS, direct, doubly robust.
//!
//! A deterministic logging policy has no support; [`estimate`] returns an error then.

use crate::value::{Undefined, finite, mean};

/// One logged decision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Logged {
    /// The reward.
    pub reward: f64,
    /// Probability of the action under the logging policy.
    pub logging: f64,
    /// Probability of the action under the other policy.
    pub target: f64,
    /// Predicted reward of the action.
    pub predicted: f64,
    /// Predicted reward of the other policy in this situation.
    pub value: f64,
}

/// The estimates and their diagnostics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// mean(w r).
    pub ips: f64,
    /// Σ w r / Σ w.
    pub snips: f64,
    /// Mean predicted value of the other policy.
    pub direct: f64,
    /// mean(value + w (r − predicted)).
    pub doubly_robust: f64,
    /// mean(min(w, clip) r).
    pub clipped: f64,
    /// (Σw)² / Σw².
    pub effective: f64,
    /// Mean weight; 1 when the propensities are right.
    pub mean_weight: f64,
}

/// Smallest effective sample on which an estimate may be shown.
pub const MIN_EFFECTIVE: f64 = 100.0;
/// Largest distance of the mean weight from 1.
pub const WEIGHT_TOLERANCE: f64 = 0.1;

impl Estimate {
    /// Passes an estimate on that may be shown.
    ///
    /// # Errors
    /// [`Undefined::TooFew`] below 100 effective decisions, [`Undefined::NoSupport`] when the mean weight is off by more than 0.1.
    pub fn trusted(self) -> Result<Self, Undefined> {
        if self.effective < MIN_EFFECTIVE {
            Err(Undefined::TooFew)
        } else if (self.mean_weight - 1.0).abs() > WEIGHT_TOLERANCE {
            Err(Undefined::NoSupport)
        } else {
            Ok(self)
        }
    }
}

/// Computes all estimates; whether they may be shown is decided by [`Estimate::trusted`].
///
/// # Errors
/// [`Undefined::NoObservations`], [`Undefined::NoSupport`] for a propensity that is absent or 0, [`Undefined::ZeroDenominator`]
/// when the other policy never does what was logged, [`Undefined::NotFinite`].
pub fn estimate(log: &[Logged], clip: f64) -> Result<Estimate, Undefined> {
    if log.iter().any(|one| one.logging.is_nan() || one.logging <= 0.0 || one.logging > 1.0) {
        return Err(Undefined::NoSupport);
    }
    let weights: Vec<f64> = log.iter().map(|one| one.target / one.logging).collect();
    let over = |f: &dyn Fn(&Logged, f64) -> f64| {
        mean(&log.iter().zip(&weights).map(|(one, weight)| f(one, *weight)).collect::<Vec<_>>())
    };
    let (ips, mean_weight) = (over(&|one, w| w * one.reward)?, over(&|_, w| w)?);
    if mean_weight == 0.0 {
        return Err(Undefined::ZeroDenominator);
    }
    let squares = over(&|_, w| w * w)?;
    Ok(Estimate {
        ips,
        snips: ips / mean_weight,
        direct: over(&|one, _| one.value)?,
        doubly_robust: over(&|one, w| one.value + w * (one.reward - one.predicted))?,
        clipped: over(&|one, w| w.min(clip) * one.reward)?,
        effective: finite(mean_weight * mean_weight / squares * log.len() as f64)?,
        mean_weight,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tv_s4_counterfactual() {
        let columns = [
            [1.0, 0.0, 1.0, 0.0, 1.0, 0.0],
            [0.5, 0.25, 0.25, 0.5, 0.1, 0.5],
            [0.8, 0.1, 0.1, 0.8, 0.4, 0.2],
            [0.6, 0.2, 0.5, 0.3, 0.7, 0.2],
            [0.55, 0.4, 0.45, 0.5, 0.6, 0.3],
        ];
        let row = |i: usize| Logged {
            reward: columns[0][i],
            logging: columns[1][i],
            target: columns[2][i],
            predicted: columns[3][i],
            value: columns[4][i],
        };
        let log: Vec<Logged> = (0..6).map(row).collect();
        let found = estimate(&log, 2.0).unwrap();
        let pairs = [
            (found.ips, 1.0),
            (found.snips, 0.714_286),
            (found.direct, 0.466_667),
            (found.doubly_robust, 0.70),
            (found.clipped, 0.666_667),
            (found.effective, 3.266_667),
            (found.mean_weight, 1.4),
        ];
        for (value, wanted) in pairs {
            assert!((value - wanted).abs() < 1e-6, "{value} is not {wanted}");
        }
        assert_eq!(found.trusted(), Err(Undefined::TooFew));
        let many: Vec<Logged> = log.iter().cycle().take(600).copied().collect();
        assert_eq!(estimate(&many, 2.0).unwrap().trusted(), Err(Undefined::NoSupport));
        assert_eq!(estimate(&[Logged { logging: 0.0, ..log[0] }], 2.0), Err(Undefined::NoSupport));
        assert_eq!(estimate(&[], 2.0), Err(Undefined::NoObservations));
    }
}
