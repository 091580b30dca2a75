//! Calibrates scores to probabilities: Platt scaling and isotonic regression, fitted on observations that were not used for training.

use serde::{Deserialize, Serialize};

use crate::value::{Undefined, same_length};

/// Observations from which on isotonic regression is preferred: below it, it overfits (Niculescu-Mizil and Caruana, ICML 2005).
pub const ISOTONIC_FROM: usize = 1_000;

/// A monotone map from a score to a probability.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calibrator {
    /// 1 / (1 + exp(−(slope · score + intercept))).
    Platt {
        /// Slope.
        slope: f64,
        /// Intercept.
        intercept: f64,
    },
    /// Linear between knots, constant beyond the outer ones.
    Isotonic {
        /// Scores, rising.
        scores: Vec<f64>,
        /// Probabilities, not falling.
        probabilities: Vec<f64>,
    },
}

fn checked(scores: &[f64], labels: &[bool]) -> Result<usize, Undefined> {
    same_length(labels.len(), scores.len())?;
    if labels.is_empty() {
        return Err(Undefined::NoObservations);
    }
    if scores.iter().any(|score| !score.is_finite()) {
        return Err(Undefined::NotFinite);
    }
    let positives = labels.iter().filter(|label| **label).count();
    if positives == 0 || positives == labels.len() { Err(Undefined::OneClass) } else { Ok(positives) }
}

fn logistic(z: f64) -> f64 {
    if z >= 0.0 { 1.0 / (1.0 + (-z).exp()) } else { z.exp() / (1.0 + z.exp()) }
}

impl Calibrator {
    /// Isotonic regression from [`ISOTONIC_FROM`] observations on, Platt scaling below.
    ///
    /// # Errors
    /// [`Undefined::OneClass`] when all labels agree; length, emptiness, finiteness.
    pub fn fit(scores: &[f64], labels: &[bool]) -> Result<Self, Undefined> {
        if labels.len() < ISOTONIC_FROM { Self::platt(scores, labels) } else { Self::isotonic(scores, labels) }
    }

    /// Platt scaling with the smoothed targets of the paper, by Newton's method with a line search (Lin, Lin and Weng, Machine Learning
    /// 68, 2007). A slope below 0 means that higher scores are less likely; it is kept as found.
    ///
    /// # Errors
    /// As [`Calibrator::fit`].
    pub fn platt(scores: &[f64], labels: &[bool]) -> Result<Self, Undefined> {
        const STEPS: usize = 100;
        const RIDGE: f64 = 1e-12;
        let positives = checked(scores, labels)? as f64;
        let negatives = labels.len() as f64 - positives;
        let (high, low) = ((positives + 1.0) / (positives + 2.0), 1.0 / (negatives + 2.0));
        let target = |label: bool| if label { high } else { low };
        let loss = |a: f64, b: f64| -> f64 {
            let one = |(s, y): (&f64, &bool)| {
                let z = a * s + b;
                z.max(0.0) - target(*y) * z + (-z.abs()).exp().ln_1p()
            };
            scores.iter().zip(labels).map(one).sum()
        };
        let (mut a, mut b) = (0.0, ((positives + 1.0) / (negatives + 1.0)).ln());
        let mut value = loss(a, b);
        for _ in 0..STEPS {
            let (mut h11, mut h22, mut h21, mut g1, mut g2) = (RIDGE, RIDGE, 0.0, 0.0, 0.0);
            for (s, y) in scores.iter().zip(labels) {
                let p = logistic(a * s + b);
                let (curve, off) = (p * (1.0 - p), p - target(*y));
                (h11, h22, h21) = (h11 + s * s * curve, h22 + curve, h21 + s * curve);
                (g1, g2) = (g1 + s * off, g2 + off);
            }
            if g1.abs() < 1e-9 && g2.abs() < 1e-9 {
                break;
            }
            let det = h11 * h22 - h21 * h21;
            let (da, db) = (-(h22 * g1 - h21 * g2) / det, -(h11 * g2 - h21 * g1) / det);
            let slope = g1 * da + g2 * db;
            let mut step = 1.0;
            let better = loop {
                let next = loss(a + step * da, b + step * db);
                if next < value + 1e-4 * step * slope {
                    break Some(next);
                }
                step /= 2.0;
                if step < 1e-10 {
                    break None;
                }
            };
            let Some(next) = better else { break };
            (a, b, value) = (a + step * da, b + step * db, next);
        }
        Ok(Self::Platt { slope: a, intercept: b })
    }

