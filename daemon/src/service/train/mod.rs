//! Training runs: one at a time on a thread of its own, live progress, cancelling, resuming after a stop or a crash.
//!
//! `cycle` is what a run does, or `pair` where the pair classifier was asked for; this file is about the run itself: its document in the store, who may start it, how it ends.

mod arms;
mod baselines;
mod budget;
mod canon;
mod chances;
mod control;
mod curve;
mod cycle;
mod earned;
mod encoder;
pub mod evaluate;
pub(crate) mod holdout;
mod judge;
mod networks;
mod news;
#[cfg(test)]
mod noise;
mod opponent;
mod order;
mod pair;
mod pair_judge;
mod pairs;
mod plan;
mod queries;
mod record;
pub mod replay;
mod scene;
mod spending;
pub mod sweep;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{
    EvaluationRequest, EventKind, Page, ReplayRequest, Run, RunCause, RunKind, RunPhase, RunRecord, RunState,
    SweepRequest, TrainModel, TrainRequest,
};
use mercer_store::{DocKind, Order};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::Answer;
use crate::app::{App, store_problem};
use control::{Control, Ended, failed};

/// Name of the document that keeps the plan of the run in progress.
const PLAN: &str = "run-plan";
/// How much less of the processor training gets than serving (nice(2)).
const NICE: i32 = 10;

/// What a run set out to do. Written down before anything is computed, so that after a stop or a crash it does the same.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Plan {
    /// The run.
    run: String,
    /// What was asked for.
    request: TrainRequest,
    /// Last sequence number of the log that is read.
    cursor: u64,
    /// Training sees nothing later than this moment.
    cut: i64,
    /// End of the evaluation window that begins at `cut`.
    to: i64,
    /// Moment up to which the adapter that training starts from has learned; the earliest there is without one.
    since: i64,
    /// The version that served.
    parent: String,
    /// Share of the shoppers that are held out.
    #[serde(default)]
    holdout: f64,
    /// What the cost of the cycle depends on.
    #[serde(default)]
    sizes: budget::Sizes,
    /// How much of everything is done.
    #[serde(default)]
    rung: usize,
    /// What the run does.
    #[serde(default)]
    job: Job,
}

/// What a run does.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
enum Job {
    /// A training cycle.
    #[default]
    Train,
    /// An evaluation.
    Evaluate(EvaluationRequest),
    /// A search over settings.
    Sweep(SweepRequest),
    /// A replay.
    Replay(ReplayRequest),
}

impl Job {
    const fn kind(&self) -> RunKind {
        match self {
            Self::Train => RunKind::Train,
            Self::Evaluate(_) => RunKind::Evaluation,
            Self::Sweep(_) => RunKind::Sweep,
            Self::Replay(_) => RunKind::Replay,
        }
    }
}

/// The run in progress.
#[derive(Default)]
pub struct Training {
    active: Mutex<Option<Active>>,
    current: Mutex<Option<Run>>,
}

