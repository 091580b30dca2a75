//! Compares two arms on the same users: paired difference, interval, p, and minimum detectable effect (METRICS.md section 2).

use serde::{Deserialize, Serialize};

use crate::distributions::{normal_quantile, student_cdf, student_quantile};
use crate::resample::{Interval, bootstrap_statistic, quantile_sorted, sign_flip_p, weighted_mean};
use crate::value::{Measure, Undefined, Value, mean, same_length, standard_deviation};

/// Power of the minimum detectable effect.
pub const POWER: f64 = 0.8;

/// Level of the interval that is shown beside the difference.
const LEVEL: f64 = 0.95;

/// A bootstrap tail with fewer replicates than this is too coarse to read a bound from.
const TAIL: f64 = 20.0;

/// Paired comparison of a candidate with a comparator, over users.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedComparison {
    /// Users with a value in both arms.
    pub n_used: usize,
    /// Users asked.
    pub n_total: usize,
    /// Mean of the candidate over the used users.
    pub candidate: f64,
    /// Mean of the comparator over the used users.
    pub comparator: f64,
    /// Mean of candidate − comparator.
    pub difference: f64,
    /// Interval of the difference for reading: 95 %, percentile, Poisson bootstrap over users.
    pub interval: Interval,
    /// One-sided lower bound at `alpha`, on which gates decide.
    pub lower: f64,
    /// One-sided error of `lower`.
    pub alpha: f64,
    /// How `lower` was found: `bootstrap` or, where `alpha` is finer than the replicates resolve, `student`.
    pub lower_method: String,
    /// Two-sided sign-flip randomisation p.
    pub p: f64,
    /// The smallest true difference that `n_used` users would show at `alpha` with 80 % power.
    pub detectable: Value,
    /// Share of users on whom the arms differ at all.
    pub moved: f64,
}

/// Minimum detectable effect (z_{1−α} + z_power) · sd / √n.
///
/// # Errors
/// [`Undefined::TooFew`] at n = 0, [`Undefined::BadParameter`] for alpha or power outside (0, 1).
pub fn detectable_effect(sd: f64, n: usize, alpha: f64, power: f64) -> Measure {
    if n == 0 {
        return Err(Undefined::TooFew);
    }
    let inside = |p: f64| p > 0.0 && p < 1.0;
    if !inside(alpha) || !inside(power) {
        return Err(Undefined::BadParameter);
    }
    Ok((normal_quantile(1.0 - alpha) + normal_quantile(power)) * sd / (n as f64).sqrt())
}

/// Student's paired t test of differences.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StudentTest {
    /// The statistic.
    pub t: f64,
    /// Two-sided p.
    pub p: f64,
    /// Interval of the mean difference.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// Paired t test with an interval of the given level.
///
/// # Errors
/// [`Undefined::TooFew`] below two differences, [`Undefined::ZeroDenominator`] when they do not vary.
pub fn student_test(differences: &[f64], level: f64) -> Result<StudentTest, Undefined> {
    let (centre, sd) = (mean(differences)?, standard_deviation(differences)?);
    if sd == 0.0 {
        return Err(Undefined::ZeroDenominator);
    }
    let (n, freedom) = (differences.len() as f64, (differences.len() - 1) as f64);
    let error = sd / n.sqrt();
    let half = student_quantile(0.5 + level / 2.0, freedom) * error;
    let t = centre / error;
    Ok(StudentTest { t, p: 2.0 * student_cdf(-t.abs(), freedom), low: centre - half, high: centre + half })
}

