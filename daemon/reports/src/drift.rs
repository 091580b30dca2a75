//! Detects a change of a distribution: population stability index with a permutation threshold (METRICS.md section 7).

use crate::resample::{generator, quantile_sorted, shuffle};
use crate::value::{Measure, Undefined, same_length};

/// Floor of a share before the logarithm.
pub const FLOOR: f64 = 1e-4;

/// PSI of two share vectors: Σ (q − p) ln(q / p), shares floored at [`FLOOR`].
///
/// # Errors
/// [`Undefined::LengthMismatch`], [`Undefined::ZeroDenominator`] when one sums to 0.
pub fn psi(reference: &[f64], current: &[f64]) -> Measure {
    same_length(reference.len(), current.len())?;
    let (a, b) = (reference.iter().sum::<f64>(), current.iter().sum::<f64>());
    if !(a > 0.0 && b > 0.0) {
        return Err(Undefined::ZeroDenominator);
    }
    let term = |(p, q): (&f64, &f64)| {
        let (p, q) = ((p / a).max(FLOOR), (q / b).max(FLOOR));
        (q - p) * (q / p).ln()
    };
    Ok(reference.iter().zip(current).map(term).sum())
}

/// PSI of categories against a reference, and the value that chance alone exceeds in a share `level` of permutations. Categories are
/// numbers; what occurs in neither is not counted.
///
/// # Errors
/// [`Undefined::NoObservations`] when a sample is empty, [`Undefined::BadParameter`] for a level outside (0, 1) or no permutations.
pub fn psi_categories(
    reference: &[u32],
    current: &[u32],
    level: f64,
    permutations: usize,
    seed: u64,
) -> Result<(f64, f64), Undefined> {
    if reference.is_empty() || current.is_empty() {
        return Err(Undefined::NoObservations);
    }
    if !(level > 0.0 && level < 1.0) || permutations == 0 {
        return Err(Undefined::BadParameter);
    }
    let mut names: Vec<u32> = reference.iter().chain(current).copied().collect();
    names.sort_unstable();
    names.dedup();
    let counts = |sample: &[u32]| {
        let mut counts = vec![0.0; names.len()];
        for name in sample {
            if let Ok(place) = names.binary_search(name) {
                counts[place] += 1.0;
            }
        }
        counts
    };
    let observed = psi(&counts(reference), &counts(current))?;
    let mut pooled: Vec<u32> = reference.iter().chain(current).copied().collect();
    let mut rng = generator(seed, "psi of categories");
    let mut null = Vec::with_capacity(permutations);
    for _ in 0..permutations {
        shuffle(&mut rng, &mut pooled);
        let (left, right) = pooled.split_at(reference.len());
        null.push(psi(&counts(left), &counts(right))?);
    }
    null.sort_by(f64::total_cmp);
    Ok((observed, quantile_sorted(&null, 1.0 - level)))
}

/// PSI of numbers against a reference, and the value that chance alone exceeds in a share `level` of permutations.
///
/// The bins are the quantiles of the *reference* (10 by default, see [`QUANTILE_BINS`]), the outer ones open, so that the reference has
/// equal shares and a number outside its range counts. The mean under no change is about (bins − 1) (1/N + 1/M), so a fixed threshold such
/// as 0.1 fails on small samples; compare with the threshold returned.
///
/// # Errors
/// [`Undefined::NoObservations`] when a sample is empty, [`Undefined::NotFinite`], [`Undefined::BadParameter`] for fewer than two bins, a
/// level outside (0, 1) or no permutations.
pub fn psi_quantiles(
    reference: &[f64],
    current: &[f64],
    bins: usize,
    test: Permutations,
) -> Result<(f64, f64), Undefined> {
    if reference.is_empty() || current.is_empty() {
        return Err(Undefined::NoObservations);
    }
    if reference.iter().chain(current).any(|value| !value.is_finite()) {
        return Err(Undefined::NotFinite);
    }
    if bins < 2 {
        return Err(Undefined::BadParameter);
    }
    let mut sorted = reference.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut edges: Vec<f64> = (1..bins).map(|bin| quantile_sorted(&sorted, bin as f64 / bins as f64)).collect();
    // A value that fills several quantiles makes one bin.
    edges.dedup();
    let bin = |value: &f64| edges.partition_point(|edge| edge <= value) as u32;
    let named = |sample: &[f64]| sample.iter().map(bin).collect::<Vec<u32>>();
    psi_categories(&named(reference), &named(current), test.level, test.permutations, test.seed)
}

/// Bins of [`psi_quantiles`] unless something else is asked for.
pub const QUANTILE_BINS: usize = 10;

/// How the threshold of a PSI is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Permutations {
    /// Share of permutations without any change that exceed the threshold.
    pub level: f64,
    /// Number of permutations.
    pub permutations: usize,
    /// Seed.
    pub seed: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn psi_of_the_vector() {
        let value = psi(&[0.25; 4], &[0.4, 0.3, 0.2, 0.1]).unwrap();
        assert!((value - 0.228_217).abs() < 1e-6, "{value}");
        assert!(psi(&[0.0], &[1.0]).is_err());
    }

    #[test]
    fn categories_that_move_exceed_chance_and_others_do_not() {
        let draw = |n: u32, shift: u32| -> Vec<u32> {
            (0..n)
                .map(|i| (i.wrapping_mul(2_654_435_761) >> 8) % 12 * (1 + shift * u32::from(i % 3 == 0)) % 12)
                .collect()
        };
        let (same, threshold) = psi_categories(&draw(600, 0), &draw(500, 0), 0.001, 500, 3).unwrap();
        assert!(same < threshold, "{same} {threshold}");
        let (moved, threshold) = psi_categories(&draw(600, 0), &draw(500, 5), 0.001, 500, 3).unwrap();
        assert!(moved > threshold, "{moved} {threshold}");
        assert!(psi_categories(&[], &[1], 0.01, 10, 0).is_err());
    }
}
