//! Rows of reports: metrics of lists with their intervals.

use mercer_shared::wire::ReportRow;

use crate::reports::window_lists::Lists;

/// Length of the lists that are evaluated.
pub(crate) const K: usize = 10;
/// Replicates of every interval.
pub(crate) const REPLICATES: usize = 2_000;
/// Seed of intervals and permutations.
pub(crate) const SEED: u64 = 7;

pub(crate) type PerUser = fn(&Lists, usize) -> f64;
pub(crate) const METRICS: [(&str, &str, PerUser); 4] = [
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
];

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
        undefined: None,
        low: None,
        high: None,
        n: n as u64,
        baseline: None,
        formula: formula.to_owned(),
        verdict: None,
    }
}
