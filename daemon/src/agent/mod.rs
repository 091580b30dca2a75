//! The policy loop: what it sees becomes an action within the operator's limits, and every decision is written down with its
//! numbers.

use std::sync::Arc;
use std::time::Duration;

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Decision, EventKind, RunCause, TrainRequest};
use mercer_store::DocKind;

use crate::app::App;
use crate::service::train;

/// How often it looks.
const LOOK: Duration = Duration::from_secs(5);
/// Free space below which it raises an alarm, in bytes.
const LOW_DISK: u64 = 512 << 20;

/// Starts the loop; it ends when the daemon stops.
pub fn spawn(app: &Arc<App>) {
    let app = Arc::clone(app);
    tokio::spawn(async move {
        let mut before = app.store.counts().interactions;
        let mut last_run = app.started;
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = app.stopped() => return,
            }
            let worker = Arc::clone(&app);
            let looked = tokio::task::spawn_blocking(move || look(&worker, before, last_run)).await;
            match looked {
                Ok(Some(seen)) => {
                    before = seen;
                    last_run = Timestamp::now();
                }
                Ok(None) => {}
                Err(error) => tracing::error!(%error, "the policy loop failed"),
            }
        }
    });
}

/// What triggers a cycle, if anything does: the rule and what was seen.
fn trigger(app: &App, total: u64, before: u64, last: Timestamp) -> Option<(RunCause, String, String)> {
    let config = &app.config.train;
    let fresh = total.saturating_sub(before);
    let idle = (Timestamp::now().millis() - last.millis()) / 1_000;
    if config.after_interactions > 0 && fresh >= config.after_interactions {
        let saw = format!("{fresh} new interactions since the last cycle");
        return Some((RunCause::NewData, format!("after {} interactions", config.after_interactions), saw));
    }
    if config.every_seconds > 0 && idle >= config.every_seconds as i64 && fresh > 0 {
        let saw = format!("{idle} s since the last cycle, {fresh} new interactions");
        return Some((RunCause::Schedule, format!("every {} s", config.every_seconds), saw));
    }
    None
}

/// One look; the number of interactions at the start of a cycle if one was started.
fn look(app: &Arc<App>, before: u64, last: Timestamp) -> Option<u64> {
    if let Ok(stat) = rustix::fs::statvfs(&app.config.state) {
        let free = stat.f_bavail * stat.f_frsize;
        if free < LOW_DISK {
            app.raise("low-disk", format!("{} MiB are free in the state directory", free >> 20));
        } else {
            app.clear("low-disk");
        }
    }
    if app.store.is_read_only().is_none() {
        app.clear("read-only");
    }
    let total = app.store.counts().interactions;
    let (cause, rule, saw) = trigger(app, total, before, last)?;
    // A log that is still being imported is left to settle: a cycle on half of it would be a cycle for nothing.
    if train::current(app).is_some() || app.stats.traffic().interactions_per_second > 500.0 {
        return None;
    }
    let outcome = train::start(app, &TrainRequest::default(), cause);
    let action = match &outcome {
        Ok(run) => format!("started {}", run.id),
        Err(problem) => format!("could not start a cycle: {problem}"),
    };
    record(app, saw, rule, action);
    Some(total)
}

fn record(app: &App, saw: String, rule: String, action: String) {
    let Ok(seq) = app.store.next_number(DocKind::Decision) else { return };
    let decision = Decision { seq, at: Timestamp::now(), saw, rule, action, outcome: None };
    match app.store.put_decision(&decision) {
        Ok(()) => app.tell(EventKind::Decision(Box::new(decision))),
        Err(error) => tracing::error!(%error, "a decision could not be written"),
    }
}
