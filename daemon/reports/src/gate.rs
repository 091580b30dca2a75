//! The gate decides whether a candidate may serve (METRICS.md section 2, DESIGN.md section 6).
//!
//! A gate is a set of trials, each one metric against one comparator on the same users. No trial may fail, which needs no correction
//! for several trials (intersection–union test). Of the trials whose rule is [`Rule::Improve`], the objectives, at least one must be
//! better; that is a family of hypotheses with one error budget, divided by weighted Holm (Holm 1979; the weights are the
//! objectives' shares of the traffic). Several gates over time need a correction too, and [`crate::alpha_ledger`] assigns their alpha.

use serde::{Deserialize, Serialize};

use crate::compare::{PairedComparison, compare_paired};
use crate::resample::REPLICATES;
use crate::value::Undefined;

/// What the candidate is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "name")]
pub enum Comparator {
    /// The model that serves now, by version.
    Serving(String),
    /// A cheap baseline, by name.
    Baseline(String),
}

/// What the metric is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// The metric the candidate exists to improve.
    Primary,
    /// A metric that must not get worse.
    Guardrail,
}

/// What the lower bound of the difference must exceed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "rule")]
pub enum Rule {
    /// Lower bound > 0.
    Better,
    /// An objective: lower bound > −margin, and at least one objective of the gate must be better within the family's error.
    Improve {
        /// The loss that is tolerated, in units of the metric; above 0.
        margin: f64,
    },
    /// Lower bound > −margin: guardrails, and refreshes that only keep a model up to date.
    NotWorse {
        /// The loss that is tolerated, in units of the metric; above 0.
        margin: f64,
    },
}

impl Rule {
    /// The bound that must be exceeded.
    #[must_use]
    pub fn bound(self) -> f64 {
        match self {
            Self::Better => 0.0,
            Self::Improve { margin } | Self::NotWorse { margin } => -margin,
        }
    }
}

/// One comparison that the gate is to make. Higher values must mean better.
#[derive(Clone, Debug)]
pub struct Trial<'a> {
    /// Name of the metric, as in `NDCG@10`.
    pub metric: String,
    /// Primary or guardrail.
    pub purpose: Purpose,
    /// The comparator.
    pub comparator: Comparator,
    /// The rule for passing.
    pub rule: Rule,
    /// Weight of an objective in the family's error budget, relative to the other objectives. Other rules do not read it.
    pub weight: f64,
    /// The candidate's value per user; `None` where undefined.
    pub candidate: &'a [Option<f64>],
    /// The comparator's value for the same users.
    pub values: &'a [Option<f64>],
}

/// Parameters of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateOptions {
    /// One-sided error of the lower bounds: 0.025 alone, or what [`crate::alpha_ledger::AlphaLedger::book`] returned.
    pub alpha: f64,
    /// Fewer users than this decide nothing.
    pub min_users: usize,
    /// Replicates of bootstrap and randomisation.
    pub replicates: usize,
    /// Seed of both.
    pub seed: u64,
}

impl Default for GateOptions {
    fn default() -> Self {
        Self { alpha: 0.025, min_users: 30, replicates: REPLICATES, seed: 0 }
    }
}

/// What a trial says, in words that an operator may rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialVerdict {
    /// The lower bound exceeds 0.
    Better,
    /// The lower bound exceeds −margin.
    NotWorse,
    /// The whole interval lies below 0 and the rule is not met.
    Worse,
    /// The rule is not met, and the difference is smaller than what so many users can show.
    NotMeasurable,
    /// The rule is not met, though a difference of this size could have been shown.
    NotShown,
    /// Too few users, or no value at all.
    InsufficientData,
}

impl TrialVerdict {
    /// Whether the trial passes.
    #[must_use]
    pub fn passed(self) -> bool {
        matches!(self, Self::Better | Self::NotWorse)
    }

    /// The word for people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::NotWorse => "not worse",
            Self::Worse => "worse",
            Self::NotMeasurable => "not measurable",
            Self::NotShown => "not shown",
            Self::InsufficientData => "insufficient data",
        }
    }
}

