//! Evaluations (`mercer eval`): makes lists as of a cut-off with Mercer and with baselines, and compares them on what
//! shoppers took in the window after it. Global split in time, full ranking, never sampled (METRICS.md sections 0 to
//! 2). Each arm is tuned on the window that ends at the cut-off.

use std::collections::BTreeMap;

use mercer_rank::{DAY_MS, Log};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{EvaluatedArm, Evaluation, EvaluationRequest, RunCause, RunPhase};
use mercer_store::DocKind;

use crate::evaluation::bench::{Bench, METRICS, metric_name};
use crate::evaluation::{contestant, contestants, shoppers, slices, summary};
use crate::reports::window_lists::{outlier_note, window};
use crate::runs::context::{RunContext, RunExit};
use crate::runs::lifecycle::Enqueue;
use crate::runs::plan::{Job, Plan};
use crate::state::app::App;
use crate::state::problems::Answer;
use crate::state::problems::store_problem;

/// Length of the lists unless something else is asked for.
pub(crate) const K: u32 = 10;
/// Longest lists.
pub(crate) const MOST_K: u32 = 100;
/// Cut-off and end of the evaluation window: the last window, or the one that begins at a named moment and ends with
/// the log at the latest.
pub(crate) fn borders(log: &Log, last: i64, at: Option<Timestamp>) -> Answer<(i64, i64)> {
    let few = |detail: &str| Problem::new(Code::NotEnoughData, detail);
    let Some(at) = at.map(Timestamp::millis) else {
        return window(log, last).ok_or_else(|| few("the log is shorter than two windows"));
    };
    let shape = log.summary(at);
    let width = shape.window_days() * DAY_MS;
    if log.is_empty() || at - shape.first < width {
        return Err(few("there is less than one window of history before that moment"));
    }
    if at >= last {
        return Err(few("nothing is known after that moment, so nothing could be judged"));
    }
    Ok((at, last.min(at + width)))
}

/// Starts an evaluation; it runs where training runs, one at a time.
///
/// # Errors
/// `training-runs` while something is in progress, `not-enough-data`, `bad-parameter`, `read-only`.
pub(crate) fn prepare(app: &App, request: &EvaluationRequest) -> Answer<Enqueue> {
    app.writable()?;
    if !(1..=MOST_K).contains(&request.k.unwrap_or(K)) {
        return Err(Problem::new(Code::BadParameter, format!("k takes 1 to {MOST_K}")));
    }
    let view = app.view();
    let (cutoff, to) = borders(&view.training_log(), view.last_event, request.at)?;
    let plan = Plan { cutoff, to, job: Job::Evaluate(request.clone()), ..Plan::default() };
    let seed = request.seed.unwrap_or(app.config.train.seed);
    Ok(Enqueue { plan, seed, cursor: None, cause: RunCause::Operator })
}

/// The whole evaluation.
pub(crate) fn run(
    app: &App,
    plan: &Plan,
    request: &EvaluationRequest,
    context: &RunContext<'_>,
) -> Result<(), RunExit> {
    let Some(run) = crate::state::run_documents::current(app) else { return Ok(()) };
    let view = app.view();
    let log = view.training_log();
    let shape = log.summary(plan.cutoff);
    let window_days = shape.window_days();
    let width = window_days * DAY_MS;
    let tuned_from = Some(plan.cutoff - width).filter(|from| from - shape.first >= width);
    let k = request.k.unwrap_or(K) as usize;
    let bench = Bench { app, view: &view, log, cutoff: plan.cutoff, to: plan.to, tuned_from, window_days, k };
    crate::runs::record::evaluation(context, &bench.log, plan, k);
    let mut notes = conventions(&bench);

    let contestants = contestants::all(&bench, context, &mut notes)?;
    context.phase(RunPhase::Evaluation, (slices::LISTS.len() * contestants.len()) as u64);
    let lists = slices::evaluate_lists(&bench, &contestants, context)?;
    context.phase(RunPhase::Gate, 0);
    let (slices, verdict) = summary::slices(&bench, &contestants, &lists, run.seed, context)?;
    context.check()?;
    let evaluation = Evaluation {
        id: plan.run.clone(),
        created: Timestamp::now(),
        model: view.model.meta.version.clone(),
        code_version: crate::code_version(),
        at: Timestamp::at(bench.cutoff),
        to: Timestamp::at(bench.to),
        tuned_from: bench.tuned_from.map(Timestamp::at),
        k: bench.k as u32,
        seed: run.seed,
        shoppers: lists.histories.len() as u64,
        light_baskets: lists.histories.border,
        arms: contestants.iter().map(contestant::Contestant::wire).collect::<Vec<EvaluatedArm>>(),
        verdict,
        slices,
        notes,
        conventions: METRICS
            .iter()
            .map(|m| (metric_name(*m, k), m.convention().to_owned()))
            .collect::<BTreeMap<_, _>>(),
    };
    shoppers::write(&bench, &plan.run, &contestants, &lists)?;
    app.store.put_doc(DocKind::Evaluation, &plan.run, &evaluation).map_err(|e| store_problem(&e))?;
    let metrics = summary::headline(&evaluation);
    context.update(|run| run.record.metrics = metrics);
    evaluation.verdict.iter().for_each(|line| context.note(line.clone()));
    Ok(())
}

/// What holds for every number of this evaluation, in words.
pub(crate) fn conventions(bench: &Bench<'_>) -> Vec<String> {
    let stray = outlier_note(&bench.log.summary(i64::MAX));
    let mut notes = vec![
        "every eligible item of the catalogue is ranked, none sampled; stock at the cut-off is not in the log, so it hides nothing"
            .to_owned(),
        "shoppers who bought before the cut-off and in the window after it, and who agreed to training; one without a list counts 0"
            .to_owned(),
        "a list of fewer than k items is divided by k; equal scores are ordered by all-time purchases; where a list cuts through items alike in both, NDCG is the expectation over their orders, and the other metrics are those of one order by a keyed hash"
            .to_owned(),
        "intervals: 95 %, Poisson bootstrap over shoppers, 2,000 replicates; no correction for the number of comparisons"
            .to_owned(),
    ];
    notes.extend(stray);
    if bench.to - bench.cutoff < bench.window_days * DAY_MS {
        notes.push(format!("the log ends before the window of {} days does", bench.window_days));
    }
    if bench.tuned_from.is_none() {
        notes.push(
            "the log is too short for a window before the cut-off: arms have the middle setting of their grid"
                .to_owned(),
        );
    }
    notes
}
