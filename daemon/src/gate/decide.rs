//! Decides whether a candidate may serve: against the incumbent and the cheap baselines, on interactions later than anything it was
//! fitted on (METRICS.md section 2).
//!
//! The candidate is promoted if it is better in at least one objective of the shop (`objectives`) and worse than the margin in none,
//! nor than a baseline. The objectives share one error budget by weighted Holm, see [`mercer_reports::gate()`].

use mercer_rank::Window;
use mercer_reports::gate::{TrialOutcome, TrialVerdict};
use mercer_reports::{Comparator, GateDecision, GateOptions, Purpose, Rule, Trial, gate};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Comparison, GateObjective, GateReport, GateVerdict, MetricValue};

use crate::gate::alpha_ledger;
use crate::gate::baselines::EvaluatedBaseline;
use crate::gate::evaluate::Evaluated;
use crate::gate::objectives::{Objective, Traffic, objectives};
use crate::reports::window_lists::known;
use crate::state::app::App;
use crate::state::problems::Answer;

/// How much worse a candidate may be within its interval.
const MARGIN: f64 = 0.005;

/// What a gate decides on.
#[derive(Clone, Copy)]
pub(crate) struct GateInput<'a> {
    /// The evaluation window.
    pub(crate) window: Window,
    /// Of bootstrap and randomisation.
    pub(crate) seed: u64,
    /// The candidate's lists and search.
    pub(crate) candidate: &'a Evaluated,
    /// Name of the serving version.
    pub(crate) incumbent: &'a str,
    /// Its lists and search for the same users.
    pub(crate) incumbent_evaluated: &'a Evaluated,
    /// Whether the candidate has the serving configuration and newer data. Such a refresh must not be worse; it need
    /// not be better.
    pub(crate) refresh: bool,
    /// Lists of the cheap baselines.
    pub(crate) baselines: &'a [EvaluatedBaseline],
    /// Where engagement comes from.
    pub(crate) traffic: Traffic,
}

impl<'a> GateInput<'a> {
    fn objectives(&self) -> Vec<Objective<'a>> {
        objectives(self.candidate, self.incumbent_evaluated, &self.traffic)
    }

    fn users(&self) -> u64 {
        self.candidate.all.users.len() as u64
    }
}

/// The error that a gate may make.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Alpha {
    /// This much, booked from the period's budget.
    Booked(f64),
    /// Nothing is left of the period's budget: the gate refuses.
    Exhausted,
    /// The gate cannot promote, so no alpha was booked; the comparisons are for information.
    NotNeeded,
}

/// Whether the gate can promote at all and therefore must book alpha: an objective has enough users and, unless the
/// candidate is a refresh, at least one user's value differs. A candidate with equal lists cannot be better and spends
/// nothing.
pub(crate) fn can_promote(input: &GateInput<'_>) -> bool {
    let mut counted = input.objectives().into_iter().filter(Objective::counts);
    counted.any(|objective| input.refresh || objective.differs())
}

/// Decides with a part of the alpha of the period. A gate that cannot promote spends none.
///
/// # Errors
/// The store's.
pub(crate) fn book_and_decide(app: &App, run: &str, input: &GateInput<'_>) -> Answer<GateReport> {
    if !can_promote(input) {
        return Ok(decide(input, Alpha::NotNeeded));
    }
    let (alpha, spending) = alpha_ledger::book(app, run)?;
    let report = decide(input, alpha.map_or(Alpha::Exhausted, Alpha::Booked));
    Ok(GateReport { spending: Some(spending), ..report })
}

/// The report of a gate that had nothing to compare the candidate with.
pub(crate) fn not_compared(window: Window, candidate: &Evaluated, reason: String) -> GateReport {
    GateReport {
        verdict: GateVerdict::InsufficientData,
        reason: undecided(&reason),
        from: Timestamp::at(window.cutoff),
        to: Timestamp::at(window.end),
        users: candidate.all.users.len() as u64,
        alpha: 0.0,
        minimum_detectable: None,
        comparisons: Vec::new(),
        spending: None,
        objectives: Vec::new(),
        guardrails: Vec::new(),
        asks: false,
    }
}

