//! Metrics of predicted probabilities on labelled rows, with intervals from resampling users (METRICS.md section 1).

use std::collections::BTreeMap;

use mercer_reports::calibration_error::{self, CalibrationError, calibration_error};
use mercer_reports::classification::{
    Binning, GaucWeight, Labelled, auc, brier, calibration, confusion, gauc, log_loss,
};
use mercer_reports::resample::percentile_interval;
use mercer_reports::{Measure, Undefined, bootstrap_statistic};
use mercer_shared::wire::MetricValue;

/// Bins of the calibration error (METRICS.md section 1).
const BINS: usize = 15;
/// Bins of equal width, for the second opinion.
const WIDTHS: usize = 10;
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

/// Labels and probabilities of each user.
fn columns(users: &[Vec<Scored>]) -> Vec<(Vec<bool>, Vec<f64>)> {
    users.iter().map(|rows| rows.iter().map(|row| (row.label, row.p)).unzip()).collect()
}

fn labelled(columns: &[(Vec<bool>, Vec<f64>)]) -> Vec<Labelled<'_>> {
    columns.iter().map(|(labels, scores)| Labelled { labels, scores }).collect()
}

fn per_user(users: &[Vec<Scored>]) -> Measure {
    Ok(gauc(&labelled(&columns(users)), GaucWeight::Impressions)?.value)
}

/// Metrics of the calibration error, see [`calibration_errors`].
const ERRORS: [&str; 5] = ["ece", "ece_plain", "ece_chance", "ece_width", "mce"];

/// The calibration error: `ece` without what chance adds, with its interval; `ece_plain`, as other tools print it; `ece_chance`, what a
/// perfectly calibrated model would show on these rows, with the value it exceeds once in twenty logs as its upper end; and `mce`, the
/// largest error of a bin, which chance makes larger still. All these by bins of equal mass, `ece_width` as `ece` by bins of equal width.
fn calibration_errors(slice: &str, users: &[Vec<Scored>], resampling: Resampling) -> [MetricValue; 5] {
    let Resampling { seed, replicates } = resampling;
    let options = calibration_error::Resampling { level: 0.95, replicates, seed };
    let columns = columns(users);
    let rows = labelled(&columns);
    let measured = |binning| calibration_error(&rows, binning, options).ok();
    let (mass, width) = (measured(Binning::EqualMass(BINS)), measured(Binning::EqualWidth(WIDTHS)));
    // The plug-in values need no second user, so one user has them too.
    let (labels, p) = flat(users);
    let plain = calibration(&labels, &p, Binning::EqualMass(BINS)).ok();
    let value = |name: &str, value: Option<f64>, bounds: Option<(f64, f64)>| MetricValue {
        name: name.to_owned(),
        slice: slice.to_owned(),
        value,
        low: bounds.map(|(low, _)| low),
        high: bounds.map(|(_, high)| high),
        n: users.len() as u64,
    };
    let debiased = |name: &str, found: Option<CalibrationError>| {
        value(name, found.map(|found| found.debiased), found.map(|found| (found.interval.low, found.interval.high)))
    };
    [
        debiased("ece", mass),
        value("ece_plain", plain.map(|plain| plain.ece), None),
        value("ece_chance", mass.map(|found| found.chance), mass.map(|found| (0.0, found.chance_high))),
        debiased("ece_width", width),
        value("mce", plain.map(|plain| plain.mce), None),
    ]
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
    let all: [(&str, Statistic<'_>); 8] = [
        ("precision", &|u| at(u)?.precision()),
        ("recall", &|u| at(u)?.recall()),
        ("f1", &|u| at(u)?.f1()),
        ("auc", &|u| with(&auc, u)),
        ("gauc", &per_user),
        ("log_loss", &|u| with(&log_loss, u)),
        ("brier", &|u| with(&brier, u)),
        ("predicted/observed", &|u| with(&|l, p| calibration(l, p, bins)?.ratio, u)),
    ];
    let measured = all
        .into_iter()
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
        });
    let errors = ERRORS.into_iter().any(wanted);
    let calibrated = errors.then(|| calibration_errors(slice, &users, resampling)).into_iter().flatten();
    measured.chain(calibrated.filter(|metric| wanted(&metric.name))).collect()
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
        assert_eq!(all.len(), 13);
        for metric in all.iter().filter(|metric| !["ece_plain", "mce"].contains(&metric.name.as_str())) {
            let (value, low, high) = (metric.value.unwrap(), metric.low.unwrap(), metric.high.unwrap());
            assert!(low <= value && value <= high && metric.n == 50, "{metric:?}");
        }
        let (debiased, plain) = (named("ece").value.unwrap(), named("ece_plain").value.unwrap());
        assert!(debiased <= plain && named("ece_plain").low.is_none(), "{debiased} {plain}");
        assert!(plain <= named("mce").value.unwrap());
        assert!((named("recall").value.unwrap() - 1.0).abs() < 1e-12);
        let labels: Vec<bool> = rows.iter().map(|r| r.label).collect();
        let p: Vec<f64> = rows.iter().map(|r| r.p).collect();
        assert_eq!(named("auc").value, auc(&labels, &p).ok());
        let one_class: Vec<Scored> = rows.iter().map(|r| Scored { label: true, ..*r }).collect();
        assert!(metrics("later", &one_class, Some(0.5), 1).iter().any(|m| m.name == "auc" && m.value.is_none()));
        assert_eq!(metrics("untrained", &rows, None, 1).len(), 10);
    }

    #[test]
    fn a_calibrated_model_has_an_interval_that_holds_zero() {
        // Every label agrees with its probability as far as so few rows can.
        let rows: Vec<Scored> = (0..600u32)
            .map(|i| Scored { user: i / 6, label: (i * 37 + i / 20) % 10 < i % 10, p: f64::from(i % 10) / 10.0 })
            .collect();
        let all = metrics("later", &rows, None, 1);
        let named = |name: &str| all.iter().find(|m| m.name == name).unwrap();
        assert!(named("ece_plain").value.unwrap() <= named("ece_chance").high.unwrap(), "{all:?}");
        assert_eq!(named("ece").low, Some(0.0), "{all:?}");
    }
}