/// Compares two arms user by user. `None` marks a user on whom the metric is undefined; a user without list has 0, not `None`.
///
/// `alpha` is the one-sided error of the lower bound; 0.025 makes it the lower end of the 95 % interval.
///
/// # Errors
/// [`Undefined::LengthMismatch`], [`Undefined::NotFinite`], [`Undefined::TooFew`] below two users, [`Undefined::BadParameter`]
/// for alpha outside (0, 0.5).
pub fn compare_paired(
    candidate: &[Option<f64>],
    comparator: &[Option<f64>],
    alpha: f64,
    replicates: usize,
    seed: u64,
) -> Result<PairedComparison, Undefined> {
    same_length(candidate.len(), comparator.len())?;
    if !(alpha > 0.0 && alpha < 0.5) || replicates == 0 {
        return Err(Undefined::BadParameter);
    }
    let pairs: Vec<(f64, f64)> = candidate.iter().zip(comparator).filter_map(|(c, o)| Some(((*c)?, (*o)?))).collect();
    if pairs.iter().any(|(c, o)| !c.is_finite() || !o.is_finite()) {
        return Err(Undefined::NotFinite);
    }
    if pairs.len() < 2 {
        return Err(Undefined::TooFew);
    }
    let differences: Vec<f64> = pairs.iter().map(|(c, o)| c - o).collect();
    let difference = mean(&differences)?;
    let sample = bootstrap_statistic(pairs.len(), replicates, seed, |weights| weighted_mean(&differences, weights));
    let mut sorted: Vec<f64> = sample.into_iter().filter_map(Result::ok).collect();
    if sorted.is_empty() {
        return Err(Undefined::TooFew);
    }
    sorted.sort_by(f64::total_cmp);
    let level = LEVEL;
    let interval = Interval {
        low: quantile_sorted(&sorted, (1.0 - level) / 2.0),
        high: quantile_sorted(&sorted, f64::midpoint(1.0, level)),
        level,
        replicates: sorted.len(),
    };
    let sd = standard_deviation(&differences)?;
    let n = pairs.len();
    let (lower, lower_method) = if alpha * sorted.len() as f64 >= TAIL {
        (quantile_sorted(&sorted, alpha), "bootstrap")
    } else {
        (difference + student_quantile(alpha, (n - 1) as f64) * sd / (n as f64).sqrt(), "student")
    };
    Ok(PairedComparison {
        n_used: n,
        n_total: candidate.len(),
        candidate: mean(&pairs.iter().map(|(c, _)| *c).collect::<Vec<_>>())?,
        comparator: mean(&pairs.iter().map(|(_, o)| *o).collect::<Vec<_>>())?,
        difference,
        interval,
        lower,
        alpha,
        lower_method: lower_method.to_owned(),
        p: sign_flip_p(&differences, replicates, seed)?,
        detectable: detectable_effect(sd, n, alpha, POWER).into(),
        moved: differences.iter().filter(|d| **d != 0.0).count() as f64 / n as f64,
    })
}

/// One arm of an experiment: covariate and outcome of each user.
#[derive(Clone, Copy, Debug)]
pub struct CupedArm<'a> {
    /// The covariate, measured before exposure.
    pub covariate: &'a [f64],
    /// The outcome.
    pub outcome: &'a [f64],
}

/// CUPED (Deng et al. 2013): y − θ(x − x̄) with θ = cov(x, y) / var(x) pooled over the arms; x is strictly before exposure.
///
/// Returns the adjusted outcomes of each arm and θ.
///
/// # Errors
/// [`Undefined::LengthMismatch`], [`Undefined::TooFew`] below two users per arm, [`Undefined::ZeroDenominator`] when x does not
/// vary.
pub fn cuped(arms: &[CupedArm<'_>]) -> Result<(Vec<Vec<f64>>, f64), Undefined> {
    for arm in arms {
        same_length(arm.covariate.len(), arm.outcome.len())?;
        if arm.covariate.len() < 2 {
            return Err(Undefined::TooFew);
        }
    }
    let all_x: Vec<f64> = arms.iter().flat_map(|arm| arm.covariate.iter().copied()).collect();
    let all_y: Vec<f64> = arms.iter().flat_map(|arm| arm.outcome.iter().copied()).collect();
    let (centre, level) = (mean(&all_x)?, mean(&all_y)?);
    let covariance: f64 = all_x.iter().zip(&all_y).map(|(a, b)| (a - centre) * (b - level)).sum();
    let variance: f64 = all_x.iter().map(|a| (a - centre) * (a - centre)).sum();
    if variance == 0.0 {
        return Err(Undefined::ZeroDenominator);
    }
    let theta = covariance / variance;
    let adjust = |arm: &CupedArm<'_>| {
        arm.covariate.iter().zip(arm.outcome).map(|(a, b)| b - theta * (a - centre)).collect::<Vec<f64>>()
    };
    Ok((arms.iter().map(adjust).collect(), theta))
}
