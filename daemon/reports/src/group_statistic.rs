//! Statistics of group means with user-bootstrap intervals: MADr, MADR, gaps, generalised cross-entropy (METRICS.md section 4, user side).

use serde::{Deserialize, Serialize};

use crate::exposure_ratio::BootstrapOptions;
use crate::gaps::mean_pairwise;
use crate::parity::generalised_cross_entropy;
use crate::resample::{Interval, bootstrap_statistic, percentile_interval};
use crate::value::{Measure, Undefined, Value, same_length};

/// A statistic of group means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupStatistic {
    /// The statistic.
    pub value: Value,
    /// Percentile interval by user bootstrap; a replicate that misses a group is null.
    pub interval: Option<Interval>,
    /// Mean per group.
    pub means: Vec<Value>,
    /// Users with a value.
    pub n_used: usize,
    /// Users given.
    pub n_total: usize,
}

/// Means per group with integer weights; a group without a value is undefined.
fn group_means(values: &[Measure], groups: &[usize], count: usize, weight: impl Fn(usize) -> f64) -> Vec<Measure> {
    let mut sums = vec![(0.0, 0.0); count];
    for (user, (value, group)) in values.iter().zip(groups).enumerate() {
        if let Ok(value) = value {
            sums[*group].0 += weight(user) * value;
            sums[*group].1 += weight(user);
        }
    }
    let mean = |(sum, mass): (f64, f64)| if mass > 0.0 { Ok(sum / mass) } else { Err(Undefined::NoObservations) };
    sums.into_iter().map(mean).collect()
}

/// Any statistic of the means of `count` groups. `values` and `groups` have one entry per user.
///
/// A group without any value makes the statistic undefined.
///
/// # Errors
/// [`Undefined::LengthMismatch`], [`Undefined::BadParameter`] for an unknown group.
pub fn group_statistic(
    values: &[Measure],
    groups: &[usize],
    count: usize,
    options: BootstrapOptions,
    statistic: impl Fn(&[f64]) -> Measure,
) -> Result<GroupStatistic, Undefined> {
    same_length(values.len(), groups.len())?;
    if groups.iter().any(|group| *group >= count) {
        return Err(Undefined::BadParameter);
    }
    let of = |means: &[Measure]| statistic(&means.iter().copied().collect::<Result<Vec<f64>, _>>()?);
    let means = group_means(values, groups, count, |_| 1.0);
    let sample = bootstrap_statistic(values.len(), options.replicates, options.seed, |weights| {
        of(&group_means(values, groups, count, |user| f64::from(weights[user])))
    });
    Ok(GroupStatistic {
        value: of(&means).into(),
        interval: percentile_interval(&sample, options.level).ok(),
        means: means.into_iter().map(Value::from).collect(),
        n_used: values.iter().filter(|value| value.is_ok()).count(),
        n_total: values.len(),
    })
}

/// MADr of mean predicted scores, or MADR of mean NDCG: the mean absolute difference over pairs of groups. 0 is equal.
///
/// # Errors
/// As [`group_statistic`].
pub fn mean_absolute_difference(
    values: &[Measure],
    groups: &[usize],
    count: usize,
    options: BootstrapOptions,
) -> Result<GroupStatistic, Undefined> {
    group_statistic(values, groups, count, options, mean_pairwise)
}

/// Generalised cross-entropy of the groups' mean benefit from the declared `target` shares.
///
/// # Errors
/// As [`group_statistic`]; a target that does not fit or a bad β makes the value undefined.
pub fn benefit_cross_entropy(
    values: &[Measure],
    groups: &[usize],
    target: &[f64],
    beta: f64,
    options: BootstrapOptions,
) -> Result<GroupStatistic, Undefined> {
    group_statistic(values, groups, target.len(), options, |means| generalised_cross_entropy(means, target, beta))
}
