//! The diversity report: coverage, concentration, dissimilarity, long tail, novelty, calibration, popularity lift (METRICS.md section 3).

use std::collections::BTreeSet;

use mercer_rank::stable_key;
use mercer_reports::attention::Attention;
use mercer_reports::{Measure, Undefined, bootstrap_statistic, diversity as d, novelty::novelty_of_list};
use mercer_shared::wire::{Reference, Report, ReportRow, Verdict};

use crate::reports::concentration;
use crate::reports::evaluated::Evaluated;
use crate::reports::exposure_curve::exposure_curve;
use crate::reports::list_facts::{CatalogueFacts, ListFacts, Vectors};
use crate::reports::rows::{REPLICATES, SEED, interval_row, plain_row, shifted_interval};
use crate::state::problems::Answer;
use crate::state::report_cache::PerUserSeries;

/// Replicates of the intervals of exposure counts, each of which counts all lists again.
const COUNT_REPLICATES: usize = 200;
/// Items of which pairs are drawn for the reference of dissimilarity.
const SAMPLE: usize = 200;

/// Which way a number is better for shop and shoppers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Better {
    High,
    Low,
    Neither,
}

impl Better {
    /// The verdict on a value with its interval against popularity.
    fn verdict(self, row: &ReportRow) -> Option<Verdict> {
        let (low, high, popular) = (row.low?, row.high?, row.baseline?);
        let higher = if low > popular { Some(true) } else { (high < popular).then_some(false) };
        match (self, higher) {
            (Self::Neither, _) => None,
            (_, None) => Some(Verdict::WithinNoise),
            (Self::High, Some(true)) | (Self::Low, Some(false)) => Some(Verdict::BetterThanPopularity),
            _ => Some(Verdict::WorseThanPopularity),
        }
    }
}

/// A number of the exposure counts.
struct Counted {
    name: &'static str,
    label: &'static str,
    formula: &'static str,
    number: Option<u8>,
    better: Better,
    value: fn(&[f64]) -> Measure,
}

/// The numbers of the exposure counts, in the order of the report.
const COUNTED: &[Counted] = &[
    Counted {
        name: "coverage@10",
        label: "share of eligible items shown to anybody",
        formula: "items in at least one list / items that are not hidden; grows with the number of users; interval by bootstrap over users, \
                  moved to the value because every replicate misses users",
        number: Some(5),
        better: Better::High,
        value: d::coverage,
    },
    Counted {
        name: "never-shown@10",
        label: "share of eligible items never shown",
        formula: "1 - coverage: dead stock as far as these lists go",
        number: Some(5),
        better: Better::Low,
        value: |counts| d::coverage(counts).map(|coverage| 1.0 - coverage),
    },
    Counted {
        name: "gini@10",
        label: "concentration of exposure, 0 even, 1 one item",
        formula: "sum (2i-n-1) c_(i) / (n sum c), zeros included; c counts places in lists",
        number: Some(6),
        better: Better::Low,
        value: d::gini,
    },
    Counted {
        name: "effective-items@10",
        label: "items that share the exposure as if evenly",
        formula: "exp(-sum p ln p)",
        number: Some(6),
        better: Better::High,
        value: d::effective_items,
    },
];

/// Rows of the diversity report and the values per user that they rest on.
///
/// # Errors
/// The model thread's.
pub(crate) fn rows(evaluated: &Evaluated<'_>, report: &mut Report) -> Answer<Vec<PerUserSeries>> {
    let items = CatalogueFacts::of(evaluated);
    let sample = sample(evaluated, &items);
    let (mine, popular) = (&evaluated.any, &evaluated.popular);
    let shown = mine.lists.iter().chain(&popular.lists).flatten().copied();
    let vectors = Vectors::of(evaluated, shown.chain(sample.iter().copied()).collect())?;
    let facts = ListFacts::of(evaluated, &items, mine, &vectors);
    let baseline = ListFacts::of(evaluated, &items, popular, &vectors);
    report.rows.extend(COUNTED.iter().map(|metric| counted(metric, &facts, &baseline, items.eligible.items.len())));
    let mut per_user = Vec::new();
    for metric in per_list(&items, &facts, &baseline) {
        let (row, series) = metric.row(&mine.users);
        report.rows.push(row);
        per_user.push(series);
    }
    if let (Some(row), Ok(value)) =
        (report.rows.iter_mut().find(|row| row.name == "ild@10"), vectors.dissimilarity(&sample))
    {
        row.reference = Some(Reference { label: "random pairs of the catalogue".to_owned(), value });
    }
    report.rows.extend(tail(&items, &facts, &baseline));
    report.rows.extend(concentration::lift(evaluated, &items, &facts));
    report.rows.extend(concentration::shares(evaluated, &items, &facts, &baseline));
    report.curves.extend(facts.counts.as_ref().ok().and_then(|counts| exposure_curve(counts)));
    Ok(per_user)
}

