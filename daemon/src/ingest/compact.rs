//! The compaction of the store after an erasure, within the time that the configuration promises.

use mercer_shared::time::Timestamp;
use mercer_store::{Compaction, Setting, SettingDocument, Store};
use serde::{Deserialize, Serialize};

use crate::state::app::App;
use crate::state::problems::{Answer, store_problem};

/// Milliseconds of a minute.
const MINUTE: i64 = 60_000;

/// Something was removed from the store that is still in its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Due {
    /// When the oldest of it was removed; none after a compaction.
    since: Option<Timestamp>,
}

impl SettingDocument for Due {
    const SETTING: Setting = Setting::CompactionDue;
}

fn since(store: &Store) -> Answer<Option<Timestamp>> {
    Ok(store.get_setting::<Due>().map_err(|e| store_problem(&e))?.and_then(|due| due.since))
}

/// Notes that something was removed, and returns by when it will be gone from the files.
///
/// # Errors
/// The store's.
pub fn owe(app: &App, now: Timestamp) -> Answer<Timestamp> {
    let since = since(&app.store)?.unwrap_or(now);
    app.store.put_setting(&Due { since: Some(since) }).map_err(|e| store_problem(&e))?;
    Ok(deadline(app, since))
}

fn deadline(app: &App, since: Timestamp) -> Timestamp {
    let minutes = i64::try_from(app.config.erase.compact_within_minutes).unwrap_or(i64::MAX / MINUTE);
    since.plus_millis(minutes.saturating_mul(MINUTE))
}

/// Whether a compaction has to begin now: half of the promised time is over, so that one that fails can be tried again.
///
/// # Errors
/// The store's.
pub fn is_due(app: &App, now: Timestamp) -> Answer<bool> {
    let Some(since) = since(&app.store)? else { return Ok(false) };
    let half = (deadline(app, since).millis() - since.millis()) / 2;
    Ok(now.millis() >= since.millis().saturating_add(half))
}

/// Writes the store's files anew. What is removed meanwhile is owed again.
///
/// # Errors
/// `read-only`, or the store's; it stays owed then.
pub fn compact(app: &App) -> Answer<Compaction> {
    app.writable()?;
    let owed = since(&app.store)?;
    // Paid before it is done: an erasure in between must not be taken for done.
    app.store.put_setting(&Due { since: None }).map_err(|e| store_problem(&e))?;
    let done = app.store.compact().map_err(|e| store_problem(&e));
    if let (Err(_), Some(since)) = (&done, owed) {
        app.store.put_setting(&Due { since: Some(since) }).map_err(|e| store_problem(&e))?;
    }
    let done = done?;
    app.audit(None, "compact", "store", format!("{} records, {} -> {} bytes", done.records, done.before, done.after));
    Ok(done)
}
