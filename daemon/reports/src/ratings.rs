//! Errors of predicted ratings or gains (RecBole prints both beside its ranking metrics). They say nothing about the order of a list.

use crate::value::{Measure, Undefined, finite, mean, same_length};

fn checked(predicted: &[f64], actual: &[f64]) -> Result<(), Undefined> {
    same_length(predicted.len(), actual.len())?;
    if predicted.iter().chain(actual).any(|value| !value.is_finite()) { Err(Undefined::NotFinite) } else { Ok(()) }
}

/// Mean absolute error, in units of the rating; 0 is exact. Interval: the errors of one user averaged, then resampled over users.
///
/// # Errors
/// [`Undefined::LengthMismatch`], [`Undefined::NoObservations`], [`Undefined::NotFinite`].
pub fn mean_absolute_error(predicted: &[f64], actual: &[f64]) -> Measure {
    checked(predicted, actual)?;
    mean(&predicted.iter().zip(actual).map(|(p, a)| (p - a).abs()).collect::<Vec<_>>())
}

/// Root of the mean squared error, in units of the rating; never below [`mean_absolute_error`]. Interval: as there, of the squares.
///
/// # Errors
/// As [`mean_absolute_error`].
pub fn root_mean_squared_error(predicted: &[f64], actual: &[f64]) -> Measure {
    checked(predicted, actual)?;
    let square = mean(&predicted.iter().zip(actual).map(|(p, a)| (p - a).powi(2)).collect::<Vec<_>>())?;
    finite(square.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_by_hand() {
        let (predicted, actual) = ([3.0, 5.0, 1.0], [4.0, 5.0, 3.0]);
        assert_eq!(mean_absolute_error(&predicted, &actual), Ok(1.0));
        assert!((root_mean_squared_error(&predicted, &actual).unwrap() - (5.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(mean_absolute_error(&[], &[]), Err(Undefined::NoObservations));
        assert_eq!(root_mean_squared_error(&[1.0], &[]), Err(Undefined::LengthMismatch));
        assert_eq!(root_mean_squared_error(&[f64::NAN], &[1.0]), Err(Undefined::NotFinite));
    }
}