/// Eligible items that stand for the catalogue: the same ones for every version.
fn sample(evaluated: &Evaluated<'_>, items: &CatalogueFacts) -> Vec<u32> {
    let key = |item: u32| evaluated.view.item(item).map_or(0, |item| stable_key(item.id.as_str()));
    let keyed: BTreeSet<(u64, u32)> = items.eligible.items.iter().map(|&item| (key(item), item)).collect();
    keyed.into_iter().take(SAMPLE).map(|(_, item)| item).collect()
}

fn counted(metric: &Counted, facts: &ListFacts, baseline: &ListFacts, catalogue: usize) -> ReportRow {
    let value = facts.counted(metric.value);
    let mut row = plain_row(metric.name, metric.label, value.ok(), facts.lists.len(), metric.formula);
    row.undefined = value.err().map(|reason| reason.to_string());
    row.baseline = baseline.counted(metric.value).ok();
    row.number = metric.number;
    if let Ok(value) = value {
        let sample = bootstrap_statistic(facts.lists.len(), COUNT_REPLICATES, SEED, |weights| {
            let mut counts = vec![0.0; catalogue];
            for (list, weight) in facts.lists.iter().zip(weights) {
                for &item in list {
                    counts[item as usize] += f64::from(*weight);
                }
            }
            (metric.value)(&counts)
        });
        let interval = shifted_interval(value, &sample);
        // Moved to the value, an interval may leave the range of a share; effective items have no upper bound.
        let most = if metric.name.starts_with("effective") { f64::INFINITY } else { 1.0 };
        (row.low, row.high) = (interval.map(|i| i.low.max(0.0)), interval.map(|i| i.high.min(most)));
    }
    row.verdict = metric.better.verdict(&row);
    row
}

/// A number that is a mean over users.
struct PerList {
    name: &'static str,
    label: &'static str,
    formula: &'static str,
    number: Option<u8>,
    better: Better,
    mine: Vec<Measure>,
    popular: Vec<Measure>,
}

impl PerList {
    fn row(self, users: &[u32]) -> (ReportRow, PerUserSeries) {
        let known = |values: &[Measure]| -> Vec<f64> { values.iter().filter_map(|value| value.ok()).collect() };
        let (values, popular) = (known(&self.mine), known(&self.popular));
        let mut row = interval_row(self.name, self.label, &values, &popular, self.formula);
        (row.n_total, row.number) = (Some(self.mine.len() as u64), self.number);
        if values.is_empty() {
            row.undefined = self.mine.first().and_then(|value| value.err()).map(|reason| reason.to_string());
        }
        row.verdict = self.better.verdict(&row);
        let with_value = users.iter().zip(&self.mine).filter(|(_, value)| value.is_ok());
        let users = with_value.map(|(user, _)| *user).collect();
        (row, PerUserSeries { name: self.name.to_owned(), users, values })
    }
}

fn per_list(items: &CatalogueFacts, facts: &ListFacts, baseline: &ListFacts) -> [PerList; 3] {
    let novelty = |facts: &ListFacts| facts.lists.iter().map(|list| novelty_of_list(list, &items.buyers)).collect();
    [
        PerList {
            name: "ild@10",
            label: "dissimilarity within a list, by the untuned encoder",
            formula: "mean over pairs of 1 - cosine by the base encoder; mean over lists; read it against random pairs of the catalogue",
            number: Some(9),
            better: Better::High,
            mine: facts.dissimilarity.clone(),
            popular: baseline.dissimilarity.clone(),
        },
        PerList {
            name: "novelty@10",
            label: "surprise in bits",
            formula: "mean -log2(n_i / N) over the list, mean over lists; n_i: distinct buyers of the 90 days before the window, N: their sum \
                      over items; an item without buyers counts 1 of N + 1",
            number: None,
            better: Better::Neither,
            mine: novelty(facts),
            popular: novelty(baseline),
        },
        PerList {
            name: "calibration-kl@10",
            label: "departure from the shopper's own mix of categories",
            formula: "sum p ln(p/q'), q' = 0.99 q + 0.01 p, in nats, 0 mirrors the history; p: categories of purchases with a half-life of 90 \
                      days, q: of the list; shoppers with 5 categorised purchases; mean over them",
            number: Some(10),
            better: Better::Low,
            mine: facts.miscalibration.clone(),
            popular: baseline.miscalibration.clone(),
        },
    ]
}

