//! Wilcoxon's signed-rank test of paired differences (METRICS.md TV-S1): a second opinion on the sign-flip test that a few large
//! differences cannot decide.

use crate::distributions::normal_cdf;
use crate::value::{Measure, Undefined};

/// Differences up to this many that are not zero get the exact distribution.
const EXACT: usize = 200;

/// Two-sided p. Zero differences are dropped (Wilcoxon 1945), equal sizes share their mean rank. Exact over all sign patterns up to 200
/// differences, ties included; beyond, the normal approximation with the variance of the ranks and a continuity correction.
///
/// # Errors
/// [`Undefined::NoObservations`] for an empty slice, [`Undefined::NotFinite`].
pub fn signed_rank_p(differences: &[f64]) -> Measure {
    if differences.is_empty() {
        return Err(Undefined::NoObservations);
    }
    if differences.iter().any(|d| !d.is_finite()) {
        return Err(Undefined::NotFinite);
    }
    let mut moved: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    if moved.is_empty() {
        return Ok(1.0);
    }
    moved.sort_by(|left, right| left.abs().total_cmp(&right.abs()));
    // Twice the mean rank is an integer, so ties cost no rounding.
    let (mut ranks, mut positive, mut start) = (Vec::with_capacity(moved.len()), 0_usize, 0);
    for ties in moved.chunk_by(|left, right| left.abs() == right.abs()) {
        let twice = 2 * start + ties.len() + 1;
        positive += twice * ties.iter().filter(|d| **d > 0.0).count();
        ranks.extend(std::iter::repeat_n(twice, ties.len()));
        start += ties.len();
    }
    let whole: usize = ranks.iter().sum();
    let least = positive.min(whole - positive);
    Ok(if ranks.len() <= EXACT { exact(&ranks, whole, least) } else { approximate(&ranks, whole, least) })
}

/// The share of sign patterns whose smaller rank sum is at most `least`, by convolution.
fn exact(ranks: &[usize], whole: usize, least: usize) -> f64 {
    let mut share = vec![0.0_f64; whole + 1];
    share[0] = 1.0;
    for &rank in ranks {
        for sum in (0..=whole).rev() {
            let with = if sum >= rank { share[sum - rank] } else { 0.0 };
            share[sum] = f64::midpoint(share[sum], with);
        }
    }
    (2.0 * share[..=least].iter().sum::<f64>()).min(1.0)
}

fn approximate(ranks: &[usize], whole: usize, least: usize) -> f64 {
    let variance: f64 = ranks.iter().map(|rank| (*rank as f64 / 2.0).powi(2)).sum::<f64>() / 4.0;
    let z = ((least as f64 - whole as f64 / 2.0) / 2.0 + 0.5) / variance.sqrt();
    (2.0 * normal_cdf(z)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_cases_by_hand() {
        // Three positive differences: two of eight patterns are as extreme.
        assert_eq!(signed_rank_p(&[0.1, 0.5, 0.3]), Ok(0.25));
        assert_eq!(signed_rank_p(&[0.1, 0.5, 0.3, 0.0]), Ok(0.25), "zeros are dropped");
        assert_eq!(signed_rank_p(&[0.0]), Ok(1.0));
        // Ties: ranks 1.5, 1.5, 3; the sum 1.5 or less comes from {}, {1.5}, {1.5}: 3 of 8, both sides.
        assert_eq!(signed_rank_p(&[-0.1, 0.1, 0.2]), Ok(0.75));
        assert_eq!(signed_rank_p(&[]), Err(Undefined::NoObservations));
        assert_eq!(signed_rank_p(&[f64::NAN]), Err(Undefined::NotFinite));
    }

    #[test]
    fn exact_and_approximate_agree_and_signs_do_not_matter() {
        let differences: Vec<f64> = (0..60).map(|i| f64::from((i * 37) % 61) / 100.0 - 0.25).collect();
        let turned: Vec<f64> = differences.iter().map(|d| -d).collect();
        assert_eq!(signed_rank_p(&differences), signed_rank_p(&turned));
        let ranks: Vec<usize> = (1..=60).map(|rank| 2 * rank).collect();
        let whole: usize = ranks.iter().sum();
        for least in [1_000, 1_300, 1_600] {
            assert!((exact(&ranks, whole, least) - approximate(&ranks, whole, least)).abs() < 5e-3, "{least}");
        }
    }
}
