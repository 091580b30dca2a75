//! The life of a run: its document in the store, its start and its end. One run at a time executes on its own thread. A
//! run that was interrupted by a stop or a crash resumes from its last checkpoint. The caller passes in what a run
//! computes (`Execute`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{EventKind, GateReport, GateVerdict, Run, RunCause, RunKind, RunPhase, RunRecord, RunState};
use mercer_store::{DocKind, Order};

use crate::runs::context::{RunContext, RunExit, failed};
use crate::runs::plan::{Plan, run_directory};
use crate::state::app::App;
use crate::state::problems::{Answer, store_problem};
use crate::state::process::{pool, yield_to_serving};
use crate::state::run_documents::{run, save};
use crate::state::run_slot::Active;

/// A phase's name on the wire.
fn word(phase: RunPhase) -> String {
    serde_json::to_value(phase).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The function that computes a run. The caller passes it in, so that this module does not depend on what runs do.
pub(crate) type Execute = fn(&App, Plan, &RunContext<'_>) -> Result<(), RunExit>;

/// A run to start.
pub(crate) struct Enqueue {
    /// What it does; its run id is filled in.
    pub(crate) plan: Plan,
    /// Decides everything random.
    pub(crate) seed: u64,
    /// Last sequence number that a run that learns will have read.
    pub(crate) cursor: Option<u64>,
    /// Who or what asked for it.
    pub(crate) cause: RunCause,
}

/// What the document of a new run says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewRun {
    /// What it does.
    pub(crate) kind: RunKind,
    /// Decides everything random.
    pub(crate) seed: u64,
    /// Last sequence number that a run that learns will have read.
    pub(crate) cursor: Option<u64>,
    /// Who or what asked for it.
    pub(crate) cause: RunCause,
}

/// Creates the document of a run and starts it.
///
/// # Errors
/// `training-runs` while one is in progress, or the store's.
pub(crate) fn enqueue(app: &Arc<App>, order: Enqueue, execute: Execute) -> Answer<Run> {
    let new = NewRun { kind: order.plan.job.kind(), seed: order.seed, cursor: order.cursor, cause: order.cause };
    let run = draft(app, new)?;
    begin(app, Plan { run: run.id.clone(), ..order.plan }, run, execute)
}

/// The document of a run that has not begun.
pub(crate) fn draft(app: &App, new: NewRun) -> Answer<Run> {
    let number = app.store.next_number(DocKind::Run).map_err(|e| store_problem(&e))?;
    Ok(Run {
        id: format!("r{number:06}"),
        state: RunState::Queued,
        cause: new.cause,
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
        phase_ends_by: None,
        phases_ahead: Vec::new(),
        device: crate::state::process::device(app),
        memory_bytes: 0,
        phases: Vec::new(),
        cursor: new.cursor,
        seed: new.seed,
        pair: None,
        gate: None,
        model: None,
        log: Vec::new(),
        error: None,
        record: RunRecord { kind: new.kind, code_version: crate::code_version(), ..RunRecord::default() },
    })
}

fn begin(app: &Arc<App>, plan: Plan, mut run: Run, execute: Execute) -> Answer<Run> {
    let mut active = app.runs.active.lock();
    if active.as_ref().is_some_and(|active| !active.thread.is_finished()) {
        return Err(Problem::new(Code::TrainingRuns, "a run is in progress"));
    }
    app.store.put_setting(&plan).map_err(|e| store_problem(&e))?;
    (run.state, run.started) = (RunState::Running, run.started.or_else(|| Some(Timestamp::now())));
    app.store.put_run(&run).map_err(|e| store_problem(&e))?;
    *app.runs.current.lock() = Some(run.clone());
    app.tell(EventKind::Run(Box::new(run.clone())));
    let cancel = Arc::new(AtomicBool::new(false));
    let (worker, flag) = (Arc::clone(app), Arc::clone(&cancel));
    let thread = std::thread::Builder::new()
        .name("training".to_owned())
        .spawn(move || work(&worker, plan, flag, execute))
        .map_err(|error| Problem::new(Code::Internal, format!("the system gives no thread: {error}")))?;
    *active = Some(Active { cancel, thread });
    Ok(run)
}

fn work(app: &App, plan: Plan, cancel: Arc<AtomicBool>, execute: Execute) {
    let budget = plan.request.budget_seconds.unwrap_or(app.config.train.budget_seconds);
    let context = RunContext::new(app, cancel, budget);
    yield_to_serving();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match pool() {
        Ok(pool) => pool.install(|| execute(app, plan, &context)),
        Err(error) => Err(failed(&error)),
    }));
    let result = result.unwrap_or_else(|_| {
        Err(RunExit::Failed(Problem::new(Code::Internal, "the cycle panicked; the daemon's log has the place")))
    });
    context.end_phase();
    let Some(mut run) = app.runs.current.lock().clone() else { return };
    match result {
        Ok(()) => (run.state, run.phase) = (RunState::Succeeded, RunPhase::Done),
        Err(RunExit::Cancelled) => {
            run.log.push(format!("cancelled in the phase {}; no version was made", word(run.phase)));
            (run.state, run.phase) = (RunState::Cancelled, RunPhase::Done);
        }
        Err(RunExit::Paused) => run.state = RunState::Paused,
        Err(RunExit::Nothing(why)) => {
            tracing::info!(why, "training");
            run.log.push(why.clone());
            run.gate = Some(no_verdict(why));
            (run.state, run.phase) = (RunState::Succeeded, RunPhase::Done);
        }
        Err(RunExit::Failed(problem)) => {
            app.raise("run-failed", format!("{}: {problem}", run.id));
            (run.state, run.error) = (RunState::Failed, Some(problem.to_string()));
        }
    }
    if run.state == RunState::Succeeded {
        app.clear("run-failed");
    }
    if run.state.is_final() {
        run.ended = Some(Timestamp::now());
        let dir = run_directory(app, &run.id);
        if let Err(error) = std::fs::remove_dir_all(&dir)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, dir = %dir.display(), "checkpoints of a finished run stay");
        }
    }
    save(app, &run);
    *app.runs.current.lock() = Some(run.clone());
    app.tell(EventKind::Run(Box::new(run)));
}