    /// Isotonic regression by pooling adjacent violators (Ayer et al., 1955; Zadrozny and Elkan, KDD 2002). Equal scores are one
    /// observation. No probability leaves [1 / (n + 2), 1 − 1 / (n + 2)]: n observations cannot tell that something never happens.
    ///
    /// # Errors
    /// As [`Calibrator::fit`].
    pub fn isotonic(scores: &[f64], labels: &[bool]) -> Result<Self, Undefined> {
        struct Block {
            from: f64,
            to: f64,
            positives: f64,
            mass: f64,
        }
        checked(scores, labels)?;
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&left, &right| scores[left].total_cmp(&scores[right]));
        let mut blocks: Vec<Block> = Vec::new();
        for ties in order.chunk_by(|&left, &right| scores[left] == scores[right]) {
            let score = scores[ties[0]];
            let positives = ties.iter().filter(|&&i| labels[i]).count() as f64;
            let mut block = Block { from: score, to: score, positives, mass: ties.len() as f64 };
            while let Some(last) = blocks.last()
                && last.positives * block.mass >= block.positives * last.mass
            {
                block.from = last.from;
                block.positives += last.positives;
                block.mass += last.mass;
                blocks.pop();
            }
            blocks.push(block);
        }
        let least = 1.0 / (scores.len() as f64 + 2.0);
        let (mut knots, mut probabilities) = (Vec::new(), Vec::new());
        for block in blocks {
            let p = (block.positives / block.mass).clamp(least, 1.0 - least);
            knots.push(block.from);
            probabilities.push(p);
            if block.to > block.from {
                knots.push(block.to);
                probabilities.push(p);
            }
        }
        Ok(Self::Isotonic { scores: knots, probabilities })
    }

    /// The probability of a score.
    #[must_use]
    pub fn apply(&self, score: f64) -> f64 {
        match self {
            Self::Platt { slope, intercept } => logistic(slope * score + intercept),
            Self::Isotonic { scores, probabilities } => {
                let above = scores.partition_point(|knot| *knot < score);
                let value = |place: usize| probabilities.get(place).copied();
                match (above.checked_sub(1).and_then(value), value(above)) {
                    (Some(low), Some(high)) => {
                        let (from, to) = (scores[above - 1], scores[above]);
                        low + (high - low) * (score - from) / (to - from)
                    }
                    (Some(end), None) | (None, Some(end)) => end,
                    (None, None) => f64::NAN,
                }
            }
        }
    }

    /// The method's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Platt { .. } => "platt",
            Self::Isotonic { .. } => "isotonic",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classification::{Binning, calibration, log_loss};

    /// Scores with a known, skewed relation to the odds: log-odds are 0.5 · score − 1.
    fn skewed(n: usize) -> (Vec<f64>, Vec<bool>) {
        let scores: Vec<f64> = (0..n).map(|i| 8.0 * (i as f64 + 0.5) / n as f64 - 4.0).collect();
        // A low-discrepancy sequence in place of chance.
        let labels = scores
            .iter()
            .enumerate()
            .map(|(i, s)| ((i as f64 + 1.0) * 0.618_033_988_749_895).fract() < logistic(0.5 * s - 1.0))
            .collect();
        (scores, labels)
    }

    #[test]
    fn platt_finds_slope_and_intercept() {
        let (scores, labels) = skewed(5_000);
        let Calibrator::Platt { slope, intercept } = Calibrator::platt(&scores, &labels).unwrap() else { panic!() };
        assert!((slope - 0.5).abs() < 0.02 && (intercept + 1.0).abs() < 0.03, "{slope} {intercept}");
    }

    #[test]
    fn platt_stays_finite_where_the_classes_are_apart() {
        let scores = [-3.0, -2.0, 2.0, 3.0];
        let fitted = Calibrator::platt(&scores, &[false, false, true, true]).unwrap();
        // The smoothed targets of two and two are 3/4 and 1/4.
        let mean: f64 = scores.map(|s| fitted.apply(s)).iter().sum::<f64>() / 4.0;
        assert!((mean - 0.5).abs() < 1e-6 && fitted.apply(3.0) < 0.85, "{fitted:?}");
    }

    #[test]
    fn pooling_adjacent_violators_by_hand() {
        // Means by score: 0, 1, 1/2 (two ties), 1: the second and third pool to 2/3.
        let fitted = Calibrator::isotonic(&[1.0, 2.0, 3.0, 3.0, 4.0], &[false, true, true, false, true]).unwrap();
        let Calibrator::Isotonic { scores, probabilities } = &fitted else { panic!() };
        assert_eq!(scores, &[1.0, 2.0, 3.0, 4.0]);
        let (low, high) = (1.0 / 7.0, 6.0 / 7.0);
        for (found, expected) in probabilities.iter().zip([low, 2.0 / 3.0, 2.0 / 3.0, high]) {
            assert!((found - expected).abs() < 1e-12, "{probabilities:?}");
        }
        assert!((fitted.apply(1.5) - f64::midpoint(low, 2.0 / 3.0)).abs() < 1e-12);
        assert!((fitted.apply(-9.0) - low).abs() < 1e-12 && (fitted.apply(9.0) - high).abs() < 1e-12);
        assert!((fitted.apply(2.0) - 2.0 / 3.0).abs() < 1e-12 && (fitted.apply(2.5) - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn both_lower_the_loss_and_the_calibration_error() {
        let (scores, labels) = skewed(2_000);
        let raw: Vec<f64> = scores.iter().map(|s| logistic(*s)).collect();
        let ece = |p: &[f64]| calibration(&labels, p, Binning::EqualMass(15)).unwrap().ece;
        for fitted in [Calibrator::platt(&scores, &labels).unwrap(), Calibrator::fit(&scores, &labels).unwrap()] {
            let p: Vec<f64> = scores.iter().map(|s| fitted.apply(*s)).collect();
            assert!(p.is_sorted() && ece(&p) < 0.02 && ece(&raw) > 0.1, "{} {}", ece(&p), ece(&raw));
            assert!(log_loss(&labels, &p).unwrap() < log_loss(&labels, &raw).unwrap());
        }
        assert_eq!(Calibrator::fit(&scores, &labels).unwrap().name(), "isotonic");
        assert_eq!(Calibrator::fit(&scores[..500], &labels[..500]).unwrap().name(), "platt");
        let kept = serde_json::to_string(&Calibrator::fit(&scores, &labels).unwrap()).unwrap();
        assert_eq!(serde_json::from_str::<Calibrator>(&kept).unwrap(), Calibrator::fit(&scores, &labels).unwrap());
    }

    #[test]
    fn what_cannot_be_fitted_is_said() {
        assert_eq!(Calibrator::fit(&[1.0], &[true]), Err(Undefined::OneClass));
        assert_eq!(Calibrator::fit(&[], &[]), Err(Undefined::NoObservations));
        assert_eq!(Calibrator::fit(&[f64::NAN, 1.0], &[true, false]), Err(Undefined::NotFinite));
        assert_eq!(Calibrator::fit(&[1.0], &[]), Err(Undefined::LengthMismatch));
    }
}
