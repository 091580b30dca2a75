//! Per-user clipping of DP-SGD (METRICS.md section 5, TV-P3). All gradients of a user are summed first; then the sum is clipped, so that
//! the unit of the guarantee is the user and not the example.

use crate::value::{Measure, Undefined, finite, same_length};

/// min(1, C / ‖g‖), exactly 1 up to the bound. Opacus divides by ‖g‖ + 1e-6 instead, which clips a little more.
///
/// # Errors
/// [`Undefined::BadParameter`] for a bound that is not above 0 or a negative norm, [`Undefined::NotFinite`].
pub fn clip_factor(norm: f64, bound: f64) -> Measure {
    finite(norm)?;
    if !(bound > 0.0 && bound.is_finite()) || norm < 0.0 {
        return Err(Undefined::BadParameter);
    }
    Ok(if norm <= bound { 1.0 } else { bound / norm })
}

/// The clipped sum over users.
#[derive(Clone, Debug, PartialEq)]
pub struct ClippedSum {
    /// Factor of each user.
    pub factors: Vec<f64>,
    /// Σ factor × gradient; without any one user it changes by at most the bound.
    pub sum: Vec<f64>,
}

impl ClippedSum {
    /// The sum over the *expected* number of users in a batch, q N of public values. The number drawn is private and must not divide.
    ///
    /// # Errors
    /// [`Undefined::BadParameter`] for an expected number that is not above 0.
    pub fn mean(&self, expected: f64) -> Result<Vec<f64>, Undefined> {
        if !(expected > 0.0 && expected.is_finite()) {
            return Err(Undefined::BadParameter);
        }
        Ok(self.sum.iter().map(|value| value / expected).collect())
    }
}

/// Clips the gradient of each user to the norm `bound` and adds them up. Noise comes after, with standard deviation σ × bound on every
/// coordinate.
///
/// # Errors
/// [`Undefined::LengthMismatch`] for gradients of different lengths, [`Undefined::NotFinite`], [`Undefined::BadParameter`] for the bound.
pub fn clip_per_user<G: AsRef<[f64]>>(gradients: &[G], bound: f64) -> Result<ClippedSum, Undefined> {
    let width = gradients.first().map_or(0, |gradient| gradient.as_ref().len());
    let (mut factors, mut sum) = (Vec::with_capacity(gradients.len()), vec![0.0; width]);
    for gradient in gradients.iter().map(AsRef::as_ref) {
        same_length(gradient.len(), width)?;
        let norm = gradient.iter().map(|value| value * value).sum::<f64>().sqrt();
        let factor = clip_factor(norm, bound)?;
        for (total, value) in sum.iter_mut().zip(gradient) {
            *total += factor * value;
        }
        factors.push(factor);
    }
    Ok(ClippedSum { factors, sum })
}
