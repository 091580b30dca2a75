//! The gate of a cycle: the candidate against the serving model and the cheap baselines, on interactions later than anything
//! it was made from (METRICS.md section 2).

use mercer_rank::{BlendWeights, Mode, RankError, Ranker, Snapshot};
use mercer_reports::gate::TrialVerdict;
use mercer_reports::{GateOptions, Opponent, Purpose, Rule, Trial, gate};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Comparison, GateReport, GateVerdict, MetricValue};

use crate::gate::alpha_ledger;
use crate::gate::policy::ScoringPolicy;
use crate::reports::window_lists::{Limits, Lists, evaluate, evaluate_cold, known, mean};
use crate::state::app::App;
use crate::state::problems::Answer;

/// Length of the lists that are judged.
const K: usize = 10;
/// How much worse than a baseline, or on unseen items, a candidate may be within its interval.
const MARGIN: f64 = 0.005;

/// An arm's lists for any item and for unseen ones, and what its encoder finds.
#[derive(Clone)]
pub(crate) struct Judged {
    /// Any item.
    pub(crate) any: Lists,
    /// Unseen items.
    pub(crate) unseen: Lists,
    /// NDCG@10 of each searching shopper; empty where it was not measured.
    pub(crate) search: Vec<f64>,
    /// NDCG@10 of each shopper who took cold items, on lists of nothing else; empty where it was not measured.
    pub(crate) cold: Vec<f64>,
}

impl Judged {
    /// Mean of the two kinds of lists.
    pub(crate) fn lists(&self) -> f64 {
        f64::midpoint(mean(&self.any.ndcg), mean(&self.unseen.ndcg))
    }

    /// Mean over searching shoppers.
    pub(crate) fn searches(&self) -> f64 {
        mean(&self.search)
    }
}

/// Whom a candidate has to beat.
pub(crate) struct Opponents<'a> {
    /// The serving version and its lists.
    pub(crate) serving: (&'a str, &'a Judged),
    /// Whether the candidate is the serving configuration on newer data: then it must not be worse, for it cannot be better.
    pub(crate) refresh: bool,
    /// Cheap baselines.
    pub(crate) baselines: &'a [(&'a str, Judged)],
}

fn internal(error: &RankError) -> Problem {
    Problem::new(Code::Internal, error.to_string())
}

/// Makes and judges the lists of an arm: its ranker's, or those of a blend, whose rule reads the log where no weights are given.
///
/// # Errors
/// `internal`, also when the lists became unwanted.
pub(crate) fn judge(
    snapshot: &Snapshot,
    span: (i64, i64),
    policy: ScoringPolicy<'_>,
    limits: &Limits<'_>,
) -> Answer<Judged> {
    let weights = policy.blend.cloned().unwrap_or_else(|| BlendWeights::for_index(&snapshot.index));
    let lists = |mode| evaluate(snapshot, span, (mode, K), (policy.ranker, &weights), limits).map_err(|e| internal(&e));
    Ok(Judged { any: lists(Mode::All)?, unseen: lists(Mode::Novel)?, search: Vec::new(), cold: Vec::new() })
}

/// Makes and judges a ranker's lists of cold items.
///
/// # Errors
/// As [`judge`].
pub(crate) fn cold(snapshot: &Snapshot, span: (i64, i64), ranker: &Ranker, limits: &Limits<'_>) -> Answer<Lists> {
    let weights = BlendWeights::for_index(&snapshot.index);
    evaluate_cold(snapshot, span, K, (Some(ranker), &weights), limits).map_err(|e| internal(&e))
}

/// Decides. Each gate spends a part of the alpha that all gates of a period together may spend; one with too few users to decide
/// anything spends none.
pub(crate) fn decide(
    app: &App,
    (run, seed): (&str, u64),
    window: (i64, i64),
    candidate: &Judged,
    opponents: &Opponents<'_>,
) -> Answer<(GateReport, Vec<MetricValue>)> {
    let enough = candidate.any.users.len() >= GateOptions::default().min_users;
    let (alpha, spending) = if enough {
        let (alpha, spending) = alpha_ledger::book(app, run)?;
        (alpha, Some(spending))
    } else {
        (Some(GateOptions::default().alpha), None)
    };
    let (mut report, metrics) = weigh(seed, window, alpha, candidate, opponents);
    if !enough {
        report.alpha = 0.0;
    }
    report.spending = spending;
    Ok((report, metrics))
}

