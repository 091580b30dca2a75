//! What a pair classifier is worth on later events: metrics of its probabilities, and whether re-scoring the head of lists pays.

use std::collections::BTreeMap;
use std::sync::Arc;

use mercer_learn::pair_classifier::{LabelledPair, PairSet, Scorer};
use mercer_learn::{Hooks, TextTable};
use mercer_model::TextKind;
use mercer_rank::evaluate::ndcg;
use mercer_rank::{BlendWeights, Mode, Ranker, Snapshot};
use mercer_reports::classification::{Binning, GaucWeight, auc, brier, calibration, confusion, gauc, log_loss};
use mercer_reports::resample::{REPLICATES, percentile_interval};
use mercer_reports::{Measure, Undefined, bootstrap_statistic, compare_paired};
use mercer_search::passage_text;
use mercer_shared::wire::{Comparison, MetricValue, PairCheck};
use rustc_hash::FxHashMap;

use super::encoder::Progress;
use super::{Control, Ended, Plan, failed};
use crate::app::App;
use crate::service::evaluation::{Limits, evaluate};
use crate::service::models;
use crate::service::pair::{HEAD, Reader, mixed, spoken};
use crate::world::View;

/// Bins of the calibration error (METRICS.md section 1).
const BINS: usize = 15;
/// Replicates of the intervals of metrics.
const METRIC_REPLICATES: usize = 400;
/// Shoppers whose lists are judged: at least and at most.
const SHOPPERS: (u64, u64) = (40, 400);
/// Shoppers below which nothing is decided.
const ENOUGH: usize = 30;
/// One-sided error of the decision: the lower end of the 95 % interval.
const ALPHA: f64 = 0.025;
/// Length of the lists that are judged.
const K: usize = 10;

/// A row with its probability.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scored {
    /// The shopper.
    pub(super) user: u32,
    /// Whether they took the item.
    pub(super) label: bool,
    /// The probability given to it.
    pub(super) p: f64,
}

type Statistic<'a> = &'a dyn Fn(&[Vec<Scored>]) -> Measure;

fn flat(users: &[Vec<Scored>]) -> (Vec<bool>, Vec<f64>) {
    users.iter().flatten().map(|row| (row.label, row.p)).unzip()
}

fn per_user(users: &[Vec<Scored>]) -> Measure {
    let parts: Vec<(Vec<bool>, Vec<f64>)> =
        users.iter().map(|rows| rows.iter().map(|row| (row.label, row.p)).unzip()).collect();
    let parts: Vec<(&[bool], &[f64])> = parts.iter().map(|(labels, p)| (&labels[..], &p[..])).collect();
    Ok(gauc(&parts, GaucWeight::Impressions)?.value)
}

/// The metrics of a slice, none of an empty one, each with an interval from resampling shoppers. Without a threshold those that need one are left out.
pub(super) fn metrics(slice: &str, rows: &[Scored], threshold: Option<f64>, seed: u64) -> Vec<MetricValue> {
    some_metrics(slice, rows, threshold, (seed, METRIC_REPLICATES), &|_| true)
}