/// The reason of a verdict for lack of data. A version has no state of its own for it and is listed as rejected.
fn undecided(why: &str) -> String {
    format!("insufficient data, which is no verdict against the version: {why}")
}

/// The decision itself.
pub(crate) fn decide(input: &GateInput<'_>, alpha: Alpha) -> GateReport {
    let objectives = input.objectives();
    let counted: Vec<&Objective<'_>> = objectives.iter().filter(|objective| objective.counts()).collect();
    // Where nothing counts, all comparisons are made for reading.
    let compared = if counted.is_empty() { objectives.iter().collect() } else { counted.clone() };
    let options = GateOptions { alpha: error(alpha), seed: input.seed, ..GateOptions::default() };
    let decision = compare(input, &compared, &options);
    let (verdict, reason) = word(input, alpha, &counted, &decision);
    let any_better = decision.trials.iter().any(is_better_objective);
    let outcome_of = |slice: &str| decision.trials.iter().find(|outcome| is_objective(outcome, slice));
    GateReport {
        verdict,
        reason,
        from: Timestamp::at(input.window.cutoff),
        to: Timestamp::at(input.window.end),
        users: input.users(),
        alpha: if let Alpha::Booked(alpha) = alpha { alpha } else { 0.0 },
        minimum_detectable: decision
            .trials
            .iter()
            .filter(|outcome| outcome.purpose == Purpose::Primary)
            .find_map(|outcome| outcome.comparison.as_ref()?.detectable.value),
        comparisons: decision.trials.iter().filter_map(|outcome| comparison(outcome, any_better)).collect(),
        spending: None,
        objectives: objectives
            .iter()
            .map(|objective| {
                let outcome = outcome_of(objective.slice).filter(|_| objective.counts());
                GateObjective {
                    slice: objective.slice.to_owned(),
                    share: objective.share,
                    users: objective.candidate.len() as u64,
                    alpha: outcome.and_then(|outcome| outcome.family_alpha),
                    better: outcome.is_some_and(|outcome| outcome.verdict == TrialVerdict::Better),
                    left_out: objective.left_out.clone(),
                }
            })
            .collect(),
        guardrails: Vec::new(),
        asks: false,
    }
}

/// The error of the bounds: the usual one where nothing may be decided.
fn error(alpha: Alpha) -> f64 {
    match alpha {
        Alpha::Booked(alpha) => alpha,
        Alpha::Exhausted => f64::MIN_POSITIVE,
        Alpha::NotNeeded => GateOptions::default().alpha,
    }
}

fn is_objective(outcome: &TrialOutcome, slice: &str) -> bool {
    outcome.purpose == Purpose::Primary && outcome.metric.ends_with(&format!("/{slice}"))
}

/// All comparisons: each objective with the incumbent, lists of all items with the baselines.
fn compare(input: &GateInput<'_>, objectives: &[&Objective<'_>], options: &GateOptions) -> GateDecision {
    struct Pair {
        slice: &'static str,
        weight: f64,
        baseline: Option<&'static str>,
        candidate: Vec<Option<f64>>,
        other: Vec<Option<f64>>,
    }
    let mut pairs: Vec<Pair> = objectives
        .iter()
        .map(|objective| Pair {
            slice: objective.slice,
            weight: objective.share,
            baseline: None,
            candidate: known(objective.candidate),
            other: known(objective.incumbent),
        })
        .collect();
    // The baselines order lists of all items and find nothing by text.
    if objectives.iter().any(|objective| objective.slice == "repeat") {
        pairs.extend(input.baselines.iter().map(|baseline| Pair {
            slice: "repeat",
            weight: 0.0,
            baseline: Some(baseline.name),
            candidate: known(&input.candidate.all.ndcg),
            other: known(&baseline.evaluated.all.ndcg),
        }));
    }
    let rule = if input.refresh { Rule::NotWorse { margin: MARGIN } } else { Rule::Improve { margin: MARGIN } };
    let trials: Vec<Trial<'_>> = pairs
        .iter()
        .map(|pair| Trial {
            metric: format!("ndcg@10/{}", pair.slice),
            purpose: if pair.baseline.is_some() { Purpose::Guardrail } else { Purpose::Primary },
            comparator: match pair.baseline {
                Some(name) => Comparator::Baseline(name.to_owned()),
                None => Comparator::Serving(input.incumbent.to_owned()),
            },
            rule: if pair.baseline.is_some() { Rule::NotWorse { margin: MARGIN } } else { rule },
            weight: pair.weight,
            candidate: &pair.candidate,
            values: &pair.other,
        })
        .collect();
    gate(&trials, options)
}