/// The gate itself, at a given alpha; at none it refuses.
pub(crate) fn weigh(
    seed: u64,
    window: (i64, i64),
    alpha: Option<f64>,
    candidate: &Judged,
    opponents: &Opponents<'_>,
) -> (GateReport, Vec<MetricValue>) {
    let (name, serving) = opponents.serving;
    let (any, unseen, search) = (known(&candidate.any.ndcg), known(&candidate.unseen.ndcg), known(&candidate.search));
    let (serving_any, serving_unseen) = (known(&serving.any.ndcg), known(&serving.unseen.ndcg));
    let serving_search = known(&serving.search);
    let others: Vec<(&str, Vec<Option<f64>>)> =
        opponents.baselines.iter().map(|(name, judged)| (*name, known(&judged.any.ndcg))).collect();
    let trial = |metric: &str, purpose, opponent, rule, candidate, values| Trial {
        metric: metric.to_owned(),
        purpose,
        opponent,
        rule,
        candidate,
        values,
    };
    let against = || Opponent::Serving(name.to_owned());
    let lenient = Rule::NotWorse { margin: MARGIN };
    let main = if opponents.refresh { lenient } else { Rule::Better };
    let mut trials = vec![trial("ndcg@10/repeat", Purpose::Primary, against(), main, &*any, &*serving_any)];
    if unseen.len() >= GateOptions::default().min_users {
        trials.push(trial("ndcg@10/new", Purpose::Guardrail, against(), lenient, &*unseen, &*serving_unseen));
    }
    if !search.is_empty() {
        trials.push(trial("ndcg@10/search", Purpose::Guardrail, against(), lenient, &*search, &*serving_search));
    }
    for (name, values) in &others {
        let opponent = Opponent::Baseline((*name).to_owned());
        trials.push(trial("ndcg@10/repeat", Purpose::Guardrail, opponent, lenient, &any, values));
    }
    let options = GateOptions { alpha: alpha.unwrap_or(f64::MIN_POSITIVE), seed, ..GateOptions::default() };
    let decision = gate(&trials, &options);
    let mut verdict = match decision.verdict {
        mercer_reports::gate::GateVerdict::Promote => GateVerdict::Promote,
        mercer_reports::gate::GateVerdict::Reject => GateVerdict::Reject,
        mercer_reports::gate::GateVerdict::InsufficientData => GateVerdict::InsufficientData,
    };
    let mut reason = match verdict {
        GateVerdict::Promote if opponents.refresh => {
            "the serving configuration on newer data, and not worse than any baseline".to_owned()
        }
        GateVerdict::Promote => "better than the serving model, and not worse than any baseline".to_owned(),
        _ => decision.reasons.join("; "),
    };
    if alpha.is_none() {
        verdict = GateVerdict::Reject;
        reason = "the alpha of this period is spent: too many gates on one log".to_owned();
    }
    let mut comparisons = Vec::new();
    let mut detectable = None;
    for outcome in &decision.trials {
        let Some(comparison) = &outcome.comparison else { continue };
        let (metric, slice) = outcome.metric.split_once('/').unwrap_or((&outcome.metric, ""));
        if outcome.purpose == Purpose::Primary {
            detectable = comparison.detectable.value;
        }
        comparisons.push(Comparison {
            against: match &outcome.opponent {
                Opponent::Serving(name) | Opponent::Baseline(name) => name.clone(),
            },
            metric: metric.to_owned(),
            slice: slice.to_owned(),
            candidate: comparison.candidate,
            other: comparison.opponent,
            difference: comparison.difference,
            low: comparison.interval.low,
            high: comparison.interval.high,
            p: comparison.p,
            n: comparison.n_used as u64,
            rule: match outcome.rule {
                Rule::Better => "better".to_owned(),
                Rule::NotWorse { margin } => format!("not worse than {margin}"),
            },
            passed: matches!(outcome.verdict, TrialVerdict::Better | TrialVerdict::NotWorse),
        });
    }
    let report = GateReport {
        verdict,
        reason,
        from: Timestamp::at(window.0),
        to: Timestamp::at(window.1),
        users: candidate.any.users.len() as u64,
        alpha: alpha.unwrap_or(0.0),
        minimum_detectable: detectable,
        comparisons,
        spending: None,
    };
    let slices = [
        ("repeat", &candidate.any.ndcg),
        ("new", &candidate.unseen.ndcg),
        ("cold", &candidate.cold),
        ("search", &candidate.search),
    ];
    let metrics = slices
        .into_iter()
        .filter(|(_, values)| !values.is_empty())
        .map(|(slice, values)| metric(slice, values, seed))
        .collect();
    (report, metrics)
}

/// NDCG@10 of a slice with its interval.
pub(crate) fn metric(slice: &str, values: &[f64], seed: u64) -> MetricValue {
    let estimate = mercer_reports::bootstrap_mean(values, 0.95, 2_000, seed).ok();
    MetricValue {
        name: "ndcg@10".to_owned(),
        slice: slice.to_owned(),
        value: estimate.as_ref().map(|(mean, _)| *mean),
        low: estimate.as_ref().map(|(_, interval)| interval.low),
        high: estimate.as_ref().map(|(_, interval)| interval.high),
        n: values.len() as u64,
    }
}