/// Those whose names are wanted, with intervals from so many replicates.
pub(super) fn some_metrics(
    slice: &str,
    rows: &[Scored],
    threshold: Option<f64>,
    (seed, replicates): (u64, usize),
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
            let sample = bootstrap_statistic(users.len(), replicates, seed, |weights| {
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

/// What ordered lists as of the cut-off, and its name: the serving ranker where it knows nothing later, else the one its gate judged, else
/// the blend that needs no training.
fn order(app: &App, view: &View, plan: &Plan) -> Result<(Option<Arc<Ranker>>, String), Ended> {
    let model = &view.model;
    let version = &model.meta.version;
    if let Some(ranker) = &model.ranker {
        if model.meta.data.to.is_none_or(|to| to.millis() <= plan.cut) {
            return Ok((Some(Arc::clone(ranker)), format!("the ranker of {version}")));
        }
        let before = model.meta.gate.as_ref().is_some_and(|gate| gate.from.millis() <= plan.cut);
        if before && let Some(ranker) = models::judged_ranker(app, view, plan.cut)? {
            return Ok((Some(Arc::new(ranker)), format!("the ranker of {version} as made before the cut-off")));
        }
    }
    Ok((None, "the blend that needs no training".to_owned()))
}

/// Lists of one shopper and what they took.
struct Case {
    list: Vec<u32>,
    taken: Vec<u32>,
    behaviour: Vec<u32>,
}

/// NDCG@10 of lists with their heads re-scored as serving does, against the lists as they were, on later events.
pub(super) fn check(
    app: &App,
    view: &View,
    plan: &Plan,
    scorer: &Scorer,
    reader: &Reader,
    control: &Control<'_>,
) -> Result<PairCheck, Ended> {
    let (ranker, name) = order(app, view, plan)?;
    let cases = cases(app, view, plan, ranker.as_deref(), reader)?;
    let mut check = PairCheck { head: HEAD as u32, list: name, comparison: None, serves: false, reason: String::new() };
    if cases.len() < ENOUGH {
        check.reason =
            format!("lists are not re-scored: {} shoppers with later events are too few to tell", cases.len());
        return Ok(check);
    }
    let rescored = rescore(app, view, scorer, reader, &cases, control)?;
    let each = |lists: &mut dyn Iterator<Item = (&Vec<u32>, &Case)>| -> Vec<Option<f64>> {
        lists.map(|(list, case)| Some(ndcg(list, &case.taken, K))).collect()
    };
    let before = each(&mut cases.iter().map(|case| (&case.list, case)));
    let after = each(&mut rescored.iter().zip(&cases));
    let seed = plan.cursor;
    let found = compare_paired(&after, &before, ALPHA, REPLICATES, seed).map_err(|e| failed(&e))?;
    check.serves = found.interval.low > 0.0;
    let numbers = format!(
        "NDCG@10 {:.4} with the head re-scored, {:.4} without: {:+.4} [{:+.4}, {:+.4}] on {} shoppers",
        found.candidate, found.opponent, found.difference, found.interval.low, found.interval.high, found.n_used
    );
    check.reason = if check.serves {
        format!("lists may be re-scored: {numbers}")
    } else {
        format!("lists are not re-scored, for it was not better on later events: {numbers}")
    };
    check.comparison = Some(Comparison {
        against: "the list as it was".to_owned(),
        metric: "ndcg@10".to_owned(),
        slice: "repeat".to_owned(),
        candidate: found.candidate,
        other: found.opponent,
        difference: found.difference,
        low: found.interval.low,
        high: found.interval.high,
        p: found.p,
        n: found.n_used as u64,
        rule: "better".to_owned(),
        passed: check.serves,
    });
    Ok(check)
}

/// Lists as of the cut-off for shoppers who took something later, evenly thinned.
fn cases(app: &App, view: &View, plan: &Plan, ranker: Option<&Ranker>, reader: &Reader) -> Result<Vec<Case>, Ended> {
    let memory = app.moments.at(view, plan.cut);
    let snapshot = Snapshot { log: view.training_log(), catalogue: view.rank.catalogue.clone(), memory };
    let weights = BlendWeights::for_memory(&snapshot.memory);
    let budget = plan.request.budget_seconds.unwrap_or(app.config.train.budget_seconds);
    let limits = Limits { users: budget.clamp(SHOPPERS.0, SHOPPERS.1) as usize, ..Limits::NONE };
    let made = evaluate(&snapshot, (plan.cut, plan.to), (Mode::All, HEAD), (ranker, &weights), &limits);
    let made = made.map_err(|e| failed(&e))?;
    let users = made.users.iter().zip(made.lists).zip(made.truth);
    users
        .map(|((user, list), taken)| {
            Ok(Case { list, taken, behaviour: history(view, &snapshot, *user, plan.cut, reader)? })
        })
        .collect()
}

/// The shopper's side as of a moment, read as serving reads it.
fn history(view: &View, snapshot: &Snapshot, user: u32, at: i64, reader: &Reader) -> Result<Vec<u32>, Ended> {
    let queries = view.subject(user).map(|subject| subject.queries.clone()).unwrap_or_default();
    Ok(reader.behaviour_of(&spoken(view, snapshot.log.until(user, at), &queries, at))?)
}

fn rescore(
    app: &App,
    view: &View,
    scorer: &Scorer,
    reader: &Reader,
    cases: &[Case],
    control: &Control<'_>,
) -> Result<Vec<Vec<u32>>, Ended> {
    let mut numbers: Vec<u32> = cases.iter().flat_map(|case| case.list.iter().copied()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let passages: Vec<String> =
        numbers.iter().map(|&n| view.item(n).map(|item| passage_text(item)).unwrap_or_default()).collect();
    let bodies = reader.bodies(&passages, TextKind::Passage)?;
    let mut texts = TextTable::new();
    let items: FxHashMap<u32, u32> =
        numbers.iter().zip(bodies).map(|(&n, body)| (n, texts.push(&reader.item(&body)))).collect();
    let mut pairs = Vec::new();
    for case in cases {
        let behaviour = texts.push(&case.behaviour);
        pairs.extend(case.list.iter().map(|n| LabelledPair { behaviour, item: items[n], label: false }));
    }
    let mut hooks = Progress::new(control, app.model.clone());
    let scores = scorer.score(PairSet { texts: &texts, pairs: &pairs }, || {
        hooks.yield_now();
        !hooks.should_stop()
    });
    let scores = scores.map_err(|e| failed(&e))?;
    control.check()?;
    let mut at = 0;
    Ok(cases
        .iter()
        .map(|case| {
            let own = &scores[at..at + case.list.len()];
            at += case.list.len();
            mixed(own).into_iter().map(|place| case.list[place]).collect()
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_have_values_intervals_and_shoppers() {
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
