//! Forgetting over a sequence of training windows (METRICS.md section 7). `accuracy[i][j]` is the metric on window j of the model trained
//! up to window i; the matrix is square. Intervals: [`crate::bootstrap_windows`] over the users' values in every cell.

use crate::value::{Measure, Undefined, mean};

fn size(accuracy: &[Vec<f64>], least: usize) -> Result<usize, Undefined> {
    let windows = accuracy.len();
    if windows < least {
        return Err(Undefined::TooFew);
    }
    if accuracy.iter().any(|row| row.len() != windows) {
        return Err(Undefined::LengthMismatch);
    }
    if accuracy.iter().flatten().any(|value| !value.is_finite()) { Err(Undefined::NotFinite) } else { Ok(windows) }
}

/// Backward transfer: the mean over earlier windows j of last − just after training, R_Tj − R_jj (Lopez-Paz and Ranzato 2017). Below 0
/// the model lost on old windows. In units of the metric.
///
/// # Errors
/// [`Undefined::TooFew`] below two windows, [`Undefined::LengthMismatch`] if the matrix is not square, [`Undefined::NotFinite`].
pub fn backward_transfer(accuracy: &[Vec<f64>]) -> Measure {
    let last = size(accuracy, 2)? - 1;
    mean(&(0..last).map(|j| accuracy[last][j] - accuracy[j][j]).collect::<Vec<_>>())
}

/// Forgetting: the mean over earlier windows j of best ever − last, max_i R_ij − R_Tj, at least 0 (Chaudhry 2018). avalanche's
/// `forgetting_bwt.py` takes first − last, which hides what was learned in between.
///
/// # Errors
/// As [`backward_transfer`].
pub fn forgetting(accuracy: &[Vec<f64>]) -> Measure {
    let last = size(accuracy, 2)? - 1;
    let lost = |j: usize| accuracy.iter().map(|row| row[j]).fold(f64::NEG_INFINITY, f64::max) - accuracy[last][j];
    mean(&(0..last).map(lost).collect::<Vec<_>>())
}

/// Prequential accuracy: the mean of R_t,t+1, each window tested before it is trained on. The figure that an operator feels.
///
/// # Errors
/// As [`backward_transfer`].
pub fn prequential(accuracy: &[Vec<f64>]) -> Measure {
    let last = size(accuracy, 2)? - 1;
    mean(&(0..last).map(|t| accuracy[t][t + 1]).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tv_c1_continual_learning() {
        let accuracy = vec![vec![0.30, 0.22, 0.20], vec![0.28, 0.33, 0.25], vec![0.25, 0.31, 0.36]];
        for (value, wanted) in
            [(backward_transfer(&accuracy), -0.035), (forgetting(&accuracy), 0.035), (prequential(&accuracy), 0.235)]
        {
            assert!((value.unwrap() - wanted).abs() < 1e-6, "{value:?} is not {wanted}");
        }
    }

    #[test]
    fn what_was_learned_later_and_lost_again_is_forgotten() {
        // Window 0 rises to 0.9 under the second model and falls back: first − last would be 0.
        let accuracy = vec![vec![0.3, 0.0, 0.0], vec![0.9, 0.3, 0.0], vec![0.3, 0.3, 0.3]];
        assert!((forgetting(&accuracy).unwrap() - 0.3).abs() < 1e-12);
        assert_eq!(backward_transfer(&accuracy), Ok(0.0));
        assert_eq!(forgetting(&accuracy[..1]), Err(Undefined::TooFew));
        assert_eq!(forgetting(&accuracy[..2]), Err(Undefined::LengthMismatch));
        assert_eq!(prequential(&[vec![0.0, f64::NAN], vec![0.0, 0.0]]), Err(Undefined::NotFinite));
    }
}
