//! Parameters of noised report counts (METRICS.md section 5). The noise itself is drawn by `opendp`, whose samplers are exact; here is what
//! a scale means, where a count is suppressed, and which cells a rule must hide.

use crate::value::{Measure, Undefined, finite};

fn positive(value: f64) -> Result<f64, Undefined> {
    if value > 0.0 && value.is_finite() { Ok(value) } else { Err(Undefined::BadParameter) }
}

/// Epsilon of Laplace noise: sensitivity / scale. The sensitivity is the number of cells that one user can change by 1.
///
/// # Errors
/// [`Undefined::BadParameter`] unless both are above 0.
pub fn laplace_epsilon(sensitivity: f64, scale: f64) -> Measure {
    Ok(positive(sensitivity)? / positive(scale)?)
}

/// The error that Laplace noise of this scale stays below with probability `level`: scale × ln(1 / (1 − level)), in counts.
///
/// # Errors
/// [`Undefined::BadParameter`] for a scale not above 0 or a level outside (0, 1).
pub fn laplace_error(scale: f64, level: f64) -> Measure {
    if !(level > 0.0 && level < 1.0) {
        return Err(Undefined::BadParameter);
    }
    finite(-positive(scale)? * (1.0 - level).ln())
}

/// Zero-concentrated ρ of Gaussian noise: sensitivity² / (2 σ²) (Bun and Steinke 2016).
///
/// # Errors
/// [`Undefined::BadParameter`] unless both are above 0.
pub fn gaussian_rho(sensitivity: f64, deviation: f64) -> Measure {
    finite(positive(sensitivity)?.powi(2) / (2.0 * positive(deviation)?.powi(2)))
}

/// A noised table whose keys are not public: a key that only one user has must not appear but with probability δ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeyedCounts {
    /// Scale of the discrete Laplace noise, in counts.
    pub scale: f64,
    /// Most keys that one user can have (L0), each by a count of 1.
    pub keys_per_user: u32,
    /// δ of the whole table.
    pub delta: f64,
}

/// The smallest whole threshold at which a noised count may be shown if it is *above* it: a key held by one user has count 1, so its
/// noise must reach the threshold, P(X ≥ t) = e^(−t/s) / (1 + e^(−1/s)) for discrete Laplace noise, at most 1 − (1 − δ)^(1/L0).
///
/// # Errors
/// [`Undefined::BadParameter`] for a scale not above 0, no key, or δ outside (0, 1).
pub fn key_threshold(counts: KeyedCounts) -> Result<u64, Undefined> {
    let scale = positive(counts.scale)?;
    if counts.keys_per_user == 0 || !(counts.delta > 0.0 && counts.delta < 1.0) {
        return Err(Undefined::BadParameter);
    }
    let each = -((-counts.delta).ln_1p() / f64::from(counts.keys_per_user)).exp_m1();
    let least = -scale * (each.ln() + (-1.0 / scale).exp().ln_1p());
    Ok(least.max(0.0).ceil() as u64)
}

/// Smallest count that a table shows without noise. It is no differential privacy: complementary cells and differences of tables reveal
/// what it hides, see [`hidden_cells`] and [`difference_reveals`].
pub const LEAST_SHOWN: u64 = 10;

/// Which cells of a table with a printed total are hidden: all above 0 and below `least`, and while one alone is hidden or all hidden
/// ones together are below `least`, the smallest one shown as well; otherwise the total minus the rest would give them away. A table whose
/// cells cannot protect each other is hidden whole.
#[must_use]
pub fn hidden_cells(counts: &[u64], least: u64) -> Vec<bool> {
    let mut hidden: Vec<bool> = counts.iter().map(|count| *count > 0 && *count < least).collect();
    if !hidden.contains(&true) {
        return hidden;
    }
    loop {
        let of_hidden = || counts.iter().zip(&hidden).filter(|(_, hidden)| **hidden).map(|(count, _)| *count);
        if of_hidden().count() > 1 && of_hidden().sum::<u64>() >= least {
            return hidden;
        }
        let shown = (0..counts.len()).filter(|&cell| !hidden[cell] && counts[cell] > 0);
        match shown.min_by_key(|&cell| counts[cell]) {
            Some(next) => hidden[next] = true,
            None => return vec![true; counts.len()],
        }
    }
}

/// Whether two counts of overlapping windows give away a small group by their difference.
#[must_use]
pub fn difference_reveals(before: u64, after: u64, least: u64) -> bool {
    let difference = before.abs_diff(after);
    difference > 0 && difference < least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tv_section_5_noise_scales() {
        assert_eq!(laplace_epsilon(1.0, 2.0), Ok(0.5));
        // ln(20) at epsilon 1, printed as 3.0.
        assert!((laplace_error(1.0, 0.95).unwrap() - 20.0_f64.ln()).abs() < 1e-12);
        assert!((laplace_error(1.0, 0.95).unwrap() - 3.0).abs() < 0.05);
        assert_eq!(gaussian_rho(1.0, 4.0), Ok(0.03125));
        let threshold =
            |scale, keys_per_user| key_threshold(KeyedCounts { scale, keys_per_user, delta: 1e-6 }).unwrap();
        assert_eq!([threshold(1.0, 1), threshold(2.0, 1), threshold(5.0, 5)], [14, 27, 75]);
        assert_eq!(laplace_epsilon(5.0, 5.0), Ok(1.0), "five keys at scale 5 are epsilon 1");
        for bad in [laplace_epsilon(0.0, 1.0), laplace_error(1.0, 1.0), gaussian_rho(1.0, f64::NAN)] {
            assert_eq!(bad, Err(Undefined::BadParameter));
        }
        let none = KeyedCounts { scale: 1.0, keys_per_user: 0, delta: 1e-6 };
        assert_eq!(key_threshold(none), Err(Undefined::BadParameter));
    }

    #[test]
    fn a_threshold_holds_its_delta_and_one_less_does_not() {
        for (scale, keys_per_user, delta) in [(1.0, 1, 1e-6), (2.0, 1, 1e-6), (5.0, 5, 1e-6), (3.0, 12, 1e-9)] {
            let at = key_threshold(KeyedCounts { scale, keys_per_user, delta }).unwrap() as f64;
            let shown = |threshold: f64| (-threshold / scale).exp() / (1.0 + (-1.0 / scale).exp());
            let any = |threshold: f64| 1.0 - (1.0 - shown(threshold)).powi(keys_per_user as i32);
            assert!(any(at) <= delta * (1.0 + 1e-6) && any(at - 1.0) > delta, "{scale} {at} {}", any(at));
        }
    }

    #[test]
    fn hidden_cells_protect_each_other() {
        assert_eq!(hidden_cells(&[50, 7, 90], 10), [true, true, false], "one hidden cell is total minus the rest");
        // Seven and one together are eight: still few, so a third is hidden.
        assert_eq!(hidden_cells(&[141, 7, 1, 400], 10), [true, true, true, false]);
        assert_eq!(hidden_cells(&[141, 7, 6, 400], 10), [false, true, true, false]);
        assert_eq!(hidden_cells(&[100, 20, 0], 10), [false; 3]);
        assert_eq!(hidden_cells(&[3, 0], 10), [true, true], "nothing can protect the cell");
        assert!(hidden_cells(&[], 10).is_empty());
        assert!(
            difference_reveals(120, 121, 10) && !difference_reveals(120, 120, 10) && !difference_reveals(1, 90, 10)
        );
    }
}
