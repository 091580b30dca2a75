//! Rows of reports: metrics of lists with their intervals.

use mercer_reports::resample::{Interval, quantile_sorted};
use mercer_reports::{Measure, compare_paired};
use mercer_shared::wire::{Reference, ReportRow, Verdict};

use crate::reports::window_lists::{Lists, known};

/// Length of the lists that are evaluated.
pub(crate) const K: usize = 10;
/// Replicates of every interval.
pub(crate) const REPLICATES: usize = 2_000;
/// Seed of intervals and permutations.
pub(crate) const SEED: u64 = 7;

pub(crate) type PerUser = fn(&Lists, usize) -> f64;
pub(crate) const METRICS: [(&str, &str, PerUser); 7] = [
    (
        "ndcg@10",
        "sum of 1/log2(rank+1) over hits, divided by the ideal order's; binary gains; mean over users",
        |l, u| l.ndcg[u],
    ),
    ("recall@10", "hits / relevant items; mean over users", |l, u| l.hits(u) as f64 / l.truth[u].len().max(1) as f64),
    ("hit@10", "1 if there is a hit; mean over users", |l, u| f64::from(u8::from(l.hits(u) > 0))),
    ("mrr@10", "1 / rank of the first hit, 0 without; mean over users", |l, u| {
        l.first_hit(u).map_or(0.0, |rank| 1.0 / rank as f64)
    }),
    ("map@10", "sum of precision at each hit / relevant items (not cut at 10); mean over users", |l, u| {
        let (mut found, mut sum) = (0.0, 0.0);
        for (place, item) in l.lists[u].iter().enumerate() {
            if l.truth[u].binary_search(item).is_ok() {
                found += 1.0;
                sum += found / (place + 1) as f64;
            }
        }
        sum / l.truth[u].len().max(1) as f64
    }),
    ("precision@10", "hits / 10, also where the list is shorter; mean over users", |l, u| l.hits(u) as f64 / K as f64),
    ("f1@10", "2PR/(P+R) of precision and recall at 10, 0 without a hit; per user, then mean", |l, u| {
        // 2PR/(P+R) with P = h/k and R = h/n is 2h/(k+n).
        2.0 * l.hits(u) as f64 / (K + l.truth[u].len()) as f64
    }),
];

/// One-sided error of the comparison with popularity: the two ends of a 95 % interval.
const ALPHA: f64 = 0.025;

/// The row of a metric of the model's lists beside those of popularity, over the same users: with the verdict of the paired comparison.
pub(crate) fn paired_row(name: &str, label: &str, values: &[f64], popular: &[f64], formula: &str) -> ReportRow {
    let row = interval_row(name, label, values, popular, formula);
    match compare_paired(&known(values), &known(popular), ALPHA, REPLICATES, SEED) {
        Ok(paired) => ReportRow {
            verdict: Some(match paired.interval {
                interval if interval.low > 0.0 => Verdict::BetterThanPopularity,
                interval if interval.high < 0.0 => Verdict::WorseThanPopularity,
                _ => Verdict::WithinNoise,
            }),
            reference: paired.detectable.value.map(|value| Reference {
                label: "smallest difference from popularity that these users would show".to_owned(),
                value,
            }),
            ..row
        },
        Err(_) => ReportRow { verdict: Some(Verdict::InsufficientData), ..row },
    }
}

/// Interval of a statistic that resampling shifts, such as coverage, which is lower in every replicate because users are missing: the
/// percentile interval, moved by the difference between the value and the mean of the replicates.
pub(crate) fn shifted_interval(value: f64, sample: &[Measure]) -> Option<Interval> {
    let mut values: Vec<f64> = sample.iter().filter_map(|value| value.ok()).collect();
    if values.is_empty() || values.len() * 2 < sample.len() {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let shift = value - values.iter().sum::<f64>() / values.len() as f64;
    let at = |p| quantile_sorted(&values, p) + shift;
    Some(Interval { low: at(0.025), high: at(0.975), level: 0.95, replicates: values.len() })
}

pub(crate) fn interval_row(name: &str, label: &str, values: &[f64], popular: &[f64], formula: &str) -> ReportRow {
    let mut row = plain_row(name, label, None, values.len(), formula);
    match mercer_reports::bootstrap_mean(values, 0.95, REPLICATES, SEED) {
        Ok((mean, interval)) => {
            row.value = Some(mean);
            (row.low, row.high) = (Some(interval.low), Some(interval.high));
        }
        Err(reason) => row.undefined = Some(reason.to_string()),
    }
    row.baseline = (!popular.is_empty()).then(|| popular.iter().sum::<f64>() / popular.len() as f64);
    row
}

pub(crate) fn plain_row(name: &str, label: &str, value: Option<f64>, n: usize, formula: &str) -> ReportRow {
    ReportRow {
        name: name.to_owned(),
        label: label.to_owned(),
        value,
        n: n as u64,
        formula: formula.to_owned(),
        ..ReportRow::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_of_a_list_is_the_formula() {
        // Relevant: 1, 3, 6; list: 1 2 3 4 5. The first user of vector TV-R1.
        let lists = Lists {
            users: vec![0],
            truth: vec![vec![1, 3, 6]],
            lists: vec![vec![1, 2, 3, 4, 5]],
            ndcg: vec![mercer_rank::evaluate::ndcg(&[1, 2, 3, 4, 5], &[1, 3, 6], 5)],
        };
        let value = |name: &str| METRICS.iter().find(|metric| metric.0 == name).unwrap().2(&lists, 0);
        let close = |name, wanted: f64| assert!((value(name) - wanted).abs() < 1e-6, "{name} {}", value(name));
        close("map@10", 0.555_556);
        close("ndcg@10", 0.703_918);
        close("recall@10", 0.666_667);
        close("precision@10", 0.2);
        close("f1@10", 2.0 * 0.2 * (2.0 / 3.0) / (0.2 + 2.0 / 3.0));
        close("mrr@10", 1.0);
    }

    #[test]
    fn a_model_below_popularity_has_a_verdict() {
        let popular: Vec<f64> = (0..200).map(|user| f64::from(user % 5) / 5.0).collect();
        let worse: Vec<f64> = popular.iter().map(|value| value * 0.5).collect();
        let row = |mine: &[f64], popular: &[f64]| paired_row("ndcg@10/repeat", "x", mine, popular, "f").verdict;
        assert_eq!(row(&worse, &popular), Some(Verdict::WorseThanPopularity));
        assert_eq!(row(&popular, &worse), Some(Verdict::BetterThanPopularity));
        assert_eq!(row(&popular, &popular), Some(Verdict::WithinNoise));
        assert_eq!(row(&[], &[]), Some(Verdict::InsufficientData));
    }

    #[test]
    fn a_shifted_interval_holds_the_value() {
        // All replicates lie below the value, as those of coverage do.
        let sample: Vec<Measure> = (0..100).map(|n| Ok(0.5 + f64::from(n) / 1_000.0)).collect();
        let interval = shifted_interval(0.8, &sample).unwrap();
        assert!(interval.low < 0.8 && 0.8 < interval.high && interval.high - interval.low < 0.1);
        assert_eq!(shifted_interval(0.8, &[]), None);
    }
}
