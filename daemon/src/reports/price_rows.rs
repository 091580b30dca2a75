//! Rows of a mitigation's price: accuracy, reach and concentration before and after, with paired intervals. The groups of shoppers are in
//! `price_groups`.

use mercer_rank::Snapshot;
use mercer_rank::evaluate::{GroundTruth, ndcg};
use mercer_reports::attention::Attention;
use mercer_reports::resample::{bootstrap_statistic, percentile_interval};
use mercer_reports::{Measure, PairedComparison, Undefined, compare_paired, diversity};
use mercer_shared::wire::{MitigationPrice, PriceRow};
use rustc_hash::FxHashMap;

use crate::reports::rows::{K, REPLICATES, SEED};
use crate::reports::window_lists::known;

/// Replicates of the intervals of metrics over the whole catalogue, which cost more than means.
const CATALOGUE_REPLICATES: usize = 400;
/// One-sided error of the lower end of a 95 % interval.
pub(crate) const ALPHA: f64 = 0.025;
/// Share of the purchases that the short head covers (METRICS.md section 3).
const HEAD: f64 = 0.8;

/// The lists of the same users before and after, in the same order.
#[derive(Debug, Default)]
pub(crate) struct PricedLists {
    /// Slots of the users.
    pub(crate) users: Vec<u32>,
    /// The first items without the mitigations.
    pub(crate) before: Vec<Vec<u32>>,
    /// The first items with them.
    pub(crate) after: Vec<Vec<u32>>,
    /// NDCG@10 of those.
    pub(crate) ndcg_before: Vec<f64>,
    /// NDCG@10 of these.
    pub(crate) ndcg_after: Vec<f64>,
}

impl PricedLists {
    /// Adds a user's lists.
    pub(crate) fn push(&mut self, entry: &GroundTruth, before: Vec<u32>, after: Vec<u32>) {
        self.users.push(entry.user);
        self.ndcg_before.push(ndcg(&before, &entry.items, K));
        self.ndcg_after.push(ndcg(&after, &entry.items, K));
        self.before.push(before);
        self.after.push(after);
    }
}

/// Paired comparison of NDCG after with NDCG before, over all users.
fn compared(lists: &PricedLists) -> Result<PairedComparison, Undefined> {
    compare_paired(&known(&lists.ndcg_after), &known(&lists.ndcg_before), ALPHA, REPLICATES, SEED)
}

/// Adds the rows over all users to a price.
pub(crate) fn fill(snapshot: &Snapshot, lists: &PricedLists, price: &mut MitigationPrice) {
    let text = RowText { name: "ndcg@10".into(), label: "accuracy of the first ten".into(), formula: NDCG };
    price.rows.push(text.mean_row(compared(lists), lists.users.len()));
    price.rows.extend(catalogue_rows(snapshot, lists));
}

const NDCG: &str =
    "sum of 1/log2(rank+1) over hits, divided by the ideal order's; mean over users; paired Poisson bootstrap";

/// Name, label and formula of a row.
pub(crate) struct RowText {
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) formula: &'static str,
}

impl RowText {
    /// The row without numbers.
    pub(crate) fn row(self, n: usize) -> PriceRow {
        PriceRow {
            name: self.name,
            label: self.label,
            before: None,
            after: None,
            difference: None,
            low: None,
            high: None,
            p: None,
            n: n as u64,
            undefined: None,
            formula: self.formula.to_owned(),
        }
    }

    /// The row of a paired comparison.
    pub(crate) fn mean_row(self, compared: Result<PairedComparison, Undefined>, n: usize) -> PriceRow {
        let mut row = self.row(n);
        match compared {
            Ok(pair) => {
                (row.before, row.after, row.difference) =
                    (Some(pair.comparator), Some(pair.candidate), Some(pair.difference));
                (row.low, row.high, row.p) = (Some(pair.interval.low), Some(pair.interval.high), Some(pair.p));
                row.n = pair.n_used as u64;
            }
            Err(reason) => row.undefined = Some(reason.to_string()),
        }
        row
    }
}

/// How often each item was shown, and the same weighted by position, as the diversity report counts the tail.
struct Shown {
    counts: Vec<f64>,
    attention: Vec<f64>,
}

/// A metric of how often each item was shown.
struct CatalogueMetric {
    name: &'static str,
    label: &'static str,
    formula: &'static str,
    value: fn(&Shown, &[f64]) -> Measure,
}