/// The verdict with its reason.
fn word(
    input: &GateInput<'_>,
    alpha: Alpha,
    counted: &[&Objective<'_>],
    decision: &GateDecision,
) -> (GateVerdict, String) {
    use mercer_reports::gate::GateVerdict as Decided;
    let reasons = decision.reasons.join("; ");
    if alpha == Alpha::Exhausted {
        return (GateVerdict::Reject, "the alpha of this period is spent: too many gates on one log".to_owned());
    }
    if counted.is_empty() {
        return (GateVerdict::InsufficientData, undecided(&reasons));
    }
    if alpha == Alpha::NotNeeded {
        let why =
            "no list and no search differs from the serving version's: nothing can be better, and no alpha is spent";
        return (GateVerdict::Reject, why.to_owned());
    }
    match decision.verdict {
        Decided::Promote if input.refresh => (
            GateVerdict::Promote,
            "the serving configuration on newer data, and not worse than any baseline".to_owned(),
        ),
        Decided::Promote => {
            let better: Vec<&str> = counted
                .iter()
                .map(|objective| objective.slice)
                .filter(|slice| {
                    let mut outcomes = decision.trials.iter().filter(|outcome| is_objective(outcome, slice));
                    outcomes.any(|outcome| outcome.verdict == TrialVerdict::Better)
                })
                .collect();
            let slices = better.join(" and ");
            let why = format!(
                "better than the serving model ({slices}), worse in no objective, and not worse than any baseline"
            );
            (GateVerdict::Promote, why)
        }
        Decided::Reject => (GateVerdict::Reject, reasons),
        Decided::InsufficientData => (GateVerdict::InsufficientData, undecided(&reasons)),
    }
}

fn is_better_objective(outcome: &TrialOutcome) -> bool {
    outcome.purpose == Purpose::Primary && outcome.verdict == TrialVerdict::Better
}

/// A comparison in the form of the wire. If no objective is better, none has passed.
fn comparison(outcome: &TrialOutcome, any_better: bool) -> Option<Comparison> {
    let numbers = outcome.comparison.as_ref()?;
    let (metric, slice) = outcome.metric.split_once('/').unwrap_or((&outcome.metric, ""));
    let (Comparator::Serving(against) | Comparator::Baseline(against)) = &outcome.comparator;
    Some(Comparison {
        against: against.clone(),
        metric: metric.to_owned(),
        slice: slice.to_owned(),
        candidate: numbers.candidate,
        other: numbers.comparator,
        difference: numbers.difference,
        low: numbers.interval.low,
        high: numbers.interval.high,
        p: numbers.p,
        n: numbers.n_used as u64,
        rule: match outcome.rule {
            Rule::Better => "better".to_owned(),
            Rule::Improve { margin } => format!("better in one objective, not worse than {margin}"),
            Rule::NotWorse { margin } => format!("not worse than {margin}"),
        },
        passed: outcome.verdict.passed() && (any_better || !matches!(outcome.rule, Rule::Improve { .. })),
    })
}

/// NDCG@10 of a candidate by slice, each with its interval.
pub(crate) fn metrics(candidate: &Evaluated, seed: u64) -> Vec<MetricValue> {
    let slices = [
        ("repeat", &candidate.all.ndcg),
        ("new", &candidate.novel.ndcg),
        ("cold", &candidate.cold),
        ("search", &candidate.search),
    ];
    let measured = slices.into_iter().filter(|(_, values)| !values.is_empty());
    measured.map(|(slice, values)| metric(slice, values, seed)).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reports::window_lists::Lists;

    const WINDOW: Window = Window { cutoff: 0, end: 1 };

    fn lists(values: Vec<f64>) -> Lists {
        let users = values.len();
        Lists {
            users: (0..users as u32).collect(),
            truth: vec![vec![1]; users],
            lists: vec![Vec::new(); users],
            ndcg: values,
        }
    }

    /// Values of so many users, each better by `gain`.
    fn evaluated(users: usize, gain: f64, search: Vec<f64>) -> Evaluated {
        let values: Vec<f64> = (0..users).map(|n| (n % 7) as f64 / 10.0 + gain).collect();
        Evaluated { all: lists(values.clone()), novel: lists(values), search, cold: Vec::new() }
    }

    fn input<'a>(candidate: &'a Evaluated, incumbent: &'a Evaluated, traffic: Traffic) -> GateInput<'a> {
        GateInput {
            window: WINDOW,
            seed: 1,
            candidate,
            incumbent: "v000001",
            incumbent_evaluated: incumbent,
            refresh: false,
            baselines: &[],
            traffic,
        }
    }

    const SEARCHES: Traffic = Traffic { searched: 95, listed: 5, searching_users: 400 };

    #[test]
    fn search_alone_promotes_where_it_is_the_traffic() {
        let found = |gain: f64| (0..400).map(|n| 0.3 + gain + f64::from(n % 11) * gain / 10.0).collect::<Vec<f64>>();
        let (mine, theirs) = (evaluated(60, 0.0, found(0.02)), evaluated(60, 0.0, found(0.0)));
        let input = input(&mine, &theirs, SEARCHES);
        assert!(can_promote(&input));
        let report = decide(&input, Alpha::Booked(0.02));
        assert_eq!(report.verdict, GateVerdict::Promote, "{}", report.reason);
        assert_eq!(report.comparisons[0].slice, "search", "the objective with the most traffic stands first");
        assert!(report.objectives[0].better && report.objectives[0].alpha == Some(0.02), "{:?}", report.objectives);
        assert!(report.objectives[1..].iter().all(|one| one.alpha.is_none()), "equal lists take no part of alpha");
    }

    #[test]
    fn a_candidate_equal_to_what_serves_spends_nothing() {
        let same = evaluated(60, 0.0, Vec::new());
        let input = input(&same, &same, Traffic { searched: 0, listed: 50, searching_users: 0 });
        assert!(!can_promote(&input));
        let report = decide(&input, Alpha::NotNeeded);
        assert_eq!((report.verdict, report.alpha), (GateVerdict::Reject, 0.0));
        assert!(report.reason.contains("no alpha is spent"), "{}", report.reason);
        // A refresh is equal to its incumbent and has the baselines to pass.
        assert!(can_promote(&GateInput { refresh: true, ..input }));
    }

    #[test]
    fn too_few_users_are_no_verdict_against_the_version() {
        let (mine, theirs) = (evaluated(20, 0.1, Vec::new()), evaluated(20, 0.0, Vec::new()));
        let input = input(&mine, &theirs, Traffic::default());
        assert!(!can_promote(&input));
        let report = decide(&input, Alpha::NotNeeded);
        assert_eq!((report.verdict, report.alpha), (GateVerdict::InsufficientData, 0.0));
        assert!(report.reason.starts_with("insufficient data, which is no verdict"), "{}", report.reason);
        assert_eq!(report.comparisons.len(), 2, "lists are compared for reading");
        assert!(report.objectives.iter().all(|one| one.left_out.is_some() && !one.better));
        assert_eq!(decide(&input, Alpha::Exhausted).verdict, GateVerdict::Reject);
    }
}