/// A trial after the comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialOutcome {
    /// Name of the metric.
    pub metric: String,
    /// Primary or guardrail.
    pub purpose: Purpose,
    /// The comparator.
    pub comparator: Comparator,
    /// What it took to pass.
    pub rule: Rule,
    /// The word.
    pub verdict: TrialVerdict,
    /// The numbers, unless they are undefined.
    pub comparison: Option<PairedComparison>,
    /// One-sided error at which an objective had to be better; `None` for other rules and for an objective that could not be better,
    /// because no user's value differs or there are too few users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family_alpha: Option<f64>,
    /// Why there are no numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undefined: Option<Undefined>,
}

/// The gate's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateVerdict {
    /// Every trial passed, and an objective is better if there are objectives.
    Promote,
    /// At least one trial failed, or no objective is better.
    Reject,
    /// No trial failed on its numbers, but at least one had too little data, or there was no primary trial.
    InsufficientData,
}

impl GateVerdict {
    /// The word for people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Reject => "reject",
            Self::InsufficientData => "insufficient data",
        }
    }
}

/// The gate's decision with all its numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateDecision {
    /// The word.
    pub verdict: GateVerdict,
    /// One line per trial that kept the candidate from promotion.
    pub reasons: Vec<String>,
    /// All trials, in the order given.
    pub trials: Vec<TrialOutcome>,
    /// The parameters.
    pub options: GateOptions,
}

fn compare(trial: &Trial<'_>, alpha: f64, options: &GateOptions) -> Result<PairedComparison, Undefined> {
    compare_paired(trial.candidate, trial.values, alpha, options.replicates, options.seed)
}

fn evaluate(trial: &Trial<'_>, options: &GateOptions) -> TrialOutcome {
    let sane = match trial.rule {
        Rule::Better => true,
        Rule::Improve { margin } | Rule::NotWorse { margin } => margin > 0.0 && margin.is_finite(),
    };
    let (verdict, comparison, undefined) = match compare(trial, options.alpha, options) {
        Err(reason) => (TrialVerdict::InsufficientData, None, Some(reason)),
        Ok(_) if !sane => (TrialVerdict::InsufficientData, None, Some(Undefined::BadParameter)),
        Ok(comparison) => (word(&comparison, trial.rule, options), Some(comparison), None),
    };
    TrialOutcome {
        metric: trial.metric.clone(),
        purpose: trial.purpose,
        comparator: trial.comparator.clone(),
        rule: trial.rule,
        verdict,
        comparison,
        family_alpha: None,
        undefined,
    }
}

fn word(comparison: &PairedComparison, rule: Rule, options: &GateOptions) -> TrialVerdict {
    // An objective is better only within the error of its family, see `find_better`.
    let alone = !matches!(rule, Rule::Improve { .. });
    if comparison.n_used < options.min_users {
        TrialVerdict::InsufficientData
    } else if alone && comparison.lower > 0.0 {
        TrialVerdict::Better
    } else if comparison.lower > rule.bound() {
        TrialVerdict::NotWorse
    } else if comparison.interval.high < 0.0 {
        TrialVerdict::Worse
    } else if comparison.detectable.value.is_none_or(|effect| comparison.difference.abs() < effect) {
        TrialVerdict::NotMeasurable
    } else {
        TrialVerdict::NotShown
    }
}

