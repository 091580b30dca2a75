//! What the daemon promised for later: the compaction after an erasure, the rebuild of versions that know an erased user.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mercer_shared::time::{DAY_MS, Timestamp};
use mercer_shared::wire::{ErasedUser, RunCause, TrainRequest};

use crate::ingest::{compact, retention};
use crate::jobs;
use crate::state::app::App;
use crate::state::problems::Answer;
use crate::state::run_documents;
use crate::versions::knowledge;

/// Time between two applications of retention.
const RETENTION: Duration = Duration::from_secs(24 * 3600);
/// Least time between two rebuilds that are started by themselves.
const PAUSE: Duration = Duration::from_secs(3600);

/// What was promised and may be due.
#[derive(Default)]
pub(super) struct Housekeeping {
    /// When a rebuild was last started.
    rebuilt: Option<Instant>,
    /// When retention was last applied; none since the start, which applies it.
    retained: Option<Instant>,
}

impl Housekeeping {
    /// One look at everything that may be due. A failure raises an alarm and is tried again at the next look.
    pub(super) fn look(&mut self, app: &Arc<App>) {
        let now = Timestamp::now();
        report(app, "retention", self.retention(app, now));
        report(app, "compaction", compaction(app, now));
        report(app, "rebuild", self.rebuild(app, now));
    }

    /// Applies retention once a day.
    fn retention(&mut self, app: &App, now: Timestamp) -> Answer<()> {
        let last = *self.retained.get_or_insert_with(Instant::now);
        if last.elapsed() < RETENTION {
            return Ok(());
        }
        retention::apply(app, now)?;
        self.retained = Some(Instant::now());
        Ok(())
    }

    /// Starts a rebuild once most of the promised time is over, so that one that fails can be tried again.
    fn rebuild(&mut self, app: &Arc<App>, now: Timestamp) -> Answer<()> {
        let days = i64::try_from(app.config.erase.rebuild_within_days).unwrap_or(i64::MAX / DAY_MS);
        let waits = self.rebuilt.is_some_and(|last| last.elapsed() < PAUSE);
        if days == 0 || waits || run_documents::current(app).is_some() || !app.is_warm() {
            return Ok(());
        }
        let due = |erased: &ErasedUser| now.millis() - erased.at.millis() >= days.saturating_mul(DAY_MS) / 5 * 4;
        if !knowledge::list(app)?.iter().any(due) || app.view().rank.log.is_empty() {
            return Ok(());
        }
        self.rebuilt = Some(Instant::now());
        let request = TrainRequest { rebuild: Some(true), ..TrainRequest::default() };
        let run = jobs::start_training(app, &request, RunCause::Schedule)?;
        app.audit(None, "rebuild", &run.id, "versions know an erased shopper");
        Ok(())
    }
}

fn report(app: &App, what: &str, outcome: Answer<()>) {
    match outcome {
        Ok(()) => app.clear(what),
        Err(problem) => app.raise(what, format!("what was promised is not done: {problem}")),
    }
}

fn compaction(app: &App, now: Timestamp) -> Answer<()> {
    if compact::is_due(app, now)? { compact::compact(app).map(|_| ()) } else { Ok(()) }
}