/// Resumes a run that a stop or a crash interrupted: from its last checkpoint, with the same plan and seed. A run whose
/// plan is lost is marked as failed.
pub(crate) fn resume(app: &Arc<App>, execute: Execute) {
    let newest: Vec<Run> =
        app.store.list_docs(DocKind::Run, Order::Newest, None, 100).map(|page| page.items).unwrap_or_default();
    let plan: Plan = app.store.get_setting().ok().flatten().unwrap_or_default();
    for mut run in newest.into_iter().filter(|run| !run.state.is_final()) {
        let id = run.id.clone();
        let mut why = "interrupted, and its plan is gone".to_owned();
        if plan.run == id {
            run.cause = RunCause::Resumed;
            run.log.push("goes on after an interruption".to_owned());
            match begin(app, plan.clone(), run.clone(), execute) {
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

/// Waits up to a limit for the training thread to write a checkpoint and end. The daemon must be stopping.
pub fn wait(app: &App, most: Duration) {
    let Some(active) = app.runs.active.lock().take() else { return };
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
    let active = app.runs.active.lock();
    match active.as_ref() {
        Some(active) if !active.thread.is_finished() => active.cancel.store(true, Ordering::Relaxed),
        _ => return Err(Problem::new(Code::Conflict, format!("`{id}` is not at work"))),
    }
    Ok(found)
}

/// A gate report without a verdict, for a run that had nothing to compare.
pub(crate) fn no_verdict(reason: String) -> GateReport {
    GateReport {
        verdict: GateVerdict::InsufficientData,
        reason,
        from: Timestamp::default(),
        to: Timestamp::default(),
        users: 0,
        alpha: 0.0,
        minimum_detectable: None,
        comparisons: Vec::new(),
        spending: None,
        objectives: Vec::new(),
        guardrails: Vec::new(),
        asks: false,
    }
}