/// What was shown and tail membership in, the value out.
const CATALOGUE: [CatalogueMetric; 4] = [
    CatalogueMetric {
        name: "coverage@10",
        label: "share of eligible items shown to anybody",
        formula: "items in at least one list / items that are not hidden",
        value: |shown, _| diversity::coverage(&shown.counts),
    },
    CatalogueMetric {
        name: "gini@10",
        label: "concentration of exposure, 0 even, 1 one item",
        formula: "sum (2i-n-1) c_(i) / (n sum c), zeros included",
        value: |shown, _| diversity::gini(&shown.counts),
    },
    CatalogueMetric {
        name: "effective-items@10",
        label: "items that share the exposure as if evenly",
        formula: "exp(-sum p ln p)",
        value: |shown, _| diversity::effective_items(&shown.counts),
    },
    CatalogueMetric {
        name: "long-tail-share@10",
        label: "exposure of the long tail",
        formula: "exposure 1/log2(1+rank); tail: items beyond the smallest set with 80 % of purchases, unsold ones included",
        value: |shown, tail| diversity::tail_share(&shown.attention, tail),
    },
];

/// Items that may be shown, by place, and what belongs to the tail.
struct Shelf {
    place: FxHashMap<u32, usize>,
    tail: Result<Vec<f64>, Undefined>,
}

impl Shelf {
    fn of(snapshot: &Snapshot) -> Self {
        let facts = (0_u32..).zip(snapshot.catalogue.iter());
        let eligible: Vec<u32> = facts.filter(|(_, facts)| !facts.hidden).map(|(number, _)| number).collect();
        let sold = |item: &u32| snapshot.index.stats(*item).map_or(0.0, |stats| f64::from(stats.count));
        let purchases: Vec<f64> = eligible.iter().map(sold).collect();
        Self { place: eligible.into_iter().zip(0..).collect(), tail: diversity::tail_membership(&purchases, HEAD) }
    }

    fn places(&self, lists: &[Vec<u32>]) -> Vec<Vec<usize>> {
        lists.iter().map(|list| list.iter().filter_map(|item| self.place.get(item).copied()).collect()).collect()
    }

    /// What is shown where each user counts `weights` times.
    fn shown(&self, lists: &[Vec<usize>], weights: impl Iterator<Item = u32>) -> Shown {
        let mut shown = Shown { counts: vec![0.0; self.place.len()], attention: vec![0.0; self.place.len()] };
        for (list, weight) in lists.iter().zip(weights).filter(|(_, weight)| *weight > 0) {
            for (position, &place) in list.iter().enumerate() {
                shown.counts[place] += f64::from(weight);
                shown.attention[place] += f64::from(weight) * Attention::Logarithmic.at(position);
            }
        }
        shown
    }

    fn value(&self, metric: &CatalogueMetric, shown: &Shown) -> Measure {
        let tail = self.tail.as_ref().map_err(|reason| *reason);
        // Only the share of the tail needs to know the tail.
        if metric.name.starts_with("long-tail") { (metric.value)(shown, tail?) } else { (metric.value)(shown, &[]) }
    }
}

fn catalogue_rows(snapshot: &Snapshot, lists: &PricedLists) -> Vec<PriceRow> {
    let shelf = Shelf::of(snapshot);
    let (before, after) = (shelf.places(&lists.before), shelf.places(&lists.after));
    let users = lists.users.len();
    let difference = |metric: &CatalogueMetric, shown: &[Shown; 2]| -> Measure {
        Ok(shelf.value(metric, &shown[1])? - shelf.value(metric, &shown[0])?)
    };
    let mut samples: [Vec<Measure>; 4] = Default::default();
    bootstrap_statistic(users, CATALOGUE_REPLICATES, SEED, |weights| {
        let shown = [&before, &after].map(|lists| shelf.shown(lists, weights.iter().copied()));
        for (sample, metric) in samples.iter_mut().zip(&CATALOGUE) {
            sample.push(difference(metric, &shown));
        }
        Ok(0.0)
    });
    let whole = [&before, &after].map(|lists| shelf.shown(lists, std::iter::repeat_n(1, users)));
    let row = |(metric, sample): (&CatalogueMetric, &Vec<Measure>)| {
        let text = RowText { name: metric.name.into(), label: metric.label.into(), formula: metric.formula };
        let mut row = text.row(users);
        let values = whole.each_ref().map(|shown| shelf.value(metric, shown));
        match (values[0], values[1]) {
            (Ok(before), Ok(after)) => {
                (row.before, row.after, row.difference) = (Some(before), Some(after), Some(after - before));
                let interval = percentile_interval(sample, 0.95).ok();
                (row.low, row.high) = (interval.as_ref().map(|i| i.low), interval.as_ref().map(|i| i.high));
            }
            (Err(reason), _) | (_, Err(reason)) => row.undefined = Some(reason.to_string()),
        }
        row
    };
    CATALOGUE.iter().zip(&samples).map(row).collect()
}
