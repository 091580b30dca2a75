//! Metrics of predicted probabilities on labelled rows, with intervals from resampling users (METRICS.md section 1).

use std::collections::BTreeMap;

use mercer_reports::classification::{
    Binning, GaucWeight, Labelled, auc, brier, calibration, confusion, gauc, log_loss,
};
use mercer_reports::resample::percentile_interval;
use mercer_reports::{Measure, Undefined, bootstrap_statistic};
use mercer_shared::wire::MetricValue;

/// Bins of the calibration error (METRICS.md section 1).
const BINS: usize = 15;
/// Replicates of the intervals of metrics.
const METRIC_REPLICATES: usize = 400;
/// A row with its probability.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scored {
    /// The user.
    pub(crate) user: u32,
    /// Whether they took the item.
    pub(crate) label: bool,
    /// The probability given to it.
    pub(crate) p: f64,
}

type Statistic<'a> = &'a dyn Fn(&[Vec<Scored>]) -> Measure;

fn flat(users: &[Vec<Scored>]) -> (Vec<bool>, Vec<f64>) {
    users.iter().flatten().map(|row| (row.label, row.p)).unzip()
}

fn per_user(users: &[Vec<Scored>]) -> Measure {
    let parts: Vec<(Vec<bool>, Vec<f64>)> =
        users.iter().map(|rows| rows.iter().map(|row| (row.label, row.p)).unzip()).collect();
    let parts: Vec<Labelled<'_>> = parts.iter().map(|(labels, scores)| Labelled { labels, scores }).collect();
    Ok(gauc(&parts, GaucWeight::Impressions)?.value)
}

/// The metrics of a slice, each with an interval from resampling users; nothing for an empty slice. Metrics that need a
/// threshold are left out without one.
pub(crate) fn metrics(slice: &str, rows: &[Scored], threshold: Option<f64>, seed: u64) -> Vec<MetricValue> {
    some_metrics(slice, rows, threshold, Resampling { seed, replicates: METRIC_REPLICATES }, &|_| true)
}

/// How intervals are resampled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resampling {
    /// Of the draws.
    pub(crate) seed: u64,
    /// Number of draws.
    pub(crate) replicates: usize,
}

/// Those metrics whose names are wanted.
pub(crate) fn some_metrics(
    slice: &str,
    rows: &[Scored],
    threshold: Option<f64>,
    resampling: Resampling,
    wanted: &dyn Fn(&str) -> bool,
) -> Vec<MetricValue> {
    if rows.is_empty() {
        return Vec::new();
    }
    let mut users: BTreeMap<u32, Vec<Scored>> = BTreeMap::new();
    for row in rows {
        users.entry(row.user).or_default().push(*row);
    }
    let users: Vec<Vec<Scored>> = users.into_values().collect();
    let with = |f: &dyn Fn(&[bool], &[f64]) -> Measure, users: &[Vec<Scored>]| {
        let (labels, p) = flat(users);
        f(&labels, &p)
    };
    let at = |users: &[Vec<Scored>]| {
        let (labels, p) = flat(users);
        confusion(&labels, &p, threshold.ok_or(Undefined::BadParameter)?)
    };
    let bins = Binning::EqualMass(BINS);
    let all: [(&str, Statistic<'_>); 9] = [
        ("precision", &|u| at(u)?.precision()),
        ("recall", &|u| at(u)?.recall()),
        ("f1", &|u| at(u)?.f1()),
        ("auc", &|u| with(&auc, u)),
        ("gauc", &per_user),
        ("log_loss", &|u| with(&log_loss, u)),
        ("brier", &|u| with(&brier, u)),
        ("ece", &|u| with(&|l, p| Ok(calibration(l, p, bins)?.ece), u)),
        ("predicted/observed", &|u| with(&|l, p| calibration(l, p, bins)?.ratio, u)),
    ];
    all.into_iter()
        .filter(|(name, _)| wanted(name))
        .filter(|(name, _)| threshold.is_some() || !["precision", "recall", "f1"].contains(name))
        .map(|(name, statistic)| {
            let sample = bootstrap_statistic(users.len(), resampling.replicates, resampling.seed, |weights| {
                let drawn: Vec<Vec<Scored>> = users
                    .iter()
                    .zip(weights)
                    .flat_map(|(rows, times)| std::iter::repeat_n(rows.clone(), *times as usize))
                    .collect();
                statistic(&drawn)
            });
            let interval = percentile_interval(&sample, 0.95).ok();
            MetricValue {
                name: name.to_owned(),
                slice: slice.to_owned(),
                value: statistic(&users).ok(),
                low: interval.map(|interval| interval.low),
                high: interval.map(|interval| interval.high),
                n: users.len() as u64,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_have_values_intervals_and_users() {
        let rows: Vec<Scored> = (0..400u32)
            .map(|i| Scored {
                user: i / 8,
                label: i % 4 == 0,
                p: if i % 4 == 0 { 0.5 } else { f64::from(i % 7) / 10.0 },
            })
            .collect();
        let all = metrics("later", &rows, Some(0.5), 1);
        let named = |name: &str| all.iter().find(|m| m.name == name).unwrap();
        assert_eq!(all.len(), 9);
        for metric in &all {
            let (value, low, high) = (metric.value.unwrap(), metric.low.unwrap(), metric.high.unwrap());
            assert!(low <= value && value <= high && metric.n == 50, "{metric:?}");
        }
        assert!((named("recall").value.unwrap() - 1.0).abs() < 1e-12);
        let labels: Vec<bool> = rows.iter().map(|r| r.label).collect();
        let p: Vec<f64> = rows.iter().map(|r| r.p).collect();
        assert_eq!(named("auc").value, auc(&labels, &p).ok());
        let one_class: Vec<Scored> = rows.iter().map(|r| Scored { label: true, ..*r }).collect();
        assert!(metrics("later", &one_class, Some(0.5), 1).iter().any(|m| m.name == "auc" && m.value.is_none()));
        assert_eq!(metrics("untrained", &rows, None, 1).len(), 6);
    }
}
