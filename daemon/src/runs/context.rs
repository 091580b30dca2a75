//! The context of a running cycle: its document, cancellation and time budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{EventKind, PhaseCost, Run, RunPhase};
use parking_lot::Mutex;
use rustix::time::{ClockId, clock_gettime};

use crate::state::app::App;
use crate::state::run_documents::save;

/// Shortest time between two events about a moving run.
const TELL: Duration = Duration::from_millis(400);
/// Shortest time between two writes of a running run's document; the store's file grows with each write.
const SAVE: Duration = Duration::from_secs(5);

/// Why a cycle ends without a result.
#[derive(Debug)]
pub enum RunExit {
    /// An operator cancelled it.
    Cancelled,
    /// The daemon stops; the run goes on at the next start.
    Paused,
    /// Nothing to do, or no time for it; the text says what was not done and why.
    Nothing(String),
    /// It failed.
    Failed(Problem),
}

impl From<Problem> for RunExit {
    fn from(problem: Problem) -> Self {
        Self::Failed(problem)
    }
}

/// A failure that is no problem document yet.
pub(crate) fn failed(error: &dyn std::fmt::Display) -> RunExit {
    RunExit::Failed(Problem::new(Code::Internal, error.to_string()))
}

/// A phase in progress: when it began, by the clock and by the processor.
struct Begun {
    phase: RunPhase,
    at: Instant,
    cpu: f64,
}

/// Processor seconds of this process so far, all threads.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// The context of a running cycle: its document, cancellation and time budget.
pub struct RunContext<'a> {
    app: &'a App,
    cancel: Arc<AtomicBool>,
    told: Mutex<Instant>,
    saved: Mutex<Instant>,
    phase: Mutex<Option<Begun>>,
    /// Phases that are planned after the present one, in order.
    ahead: Mutex<PhasesAhead>,
    begun: Instant,
    /// Seconds that the run took before it was interrupted.
    before: f64,
    budget: f64,
}

impl<'a> RunContext<'a> {
    /// The context of the current run. `budget` in seconds, for the whole cycle.
    pub(crate) fn new(app: &'a App, cancel: Arc<AtomicBool>, budget: u64) -> Self {
        let now = Instant::now();
        let current = app.runs.current.lock();
        let before = current.as_ref().map_or(0.0, |run| run.phases.iter().map(|cost| cost.seconds).sum());
        drop(current);
        Self {
            app,
            cancel,
            told: Mutex::new(now),
            saved: Mutex::new(now),
            phase: Mutex::new(None),
            ahead: Mutex::default(),
            begun: now,
            before,
            budget: budget as f64,
        }
    }

    /// Changes the run's document; sends and saves it at most every few seconds.
    pub fn update(&self, change: impl FnOnce(&mut Run)) {
        let mut current = self.app.runs.current.lock();
        let Some(run) = current.as_mut() else { return };
        let phase = run.phase;
        change(run);
        run.memory_bytes = run.memory_bytes.max(crate::state::process::resident_bytes());
        let turned = run.phase != phase;
        let copy = run.clone();
        drop(current);
        if due(&self.told, TELL, turned) {
            self.app.tell(EventKind::Run(Box::new(copy.clone())));
        }
        if due(&self.saved, SAVE, turned) {
            save(self.app, &copy);
        }
    }

    /// Enters a phase of this many steps and records the time of the one before.
    pub fn phase(&self, phase: RunPhase, steps: u64) {
        self.end_phase();
        *self.phase.lock() = Some(Begun { phase, at: Instant::now(), cpu: cpu_seconds() });
        let ahead = self.ahead.lock().enter(phase);
        self.update(|run| {
            (run.phase, run.step, run.steps) = (phase, 0, steps);
            (run.items_per_second, run.eta_seconds, run.phase_ends_by) = (None, None, None);
            run.phases_ahead = ahead;
        });
    }

    /// Sets the planned phases in order, so that the run's document can show which are still to come.
    pub(crate) fn plan_phases(&self, phases: Vec<RunPhase>) {
        *self.ahead.lock() = PhasesAhead(phases.clone());
        self.update(|run| run.phases_ahead = phases);
    }

