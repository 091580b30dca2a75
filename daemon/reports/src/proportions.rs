//! Intervals of rates: Wilson for one, Newcombe for a difference (METRICS.md section 4).

use crate::distributions::normal_quantile;
use crate::value::Undefined;

/// Wilson score interval of `hits` out of `n` at `level`.
///
/// # Errors
/// [`Undefined::NoObservations`] at n = 0, [`Undefined::BadParameter`] when hits exceed n or the level is not in (0, 1).
pub fn wilson(hits: u64, n: u64, level: f64) -> Result<(f64, f64), Undefined> {
    if n == 0 {
        return Err(Undefined::NoObservations);
    }
    if hits > n || !(level > 0.0 && level < 1.0) {
        return Err(Undefined::BadParameter);
    }
    let (count, rate, z) = (n as f64, hits as f64 / n as f64, normal_quantile(0.5 + level / 2.0));
    let scale = 1.0 + z * z / count;
    let centre = (rate + z * z / (2.0 * count)) / scale;
    let half = z / scale * (rate * (1.0 - rate) / count + z * z / (4.0 * count * count)).sqrt();
    Ok(((centre - half).max(0.0), (centre + half).min(1.0)))
}

/// A rate: hits among trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Trials with a hit.
    pub hits: u64,
    /// All trials.
    pub trials: u64,
}

/// A difference of two rates and its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateDifference {
    /// The difference.
    pub difference: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

/// Newcombe's hybrid score interval (method 10) of rate a − rate b.
///
/// # Errors
/// As [`wilson`].
pub fn newcombe(a: Rate, b: Rate, level: f64) -> Result<RateDifference, Undefined> {
    let ((low_a, high_a), (low_b, high_b)) = (wilson(a.hits, a.trials, level)?, wilson(b.hits, b.trials, level)?);
    let (rate_a, rate_b) = (a.hits as f64 / a.trials as f64, b.hits as f64 / b.trials as f64);
    let difference = rate_a - rate_b;
    let down = ((rate_a - low_a).powi(2) + (high_b - rate_b).powi(2)).sqrt();
    let up = ((high_a - rate_a).powi(2) + (rate_b - low_b).powi(2)).sqrt();
    Ok(RateDifference { difference, low: difference - down, high: difference + up })
}
