//! Rows of a mitigation's price: accuracy, reach, concentration and the group that is served worst, before and after, with paired intervals.

use std::collections::{BTreeMap, BTreeSet};

use mercer_rank::Snapshot;
use mercer_rank::evaluate::{GroundTruth, ndcg};
use mercer_reports::resample::{bootstrap_statistic, percentile_interval};
use mercer_reports::small_groups::{rounded_mean, rounded_size};
use mercer_reports::{GroupOptions, Measure, PairedComparison, Undefined, compare_paired, diversity};
use mercer_shared::wire::{MitigationPrice, PriceRow};
use rustc_hash::FxHashMap;

use crate::reports::history_length::HistoryLengths;
use crate::reports::rows::{K, REPLICATES, SEED};
use crate::state::app::App;
use crate::state::shop::ShopState;

/// Replicates of the intervals of metrics over the whole catalogue, which cost more than means.
const CATALOGUE_REPLICATES: usize = 400;
/// One-sided error of the lower end of a 95 % interval.
const ALPHA: f64 = 0.025;
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
    ndcg_before: Vec<f64>,
    ndcg_after: Vec<f64>,
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

    /// Paired comparison of NDCG over the users that `is_member` names by place.
    fn compared(&self, is_member: impl Fn(usize) -> bool) -> Result<PairedComparison, Undefined> {
        let values = |all: &[f64]| -> Vec<Option<f64>> {
            all.iter().enumerate().map(|(place, value)| is_member(place).then_some(*value)).collect()
        };
        compare_paired(&values(&self.ndcg_after), &values(&self.ndcg_before), ALPHA, REPLICATES, SEED)
    }
}

/// Adds all rows to a price.
pub(crate) fn fill(app: &App, view: &ShopState, snapshot: &Snapshot, lists: &PricedLists, price: &mut MitigationPrice) {
    let text = RowText { name: "ndcg@10".into(), label: "accuracy of the first ten".into(), formula: NDCG };
    price.rows.push(text.mean_row(lists.compared(|_| true), lists.users.len()));
    price.rows.extend(catalogue_rows(snapshot, lists));
    worst_groups(app, view, snapshot, lists, price);
}

const NDCG: &str =
    "sum of 1/log2(rank+1) over hits, divided by the ideal order's; mean over users; paired Poisson bootstrap";
const WORST: &str =
    "mean ndcg@10 of the lowest group before, of those with at least 30 users; paired Poisson bootstrap over its users";

/// Name, label and formula of a row.
struct RowText {
    name: String,
    label: String,
    formula: &'static str,
}

