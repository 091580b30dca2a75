//! The policy loop: observes, chooses an action within the operator's limits, and records every decision with its
//! numbers.
//!
//! `policy` is pure: observations in, a rule out. This file observes, acts, and records the outcome.

mod alarm;
mod decisions;
mod drift;
mod housekeeping;
mod nightly;
mod policy;
mod rollout;

use std::sync::Arc;
use std::time::Duration;

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Decision, Page, Run, RunKind, RunState, TrainRequest};
use mercer_store::{DocKind, Order};

use crate::agent::decisions::{record, write};
use crate::jobs;
use crate::state::app::App;
use crate::state::run_documents;
use policy::{Observed, trigger};

/// How often it looks.
const LOOK: Duration = Duration::from_secs(5);
/// Free space below which it raises an alarm and starts no cycle, in bytes.
const LOW_DISK: u64 = 512 << 20;
/// A log that grows faster than this is being imported.
const IMPORT_RATE: f64 = 500.0;

/// Training cycles that are looked at.
const CYCLES: usize = 20;
/// Pages of runs that are searched for them: a sweep leaves many other runs.
const PAGES: usize = 20;

/// Starts the loop; it ends when the daemon stops.
pub fn spawn(app: &Arc<App>) {
    nightly::spawn(app);
    let app = Arc::clone(app);
    tokio::spawn(async move {
        let mut seen = Seen::default();
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = app.stopped() => return,
            }
            let (worker, mut held) = (Arc::clone(&app), std::mem::take(&mut seen));
            let looked = tokio::task::spawn_blocking(move || {
                held.look(&worker);
                held
            });
            match looked.await {
                Ok(next) => seen = next,
                Err(error) => tracing::error!(%error, "the policy loop failed"),
            }
        }
    });
}

/// A decision whose outcome is not known yet, and the run it started.
type Open = (Decision, String);

/// What the loop keeps from one look to the next.
#[derive(Default)]
struct Seen {
    open: Option<Open>,
    disk_was_low: bool,
    drift: alarm::Drift,
    housekeeping: housekeeping::Housekeeping,
}

impl Seen {
    /// One look at everything.
    fn look(&mut self, app: &Arc<App>) {
        app.flush_frequent();
        self.open = self.open.take().and_then(|open| settle(app, open));
        self.disk_was_low = disk_is_low(app, self.disk_was_low);
        if app.store.is_read_only().is_none() {
            app.clear("read-only");
            rollout::look(app);
            self.housekeeping.look(app);
        }
        // A log that is still being imported is left to settle: a cycle on half of it would be a cycle for nothing.
        let importing = app.counters.traffic().interactions_per_second > IMPORT_RATE;
        let training = run_documents::current(app).is_some();
        if !importing {
            self.drift.look(app, training || app.store.is_read_only().is_some());
        }
        if self.open.is_some() || self.disk_was_low || importing || training || app.store.is_read_only().is_some() {
            return;
        }
        let Some((cause, rule, saw)) = trigger(&app.config.train, &observe(app)) else { return };
        let outcome = jobs::start_training(app, &TrainRequest::default(), cause);
        let action = match &outcome {
            Ok(run) => format!("started {}", run.id),
            Err(problem) => format!("could not start a cycle: {problem}"),
        };
        let decision = record(app, saw, rule, action, None);
        self.open = decision.zip(outcome.ok().map(|run| run.id));
    }
}

/// What the policy reads: the log against the last runs.
fn observe(app: &App) -> Observed {
    let runs = cycles(app);
    // A cancelled cycle counts as well: what an operator stopped does not come back by itself with the same data.
    let read = runs.iter().filter(|run| matches!(run.state, RunState::Succeeded | RunState::Cancelled));
    let read = read.filter_map(|run| run.cursor).max();
    let ended = runs.first().map(|run| run.ended.unwrap_or(run.created));
    Observed {
        last_seq: app.store.counts().next_seq.saturating_sub(1),
        read: read.unwrap_or(0),
        idle_seconds: (Timestamp::now().millis() - ended.unwrap_or(app.started).millis()).max(0) as u64 / 1_000,
        failures: runs.iter().take_while(|run| run.state == RunState::Failed).count() as u32,
    }
}

/// The last training cycles, newest first. Evaluations and sweeps are left out, because they do not change the serving
/// model.
fn cycles(app: &App) -> Vec<Run> {
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    for _ in 0..PAGES {
        let page: Page<Run> = match app.store.list_docs(DocKind::Run, Order::Newest, cursor.as_deref(), CYCLES) {
            Ok(page) => page,
            Err(_) => break,
        };
        found.extend(page.items.into_iter().filter(|run| run.record.kind == RunKind::Train));
        cursor = page.next_cursor;
        if found.len() >= CYCLES || cursor.is_none() {
            break;
        }
    }
    found.truncate(CYCLES);
    found
}

/// Writes down what came of a decision once its run has ended.
fn settle(app: &App, (mut decision, id): Open) -> Option<Open> {
    let Ok(run) = run_documents::run(app, &id) else { return None };
    if !run.state.is_final() {
        return Some((decision, id));
    }
    decision.outcome = Some(match (run.state, &run.gate, &run.error) {
        (_, _, Some(error)) => format!("failed: {error}"),
        (RunState::Cancelled, ..) => "cancelled".to_owned(),
        (_, Some(gate), _) => format!("{}: {}", run.model.as_deref().unwrap_or("no version"), gate.reason),
        _ => run.log.last().cloned().unwrap_or_else(|| "nothing came of it".to_owned()),
    });
    write(app, &decision);
    None
}

fn disk_is_low(app: &App, before: bool) -> bool {
    let Ok(stat) = rustix::fs::statvfs(&app.config.state) else { return before };
    let free = stat.f_bavail * stat.f_frsize;
    if free >= LOW_DISK {
        app.clear("low-disk");
        return false;
    }
    let saw = format!("{} MiB are free in the state directory", free >> 20);
    app.raise("low-disk", saw.clone());
    if !before {
        record(
            app,
            saw,
            format!("less than {} MiB free", LOW_DISK >> 20),
            "raised an alarm; no cycle starts".to_owned(),
            None,
        );
    }
    true
}
