//! The gate of a cycle: the candidate against the serving model and the cheap baselines, on interactions later than anything
//! it was made from (METRICS.md section 2).

use mercer_rank::{BlendWeights, For, Mode, RankError, Request, Scored, Snapshot};
use mercer_reports::gate::TrialVerdict;
use mercer_reports::{AlphaLedger, GateOptions, Opponent, Purpose, Rule, Trial, gate};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Comparison, GateReport, GateVerdict, MetricValue};
use mercer_store::DocKind;

use crate::app::{App, store_problem};
use crate::service::Answer;
use crate::service::evaluation::{Lists, evaluate};

/// Length of the lists that are judged.
const K: usize = 10;
/// How much worse than a baseline, or on unseen items, a candidate may be within its interval.
const MARGIN: f64 = 0.005;
/// Name of the document that keeps how much alpha was spent.
const LEDGER: &str = "alpha-ledger";

/// Something that makes lists.
pub type Arm<'a> = dyn Fn(For<'_>, &Request<'_>) -> Result<Vec<Scored>, RankError> + Sync + 'a;

/// An arm's lists for any item and for unseen ones.
pub struct Judged {
    /// Any item.
    pub any: Lists,
    /// Unseen items.
    pub unseen: Lists,
}

fn internal(error: &RankError) -> Problem {
    Problem::new(Code::Internal, error.to_string())
}

/// Makes and judges the lists of an arm.
pub fn judge(snapshot: &Snapshot, window: (i64, i64), arm: &Arm<'_>, weights: &BlendWeights) -> Answer<Judged> {
    let lists = |mode| evaluate(snapshot, window.0, window.1, mode, K, arm, weights).map_err(|e| internal(&e));
    Ok(Judged { any: lists(Mode::All)?, unseen: lists(Mode::New)? })
}

fn some(values: &[f64]) -> Vec<Option<f64>> {
    values.iter().copied().map(Some).collect()
}

/// Decides. Each gate spends a part of the alpha that all gates of this state together may spend.
pub fn decide(
    app: &App,
    seed: u64,
    window: (i64, i64),
    candidate: &Judged,
    serving: (&str, &Judged),
    baselines: &[(&str, Judged)],
) -> Answer<(GateReport, Vec<MetricValue>)> {
    let mut ledger: AlphaLedger =
        app.store.get_doc(DocKind::Setting, LEDGER).map_err(|e| store_problem(&e))?.unwrap_or_default();
    let alpha = ledger.book();
    app.store.put_doc(DocKind::Setting, LEDGER, &ledger).map_err(|e| store_problem(&e))?;
    let (any, unseen) = (some(&candidate.any.ndcg), some(&candidate.unseen.ndcg));
    let (serving_any, serving_unseen) = (some(&serving.1.any.ndcg), some(&serving.1.unseen.ndcg));
    let others: Vec<(String, Vec<Option<f64>>)> =
        baselines.iter().map(|(name, judged)| ((*name).to_owned(), some(&judged.any.ndcg))).collect();
    let trial = |metric: &str, purpose, opponent, rule, candidate, values| Trial {
        metric: metric.to_owned(),
        purpose,
        opponent,
        rule,
        candidate,
        values,
    };
    let against = || Opponent::Serving(serving.0.to_owned());
    let lenient = Rule::NotWorse { margin: MARGIN };
    let mut trials = vec![
        trial("ndcg@10/repeat", Purpose::Primary, against(), Rule::Better, &*any, &*serving_any),
        trial("ndcg@10/new", Purpose::Guardrail, against(), lenient, &*unseen, &*serving_unseen),
    ];
    for (name, values) in &others {
        trials.push(trial("ndcg@10/repeat", Purpose::Guardrail, Opponent::Baseline(name.clone()), lenient, &any, values));
    }
    let options = GateOptions { alpha: alpha.unwrap_or(f64::MIN_POSITIVE), seed, ..GateOptions::default() };
    let decision = gate(&trials, &options);
    let mut verdict = match decision.verdict {
        mercer_reports::gate::GateVerdict::Promote => GateVerdict::Promote,
        mercer_reports::gate::GateVerdict::Reject => GateVerdict::Reject,
        mercer_reports::gate::GateVerdict::InsufficientData => GateVerdict::InsufficientData,
    };
    let mut reason = match verdict {
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
    let stamp = |at: i64| Timestamp::default().plus_millis(at);
    let report = GateReport {
        verdict,
        reason,
        from: stamp(window.0),
        to: stamp(window.1),
        users: candidate.any.users.len() as u64,
        alpha: alpha.unwrap_or(0.0),
        minimum_detectable: detectable,
        comparisons,
    };
    let metrics = [("repeat", &candidate.any), ("new", &candidate.unseen)]
        .into_iter()
        .map(|(slice, lists)| {
            let estimate = mercer_reports::bootstrap_mean(&lists.ndcg, 0.95, 2_000, seed).ok();
            MetricValue {
                name: "ndcg@10".to_owned(),
                slice: slice.to_owned(),
                value: estimate.as_ref().map(|(mean, _)| *mean),
                low: estimate.as_ref().map(|(_, interval)| interval.low),
                high: estimate.as_ref().map(|(_, interval)| interval.high),
                n: lists.ndcg.len() as u64,
            }
        })
        .collect();
    Ok((report, metrics))
}