/// Finds the better ones among the objectives by weighted Holm: each is tested at its weight's share of alpha, and what the better ones
/// had goes to the others. An objective on which no user's value differs cannot be better and takes nothing. Whether values differ says
/// nothing of the signs of the differences, on which the test stands.
fn find_better(trials: &[Trial<'_>], outcomes: &mut [TrialOutcome], options: &GateOptions) {
    let mut open: Vec<usize> = (0..trials.len())
        .filter(|&n| matches!(trials[n].rule, Rule::Improve { .. }))
        .filter(|&n| outcomes[n].verdict != TrialVerdict::InsufficientData)
        .filter(|&n| outcomes[n].comparison.as_ref().is_some_and(|comparison| comparison.moved > 0.0))
        .collect();
    let weight = |n: usize| if trials[n].weight.is_finite() { trials[n].weight.max(0.0) } else { 0.0 };
    let weighted = open.iter().any(|&n| weight(n) > 0.0);
    let weight = |n: usize| if weighted { weight(n) } else { 1.0 };
    loop {
        let total: f64 = open.iter().map(|&n| weight(n)).sum();
        let mut better = Vec::new();
        for &n in &open {
            let alpha = options.alpha * weight(n) / total;
            outcomes[n].family_alpha = Some(alpha);
            if compare(&trials[n], alpha, options).is_ok_and(|comparison| comparison.lower > 0.0) {
                better.push(n);
            }
        }
        if better.is_empty() {
            return;
        }
        for &n in &better {
            outcomes[n].verdict = TrialVerdict::Better;
        }
        open.retain(|n| !better.contains(n));
    }
}

fn numbers(outcome: &TrialOutcome) -> String {
    let (Comparator::Serving(name) | Comparator::Baseline(name)) = &outcome.comparator;
    let head = format!("{} against {name}", outcome.metric);
    match (&outcome.comparison, outcome.undefined) {
        (Some(c), _) => format!(
            "{head}: {:+.4} [{:+.4}, {:+.4}] on {} users",
            c.difference, c.interval.low, c.interval.high, c.n_used
        ),
        (None, Some(undefined)) => format!("{head}: {undefined}"),
        (None, None) => head,
    }
}

fn reason(outcome: &TrialOutcome) -> String {
    let Some(c) = &outcome.comparison else { return numbers(outcome) };
    let bound = outcome.rule.bound();
    format!("{}, lower bound {:+.4} at alpha {:.4} must exceed {bound:+.4}", numbers(outcome), c.lower, c.alpha)
}

/// Why no objective counts as better; `None` where one is, or where all have too little data, which their own reasons say.
fn no_better(outcomes: &[TrialOutcome]) -> Option<String> {
    let objectives = || outcomes.iter().filter(|outcome| matches!(outcome.rule, Rule::Improve { .. }));
    let decided = objectives().any(|outcome| outcome.verdict != TrialVerdict::InsufficientData);
    if !decided || objectives().any(|outcome| outcome.verdict == TrialVerdict::Better) {
        return None;
    }
    let each: Vec<String> = objectives()
        .map(|outcome| match outcome.family_alpha {
            Some(alpha) => format!("{}, tested at alpha {alpha:.4}", numbers(outcome)),
            None => format!("{}, no user's value differs", numbers(outcome)),
        })
        .collect();
    Some(format!("no objective is shown to be better: {}", each.join("; ")))
}

/// Decides over all trials.
#[must_use]
pub fn gate(trials: &[Trial<'_>], options: &GateOptions) -> GateDecision {
    let mut outcomes: Vec<TrialOutcome> = trials.iter().map(|trial| evaluate(trial, options)).collect();
    find_better(trials, &mut outcomes, options);
    let mut reasons: Vec<String> = outcomes.iter().filter(|outcome| !outcome.verdict.passed()).map(reason).collect();
    let failed = outcomes.iter().any(|o| !o.verdict.passed() && o.verdict != TrialVerdict::InsufficientData);
    let no_better = no_better(&outcomes);
    let failed = failed || no_better.is_some();
    reasons.extend(no_better);
    let primary = outcomes.iter().any(|outcome| outcome.purpose == Purpose::Primary);
    if !primary {
        reasons.push("no primary metric was compared".to_owned());
    }
    let verdict = match (failed, reasons.is_empty()) {
        (true, _) => GateVerdict::Reject,
        (false, true) => GateVerdict::Promote,
        (false, false) => GateVerdict::InsufficientData,
    };
    GateDecision { verdict, reasons, trials: outcomes, options: *options }
}
