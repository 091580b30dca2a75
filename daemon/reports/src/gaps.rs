//! Differences among group means, and Holm's adjustment over many tests (METRICS.md section 4).

use crate::value::{Measure, Undefined, finite};

/// max − min.
///
/// # Errors
/// [`Undefined::NoGroups`] below two values.
pub fn gap(means: &[f64]) -> Measure {
    if means.len() < 2 {
        return Err(Undefined::NoGroups);
    }
    let high = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let low = means.iter().copied().fold(f64::INFINITY, f64::min);
    finite(high - low)
}

/// min / max.
///
/// # Errors
/// [`Undefined::NoGroups`] below two values, [`Undefined::ZeroDenominator`] when the largest is 0.
pub fn min_over_max(means: &[f64]) -> Measure {
    gap(means)?;
    let high = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let low = means.iter().copied().fold(f64::INFINITY, f64::min);
    if high == 0.0 { Err(Undefined::ZeroDenominator) } else { finite(low / high) }
}

/// Mean absolute difference over pairs: MADR on mean NDCG, MADr on mean predicted score.
///
/// # Errors
/// [`Undefined::NoGroups`] below two values.
pub fn mean_pairwise(means: &[f64]) -> Measure {
    gap(means)?;
    let mut sum = 0.0;
    for (place, left) in means.iter().enumerate() {
        sum += means[place + 1..].iter().map(|right| (left - right).abs()).sum::<f64>();
    }
    finite(sum / (means.len() * (means.len() - 1) / 2) as f64)
}

/// Holm's step-down adjustment of p values, in the order given.
#[must_use]
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&left, &right| p[left].total_cmp(&p[right]));
    let mut adjusted = vec![0.0; p.len()];
    let mut running = 0.0_f64;
    for (place, &index) in order.iter().enumerate() {
        running = running.max(((p.len() - place) as f64 * p[index]).min(1.0));
        adjusted[index] = running;
    }
    adjusted
}
