//! The thread that writes the lists that went out, keeps the totals of past days, and drops lists that are older than the configuration
//! keeps.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mercer_shared::time::{DAY_MS, Timestamp};

use crate::state::app::App;

/// Between two writes.
const EVERY: Duration = Duration::from_secs(1);
/// Between two looks for lists that are too old, and for days that are over.
const AGE_EVERY: Duration = Duration::from_secs(3600);

/// Writes the lists that went out until the daemon stops, and then once more.
pub(crate) fn run(app: &Arc<App>) {
    let mut aged: Option<Instant> = None;
    let mut flushed = Instant::now();
    while !app.is_stopping() {
        std::thread::sleep(Duration::from_millis(100));
        if flushed.elapsed() >= EVERY {
            flush(app);
            flushed = Instant::now();
        }
        if aged.is_none_or(|last| last.elapsed() >= AGE_EVERY) {
            forget_old(app);
            fold(app);
            aged = Some(Instant::now());
        }
    }
    flush(app);
}

fn flush(app: &App) {
    // A store without room takes writes again later: the lists wait.
    if app.store.is_read_only().is_some() {
        return;
    }
    if let Err(error) = app.served_log.flush(&app.store) {
        tracing::error!(%error, "the lists that went out could not be written");
    }
}

fn forget_old(app: &App) {
    if app.store.is_read_only().is_some() {
        return;
    }
    let days = i64::from(app.config.serve.log_days);
    let before = Timestamp::at((Timestamp::now().millis() - days * DAY_MS).max(0));
    match app.served_log.forget_before(&app.store, before) {
        Ok(0) => {}
        Ok(lists) => tracing::info!(lists, days, "dropped lists that went out long ago"),
        Err(error) => tracing::error!(%error, "old lists could not be dropped"),
    }
}

/// Keeps the totals of days that are over, so that the next start need not read their lists.
fn fold(app: &App) {
    if app.store.is_read_only().is_some() {
        return;
    }
    let today = Timestamp::now().millis().div_euclid(DAY_MS);
    match app.served_log.fold(&app.store, today) {
        Ok(0) => {}
        Ok(days) => tracing::info!(days, "kept the totals of days of served lists"),
        Err(error) => tracing::error!(%error, "the totals of days of served lists could not be kept"),
    }
}