struct Active {
    cancel: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// A phase's name on the wire.
fn word(phase: RunPhase) -> String {
    serde_json::to_value(phase).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

fn save(app: &App, run: &Run) {
    if let Err(error) = app.store.put_run(run) {
        tracing::error!(%error, run = run.id, "the run could not be written");
    }
}

/// Starts a run.
///
/// # Errors
/// `training-runs` while one is in progress, `not-enough-data` for an empty log, `bad-parameter` for what does not go together, `read-only`.
pub fn start(app: &Arc<App>, request: &TrainRequest, cause: RunCause) -> Answer<Run> {
    app.writable()?;
    let of_cycle = request.encoder.is_some() || request.promote.is_some() || request.tuning.is_some();
    if request.model == Some(TrainModel::Pair) && of_cycle {
        let why = "`encoder`, `tuning` and `promote` belong to the whole cycle, not to the pair classifier";
        return Err(Problem::new(Code::BadParameter, why));
    }
    if request.encoder == Some(false) && request.tuning.is_some() {
        return Err(Problem::new(
            Code::BadParameter,
            "`tuning` says how to fine-tune an encoder that is to be left alone",
        ));
    }
    let view = app.view();
    if view.rank.log.is_empty() {
        return Err(Problem::new(Code::NotEnoughData, "there is no interaction to learn from"));
    }
    let plan = Plan { request: request.clone(), ..Plan::default() };
    let seed = request.seed.unwrap_or(app.config.train.seed);
    enqueue(app, plan, (seed, Some(view.last_seq)), cause)
}

/// Gives a plan its run and begins it. `cursor` is how far a run that learns will have read.
fn enqueue(app: &Arc<App>, plan: Plan, (seed, cursor): (u64, Option<u64>), cause: RunCause) -> Answer<Run> {
    let run = draft(app, plan.job.kind(), (seed, cursor), cause)?;
    begin(app, Plan { run: run.id.clone(), ..plan }, run)
}

/// The document of a run that has not begun.
fn draft(app: &App, kind: RunKind, (seed, cursor): (u64, Option<u64>), cause: RunCause) -> Answer<Run> {
    let number = app.store.next_number(DocKind::Run).map_err(|e| store_problem(&e))?;
    Ok(Run {
        id: format!("r{number:06}"),
        state: RunState::Queued,
        cause,
        phase: RunPhase::Examples,
        created: Timestamp::now(),
        started: None,
        ended: None,
        step: 0,
        steps: 0,
        loss: None,
        losses: Vec::new(),
        items_per_second: None,
        eta_seconds: None,
        device: super::admin::device(app),
        memory_bytes: 0,
        phases: Vec::new(),
        cursor,
        seed,
        pair: None,
        gate: None,
        model: None,
        log: Vec::new(),
        error: None,
        record: RunRecord { kind, code_version: crate::code_version(), ..RunRecord::default() },
    })
}

fn begin(app: &Arc<App>, plan: Plan, mut run: Run) -> Answer<Run> {
    let mut active = app.training.active.lock();
    if active.as_ref().is_some_and(|active| !active.thread.is_finished()) {
        return Err(Problem::new(Code::TrainingRuns, "a run is in progress"));
    }
    app.store.put_doc(DocKind::Setting, PLAN, &plan).map_err(|e| store_problem(&e))?;
    (run.state, run.started) = (RunState::Running, run.started.or_else(|| Some(Timestamp::now())));
    app.store.put_run(&run).map_err(|e| store_problem(&e))?;
    *app.training.current.lock() = Some(run.clone());
    app.tell(EventKind::Run(Box::new(run.clone())));
    let cancel = Arc::new(AtomicBool::new(false));
    let (worker, flag) = (Arc::clone(app), Arc::clone(&cancel));
    let thread = std::thread::Builder::new()
        .name("training".to_owned())
        .spawn(move || work(&worker, plan, flag))
        .map_err(|error| Problem::new(Code::Internal, format!("the system gives no thread: {error}")))?;
    *active = Some(Active { cancel, thread });
    Ok(run)
}

/// Threads of training's own: serving's parallel work never queues behind it, and the scheduler prefers serving's threads.
pub(crate) fn pool() -> Result<rayon::ThreadPool, rayon::ThreadPoolBuildError> {
    rayon::ThreadPoolBuilder::new()
        .thread_name(|number| format!("training-{number}"))
        .start_handler(|_| yield_to_serving())
        .build()
}

fn yield_to_serving() {
    // On Linux the nice value belongs to the calling thread.
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::debug!(%error, "training runs at the daemon's own priority");
    }
}

fn work(app: &App, plan: Plan, cancel: Arc<AtomicBool>) {
    let budget = plan.request.budget_seconds.unwrap_or(app.config.train.budget_seconds);
    let control = Control::new(app, cancel, budget);
    yield_to_serving();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match pool() {
        Ok(pool) => pool.install(|| match plan.job.clone() {
            Job::Train => match plan.request.model.unwrap_or_default() {
                TrainModel::Ranker => cycle::run(app, plan, &control),
                TrainModel::Pair => pair::run(app, plan, &control),
            },
            Job::Evaluate(request) => evaluate::run(app, &plan, &request, &control),
            Job::Sweep(request) => sweep::run(app, &plan, &request, &control),
            Job::Replay(request) => replay::run(app, &plan, &request, &control),
        }),
        Err(error) => Err(failed(&error)),
    }));
    let result = result.unwrap_or_else(|_| {
        Err(Ended::Failed(Problem::new(Code::Internal, "the cycle panicked; the daemon's log has the place")))
    });
    control.end_phase();
    let Some(mut run) = app.training.current.lock().clone() else { return };
    match result {
        Ok(()) => (run.state, run.phase) = (RunState::Succeeded, RunPhase::Done),
        Err(Ended::Cancelled) => {
            run.log.push(format!("cancelled in the phase {}; no version was made", word(run.phase)));
            (run.state, run.phase) = (RunState::Cancelled, RunPhase::Done);
        }
        Err(Ended::Paused) => run.state = RunState::Paused,
        Err(Ended::Nothing(why)) => {
            tracing::info!(why, "training");
            run.log.push(why.clone());
            run.gate = Some(plan::no_verdict(why));
            (run.state, run.phase) = (RunState::Succeeded, RunPhase::Done);
        }
        Err(Ended::Failed(problem)) => {
            app.raise("run-failed", format!("{}: {problem}", run.id));
            (run.state, run.error) = (RunState::Failed, Some(problem.to_string()));
        }
    }
    if run.state == RunState::Succeeded {
        app.clear("run-failed");
    }
    if run.state.is_final() {
        run.ended = Some(Timestamp::now());
        let dir = encoder::run_directory(app, &run.id);
        if let Err(error) = std::fs::remove_dir_all(&dir)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, dir = %dir.display(), "checkpoints of a finished run stay");
        }
    }
    save(app, &run);
    *app.training.current.lock() = Some(run.clone());
    app.tell(EventKind::Run(Box::new(run)));
}