/// Exposure and relevance of one user, whole and in the tail.
#[derive(Clone, Copy, Default)]
struct TailPart {
    shown: f64,
    shown_tail: f64,
    wanted: f64,
    wanted_tail: f64,
}

fn tail_parts(items: &CatalogueFacts, facts: &ListFacts) -> Result<Vec<TailPart>, Undefined> {
    let tail = items.tail.as_ref().map_err(|reason| *reason)?;
    let part = |(list, truth): (&Vec<u32>, &Vec<u32>)| {
        let mut part = TailPart::default();
        for (position, &item) in list.iter().enumerate() {
            let attention = Attention::Logarithmic.at(position);
            part.shown += attention;
            part.shown_tail += attention * tail[item as usize];
        }
        part.wanted = truth.len() as f64;
        part.wanted_tail = truth.iter().map(|&item| tail[item as usize]).sum();
        part
    };
    Ok(facts.lists.iter().zip(&facts.truth).map(part).collect())
}

/// Tail share of exposure, and the same over the tail share of relevance.
fn tail(items: &CatalogueFacts, facts: &ListFacts, baseline: &ListFacts) -> [ReportRow; 2] {
    let share =
        |sum: &TailPart| if sum.shown > 0.0 { Ok(sum.shown_tail / sum.shown) } else { Err(Undefined::NoObservations) };
    let merit = |sum: &TailPart| {
        let relevance = if sum.wanted > 0.0 { sum.wanted_tail / sum.wanted } else { 0.0 };
        if relevance > 0.0 { share(sum).map(|exposure| exposure / relevance) } else { Err(Undefined::ZeroDenominator) }
    };
    let formula = "exposure 1/log2(1+rank) on tail items / all exposure; tail: items beyond the smallest set with 80 % of the purchases \
                   before the window, unsold ones included; interval by bootstrap over users";
    let of_merit =
        "the same over the tail's share of the purchases of the window: below 1, hits are pushed beyond their merit";
    let row = |name: &str, label: &str, formula: &str, metric: &dyn Fn(&TailPart) -> Measure| {
        let whole = |facts| tail_parts(items, facts).and_then(|parts| metric(&add(&parts, &vec![1; parts.len()])));
        let value = whole(facts);
        let mut row = plain_row(name, label, value.ok(), facts.lists.len(), formula);
        row.undefined = value.err().map(|reason| reason.to_string());
        row.baseline = whole(baseline).ok();
        let parts = tail_parts(items, facts).unwrap_or_default();
        let sample = bootstrap_statistic(parts.len(), REPLICATES, SEED, |weights| metric(&add(&parts, weights)));
        let interval = mercer_reports::resample::percentile_interval(&sample, 0.95).ok().filter(|_| value.is_ok());
        (row.low, row.high) = (interval.map(|i| i.low), interval.map(|i| i.high));
        row.verdict = Better::High.verdict(&row);
        row
    };
    let ratio = row("long-tail-merit@10", "long-tail exposure over long-tail relevance", of_merit, &merit);
    [row("long-tail-share@10", "exposure of the long tail", formula, &share), ReportRow { number: Some(7), ..ratio }]
}

fn add(parts: &[TailPart], weights: &[u32]) -> TailPart {
    parts.iter().zip(weights).fold(TailPart::default(), |sum, (part, weight)| {
        let weight = f64::from(*weight);
        TailPart {
            shown: sum.shown + weight * part.shown,
            shown_tail: sum.shown_tail + weight * part.shown_tail,
            wanted: sum.wanted + weight * part.wanted,
            wanted_tail: sum.wanted_tail + weight * part.wanted_tail,
        }
    })
}

#[cfg(test)]
mod tests;
