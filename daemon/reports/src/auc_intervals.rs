//! AUC and GAUC over the impressions of users, with intervals that resample users (METRICS.md sections 0 and 1).

use crate::classification::{GaucWeight, Labelled, auc, gauc};
use crate::exposure_ratio::BootstrapOptions;
use crate::resample::{Interval, bootstrap_statistic, percentile_interval};
use crate::value::{Measure, Undefined, Value, same_length};

/// A metric of impressions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Discrimination {
    /// The metric.
    pub value: Value,
    /// Percentile interval; `None` without value.
    pub interval: Option<Interval>,
}

/// AUC over the impressions of all users together. The interval resamples users.
///
/// # Errors
/// [`Undefined::LengthMismatch`], [`Undefined::NotFinite`] for a score.
pub fn pooled_auc(users: &[Labelled<'_>], options: BootstrapOptions) -> Result<Discrimination, Undefined> {
    let mut rows = Vec::new();
    for (user, Labelled { labels, scores }) in users.iter().enumerate() {
        same_length(labels.len(), scores.len())?;
        rows.extend(labels.iter().zip(*scores).map(|(label, score)| Row { score: *score, positive: *label, user }));
    }
    if rows.iter().any(|row| !row.score.is_finite()) {
        return Err(Undefined::NotFinite);
    }
    rows.sort_by(|left, right| left.score.total_cmp(&right.score));
    let value = weighted(&rows, |_| 1);
    let sample = bootstrap_statistic(users.len(), options.replicates, options.seed, |weights| {
        weighted(&rows, |user| weights[user])
    });
    let interval = value.ok().and_then(|_| percentile_interval(&sample, options.level).ok());
    Ok(Discrimination { value: value.into(), interval })
}

/// One impression.
struct Row {
    score: f64,
    positive: bool,
    user: usize,
}

/// AUC of rows by ascending score, each of which counts as often as its user.
fn weighted(rows: &[Row], weight: impl Fn(usize) -> u32) -> Measure {
    let (mut up, mut below, mut twice) = (0_u128, 0_u128, 0_u128);
    for tied in rows.chunk_by(|left, right| left.score == right.score) {
        let count = |positive: bool| -> u128 {
            let of_class = tied.iter().filter(|row| row.positive == positive);
            of_class.map(|row| u128::from(weight(row.user))).sum()
        };
        let (positives, negatives) = (count(true), count(false));
        twice += positives * (2 * below + negatives);
        (up, below) = (up + positives, below + negatives);
    }
    if up == 0 || below == 0 { Err(Undefined::OneClass) } else { Ok(twice as f64 / (2.0 * up as f64 * below as f64)) }
}

/// GAUC by impressions with an interval, and the share of users without both classes, who are left out.
///
/// # Errors
/// [`Undefined::OneClass`] where no user has both classes; other errors of [`auc`].
pub fn gauc_by_user(users: &[Labelled<'_>], options: BootstrapOptions) -> Result<(Discrimination, f64), Undefined> {
    let found = gauc(users, GaucWeight::Impressions)?;
    let of_users: Vec<(f64, f64)> =
        users.iter().filter_map(|user| Some((auc(user.labels, user.scores).ok()?, user.labels.len() as f64))).collect();
    let sample = bootstrap_statistic(of_users.len(), options.replicates, options.seed, |weights| {
        let (mut sum, mut total) = (0.0, 0.0);
        for ((value, impressions), weight) in of_users.iter().zip(weights) {
            sum += f64::from(*weight) * impressions * value;
            total += f64::from(*weight) * impressions;
        }
        if total > 0.0 { Ok(sum / total) } else { Err(Undefined::NoObservations) }
    });
    let interval = percentile_interval(&sample, options.level).ok();
    Ok((Discrimination { value: Ok(found.value).into(), interval }, found.skipped))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: BootstrapOptions = BootstrapOptions { level: 0.95, replicates: 200, seed: 3 };
    const BOTH: [bool; 4] = [true, false, false, true];
    const FIRST: [f64; 4] = [0.9, 0.8, 0.2, 0.1];

    #[test]
    fn the_pooled_value_is_that_of_all_impressions_in_one() {
        let users = [
            Labelled { labels: &BOTH, scores: &FIRST },
            Labelled { labels: &[true, false], scores: &[0.3, 0.3] },
            Labelled { labels: &[true, true], scores: &[0.5, 0.7] },
        ];
        let found = pooled_auc(&users, OPTIONS).unwrap();
        let labels: Vec<bool> = users.iter().flat_map(|user| user.labels).copied().collect();
        let scores: Vec<f64> = users.iter().flat_map(|user| user.scores).copied().collect();
        assert_eq!(found.value.value, auc(&labels, &scores).ok());
        let interval = found.interval.unwrap();
        assert!(interval.low <= found.value.value.unwrap() && found.value.value.unwrap() <= interval.high);
    }

    #[test]
    fn the_value_by_user_leaves_out_users_of_one_class_and_says_how_many() {
        // Vector TV-R3: by impressions .666667, one of four users has one class.
        let users = [
            Labelled { labels: &BOTH, scores: &FIRST },
            Labelled { labels: &[true, false], scores: &[0.3, 0.3] },
            Labelled { labels: &[true, true], scores: &[0.5, 0.7] },
            Labelled { labels: &[true, false, false], scores: &[0.9, 0.2, 0.1] },
        ];
        let (found, skipped) = gauc_by_user(&users, OPTIONS).unwrap();
        assert!((found.value.value.unwrap() - 0.666_667).abs() < 1e-6 && skipped == 0.25);
        assert!(found.interval.is_some());
    }

    #[test]
    fn one_class_has_no_value() {
        let users = [Labelled { labels: &[true, true], scores: &[0.5, 0.7] }];
        let found = pooled_auc(&users, OPTIONS).unwrap();
        assert_eq!((found.value.value, found.value.reason, found.interval), (None, Some(Undefined::OneClass), None));
        assert_eq!(gauc_by_user(&users, OPTIONS).err(), Some(Undefined::OneClass));
        let broken = [Labelled { labels: &[true], scores: &[f64::NAN] }];
        assert_eq!(pooled_auc(&broken, OPTIONS).err(), Some(Undefined::NotFinite));
    }
}