/// Goes on with a run that a stop or a crash interrupted: from its last checkpoint, with the same plan and seed. A run whose
/// plan is lost is marked as failed.
pub fn resume(app: &Arc<App>) {
    let newest: Vec<Run> =
        app.store.list_docs(DocKind::Run, Order::Newest, None, 100).map(|page| page.items).unwrap_or_default();
    let plan: Plan = app.store.get_doc(DocKind::Setting, PLAN).ok().flatten().unwrap_or_default();
    for mut run in newest.into_iter().filter(|run| !run.state.is_final()) {
        let id = run.id.clone();
        let mut why = "interrupted, and its plan is gone".to_owned();
        if plan.run == id {
            run.cause = RunCause::Resumed;
            run.log.push("goes on after an interruption".to_owned());
            match begin(app, plan.clone(), run.clone()) {
                Ok(_) => continue,
                Err(problem) => why = format!("interrupted, and could not go on: {problem}"),
            }
        }
        tracing::error!(id, why, "a run is given up");
        (run.state, run.phase, run.error, run.ended) =
            (RunState::Failed, RunPhase::Done, Some(why), Some(Timestamp::now()));
        save(app, &run);
    }
}

/// Waits for the training thread to checkpoint and end, at most so long. The daemon must be stopping.
pub fn wait(app: &App, most: Duration) {
    let Some(active) = app.training.active.lock().take() else { return };
    let until = Instant::now() + most;
    while !active.thread.is_finished() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    if active.thread.is_finished() {
        drop(active.thread.join());
    } else {
        tracing::warn!("training did not end in time; it goes on from its last checkpoint at the next start");
    }
}

/// Cancels a run in progress.
///
/// # Errors
/// `not-found`, `conflict` if it has ended.
pub fn cancel(app: &App, id: &str) -> Answer<Run> {
    let found = run(app, id)?;
    if found.state.is_final() {
        return Err(Problem::new(Code::Conflict, format!("`{id}` has ended")));
    }
    let active = app.training.active.lock();
    match active.as_ref() {
        Some(active) if !active.thread.is_finished() => active.cancel.store(true, Ordering::Relaxed),
        _ => return Err(Problem::new(Code::Conflict, format!("`{id}` is not at work"))),
    }
    Ok(found)
}

/// The run in progress.
#[must_use]
pub fn current(app: &App) -> Option<Run> {
    app.training.current.lock().clone().filter(|run| !run.state.is_final())
}

/// Runs, newest first.
///
/// # Errors
/// `bad-cursor`.
pub fn runs(app: &App, cursor: Option<&str>, limit: usize) -> Answer<Page<Run>> {
    let mut page: Page<Run> =
        app.store.list_docs(DocKind::Run, Order::Newest, cursor, limit).map_err(|e| store_problem(&e))?;
    if let Some(live) = app.training.current.lock().clone() {
        for run in page.items.iter_mut().filter(|run| run.id == live.id) {
            *run = live.clone();
        }
    }
    Ok(page)
}

/// One run.
///
/// # Errors
/// `not-found`.
pub fn run(app: &App, id: &str) -> Answer<Run> {
    if let Some(live) = app.training.current.lock().clone().filter(|run| run.id == id) {
        return Ok(live);
    }
    let found = app.store.get_run(id).map_err(|e| store_problem(&e))?;
    found.ok_or_else(|| Problem::new(Code::NotFound, format!("there is no run `{id}`")))
}