impl RowText {
    fn row(self, n: usize) -> PriceRow {
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

    fn mean_row(self, compared: Result<PairedComparison, Undefined>, n: usize) -> PriceRow {
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

/// A metric of how often each item was shown.
struct CatalogueMetric {
    name: &'static str,
    label: &'static str,
    formula: &'static str,
    value: fn(&[f64], &[f64]) -> Measure,
}

/// Counts and tail membership in, the value out.
const CATALOGUE: [CatalogueMetric; 4] = [
    CatalogueMetric {
        name: "coverage@10",
        label: "share of eligible items shown to anybody",
        formula: "items in at least one list / items that are not hidden",
        value: |counts, _| diversity::coverage(counts),
    },
    CatalogueMetric {
        name: "gini@10",
        label: "concentration of exposure, 0 even, 1 one item",
        formula: "sum (2i-n-1) c_(i) / (n sum c), zeros included",
        value: |counts, _| diversity::gini(counts),
    },
    CatalogueMetric {
        name: "effective-items@10",
        label: "items that share the exposure as if evenly",
        formula: "exp(-sum p ln p)",
        value: |counts, _| diversity::effective_items(counts),
    },
    CatalogueMetric {
        name: "long-tail-share@10",
        label: "exposure of the long tail",
        formula: "tail: items beyond the smallest set with 80 % of purchases, unsold ones included",
        value: diversity::tail_share,
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

    /// How often each item is shown where each user counts `weights` times.
    fn counts(&self, lists: &[Vec<usize>], weights: impl Iterator<Item = u32>) -> Vec<f64> {
        let mut counts = vec![0.0; self.place.len()];
        for (list, weight) in lists.iter().zip(weights).filter(|(_, weight)| *weight > 0) {
            list.iter().for_each(|&place| counts[place] += f64::from(weight));
        }
        counts
    }

    fn value(&self, metric: &CatalogueMetric, counts: &[f64]) -> Measure {
        let tail = self.tail.as_ref().map_err(|reason| *reason);
        // Only the share of the tail needs to know the tail.
        if metric.name.starts_with("long-tail") { (metric.value)(counts, tail?) } else { (metric.value)(counts, &[]) }
    }
}

fn catalogue_rows(snapshot: &Snapshot, lists: &PricedLists) -> Vec<PriceRow> {
    let shelf = Shelf::of(snapshot);
    let (before, after) = (shelf.places(&lists.before), shelf.places(&lists.after));
    let users = lists.users.len();
    let difference = |metric: &CatalogueMetric, counts: &[Vec<f64>; 2]| -> Measure {
        Ok(shelf.value(metric, &counts[1])? - shelf.value(metric, &counts[0])?)
    };
    let mut samples: [Vec<Measure>; 4] = Default::default();
    bootstrap_statistic(users, CATALOGUE_REPLICATES, SEED, |weights| {
        let counts = [&before, &after].map(|lists| shelf.counts(lists, weights.iter().copied()));
        for (sample, metric) in samples.iter_mut().zip(&CATALOGUE) {
            sample.push(difference(metric, &counts));
        }
        Ok(0.0)
    });
    let whole = [&before, &after].map(|lists| shelf.counts(lists, std::iter::repeat_n(1, users)));
    let row = |(metric, sample): (&CatalogueMetric, &Vec<Measure>)| {
        let text = RowText { name: metric.name.into(), label: metric.label.into(), formula: metric.formula };
        let mut row = text.row(users);
        let values = whole.each_ref().map(|counts| shelf.value(metric, counts));
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

/// One group of users by place.
struct Group {
    attribute: String,
    name: String,
    members: BTreeSet<usize>,
}

impl Group {
    fn mean(&self, values: &[f64]) -> f64 {
        self.members.iter().map(|&place| values[place]).sum::<f64>() / self.members.len() as f64
    }
}

/// The groups that are large enough for their means to be shown: by declared attributes of users who agreed to audits, and by history.
fn groups(app: &App, view: &ShopState, snapshot: &Snapshot, lists: &PricedLists) -> Vec<Group> {
    let mut members: BTreeMap<(String, String), BTreeSet<usize>> = BTreeMap::new();
    let named = &app.config.reports.protected;
    for (place, &user) in lists.users.iter().enumerate() {
        let Some(subject) = view.subject(user) else { continue };
        for (attribute, value) in &subject.attributes {
            let open = app.config.consent.audits(attribute, subject.consent, subject.explicit);
            if open && (named.is_empty() || named.contains(attribute)) {
                members.entry((attribute.clone(), value.clone())).or_default().insert(place);
            }
        }
    }
    let target = snapshot.index.summary().target;
    let lengths = HistoryLengths::of(&snapshot.log, target, snapshot.index.at(), lists.users.iter().copied());
    for (place, &user) in lists.users.iter().enumerate() {
        let name = if lengths.is_heavy(user) { "heavy" } else { "light" };
        members.entry(("history".to_owned(), name.to_owned())).or_default().insert(place);
    }
    let least = GroupOptions::default().compare_from;
    let group = |((attribute, name), members)| Group { attribute, name, members };
    members.into_iter().map(group).filter(|group| group.members.len() >= least).collect()
}

/// The group with the lowest mean; of equals the first by name.
fn lowest<'a>(groups: impl Iterator<Item = &'a Group>, values: &[f64]) -> Option<&'a Group> {
    groups.min_by(|a, b| a.mean(values).total_cmp(&b.mean(values)))
}

/// The row of a group with its size in tens and its means rounded, as the fairness report tells them.
fn hidden_exactly(mut row: PriceRow) -> PriceRow {
    row.n = rounded_size(row.n as usize) as u64;
    for number in [&mut row.before, &mut row.after, &mut row.low, &mut row.high] {
        *number = number.map(rounded_mean);
    }
    row.difference = row.after.zip(row.before).map(|(after, before)| after - before);
    row
}

fn worst_groups(app: &App, view: &ShopState, snapshot: &Snapshot, lists: &PricedLists, price: &mut MitigationPrice) {
    let groups = groups(app, view, snapshot, lists);
    let attributes: BTreeSet<&str> = groups.iter().map(|group| group.attribute.as_str()).collect();
    for attribute in &attributes {
        let of = || groups.iter().filter(|group| group.attribute == *attribute);
        // One group alone is not worse than another.
        if of().count() < 2 {
            continue;
        }
        let Some(worst) = lowest(of(), &lists.ndcg_before) else { continue };
        let label = format!("worst group by {attribute}: {}", worst.name);
        let text = RowText { name: format!("worst-group/{attribute}"), label, formula: WORST };
        let row = text.mean_row(lists.compared(|place| worst.members.contains(&place)), worst.members.len());
        price.rows.push(hidden_exactly(row));
        if let Some(after) = lowest(of(), &lists.ndcg_after).filter(|after| after.name != worst.name) {
            let name = &after.name;
            price.notes.push(format!("with the mitigations the worst group by {attribute} is {name}"));
        }
    }
    if !price.rows.iter().any(|row| row.name.starts_with("worst-group")) {
        let text = RowText { name: "worst-group".into(), label: "worst group of users".into(), formula: WORST };
        let undefined = Some("there are no two groups of at least 30 users to compare".to_owned());
        price.rows.push(PriceRow { undefined, ..text.row(0) });
    }
}