    /// Limits the present phase to so many seconds, whatever steps are left then.
    pub(crate) fn limit_phase(&self, seconds: f64) {
        // Saturates; budgets stay far below the range of milliseconds.
        let end = Timestamp::now().plus_millis((seconds.max(0.0) * 1000.0) as i64);
        self.update(|run| run.phase_ends_by = Some(end));
    }

    /// Records the time of the current phase.
    pub(crate) fn end_phase(&self) {
        let Some(begun) = self.phase.lock().take() else { return };
        let cost = PhaseCost {
            phase: begun.phase,
            seconds: begun.at.elapsed().as_secs_f64(),
            cpu_seconds: cpu_seconds() - begun.cpu,
        };
        self.update(|run| run.phases.push(cost));
    }

    /// How far the phase is.
    pub(crate) fn at_step(&self) -> (u64, u64) {
        self.app.runs.current.lock().as_ref().map_or((0, 0), |run| (run.step, run.steps))
    }

    /// Notes how far the phase is.
    pub fn step(&self, done: u64, of: u64) {
        self.update(|run| (run.step, run.steps) = (done, of));
    }

    /// Writes a line into the run's log.
    pub fn note(&self, line: impl Into<String>) {
        let line = line.into();
        tracing::info!(line, "training");
        self.update(|run| run.log.push(line));
    }

    /// Seconds that are left of the budget; below 0 when it is overdrawn.
    pub(crate) fn left(&self) -> f64 {
        self.budget - self.before - self.begun.elapsed().as_secs_f64()
    }

    /// The whole budget in seconds.
    pub(crate) const fn budget(&self) -> f64 {
        self.budget
    }

    /// Whether the cycle was cancelled or paused; cheap enough to call for every list.
    pub(crate) fn unwanted(&self) -> bool {
        self.cancel.load(Ordering::Relaxed) || self.app.is_stopping()
    }

    /// Ends the cycle if it was cancelled or paused.
    ///
    /// # Errors
    /// [`RunExit::Cancelled`] or [`RunExit::Paused`].
    pub fn check(&self) -> Result<(), RunExit> {
        if self.app.is_stopping() {
            return Err(RunExit::Paused);
        }
        if self.cancel.load(Ordering::Relaxed) { Err(RunExit::Cancelled) } else { Ok(()) }
    }
}

/// Phases that are planned, in order.
#[derive(Debug, Default)]
struct PhasesAhead(Vec<RunPhase>);

impl PhasesAhead {
    /// Enters a phase and returns the planned phases after it. A phase that was not planned leaves the plan as it is.
    fn enter(&mut self, phase: RunPhase) -> Vec<RunPhase> {
        if let Some(place) = self.0.iter().position(|planned| *planned == phase) {
            self.0.drain(..=place);
        }
        self.0.clone()
    }
}

/// Whether it is time again, or `now` whatever the time.
fn due(last: &Mutex<Instant>, every: Duration, now: bool) -> bool {
    let mut last = last.lock();
    let is = now || last.elapsed() >= every;
    if is {
        *last = Instant::now();
    }
    is
}

#[cfg(test)]
mod tests {
    use super::*;
    use mercer_shared::wire::RunPhase::{Embedding, Encoder, Evaluation, Gate, Memory, Promotion, Ranker};

    #[test]
    fn phases_that_are_entered_or_left_out_are_no_longer_to_come() {
        let mut ahead = PhasesAhead(vec![Embedding, Encoder, Embedding, Memory, Ranker, Evaluation, Gate]);
        assert_eq!(ahead.enter(Embedding), [Encoder, Embedding, Memory, Ranker, Evaluation, Gate]);
        // Nothing to learn for the encoder: it and its embedding are left out.
        assert_eq!(ahead.enter(Memory), [Ranker, Evaluation, Gate]);
        assert_eq!(ahead.enter(Promotion), [Ranker, Evaluation, Gate], "it was not planned");
        assert_eq!(ahead.enter(Gate), []);
    }
}
