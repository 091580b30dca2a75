//! Computes the reports of the configuration once a night. What came of it is a decision; a failure is also an alarm.

use std::sync::Arc;
use std::time::Duration;

use mercer_shared::time::Timestamp;
use mercer_shared::wire::ReportKind;
use mercer_store::{Setting, SettingDocument};
use serde::{Deserialize, Serialize};

use crate::agent::decisions::record;
use crate::reports::documents;
use crate::state::app::App;

/// How often it looks at the clock.
const LOOK: Duration = Duration::from_secs(15);
/// The alarm of a failure.
const ALARM: &str = "nightly-reports";
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The last night.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct LastNight {
    /// Day in UTC, since 1970.
    day: i64,
    /// Reports that failed, with the reason.
    failed: Vec<String>,
}

impl SettingDocument for LastNight {
    const SETTING: Setting = Setting::NightlyReports;
}

/// Starts the loop; it ends when the daemon stops. Without nightly reports there is none.
pub(super) fn spawn(app: &Arc<App>) {
    if app.config.reports.nightly.is_empty() {
        return;
    }
    let app = Arc::clone(app);
    tokio::spawn(async move {
        loop {
            let worker = Arc::clone(&app);
            if let Err(error) = tokio::task::spawn_blocking(move || look(&worker)).await {
                tracing::error!(%error, "the nightly reports failed");
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = app.stopped() => return,
            }
        }
    });
}

/// The day for which reports are due; `None` where they were made or the hour has not come.
fn due(now_ms: i64, hour: u32, last: i64) -> Option<i64> {
    let day = now_ms.div_euclid(DAY_MS);
    let reached = now_ms.rem_euclid(DAY_MS) >= i64::from(hour) * HOUR_MS;
    (reached && day > last).then_some(day)
}

fn look(app: &App) {
    // Reports of a daemon that warms up or cannot store them would fail: the next look finds them due again.
    if !app.is_warm() || app.store.is_read_only().is_some() {
        return;
    }
    let last: LastNight = match app.store.get_setting() {
        Ok(last) => last.unwrap_or_default(),
        Err(error) => return tracing::error!(%error, "the nightly reports do not know their last night"),
    };
    let reports = &app.config.reports;
    let Some(day) = due(Timestamp::now().millis(), reports.nightly_hour, last.day) else { return };
    let (made, failed) = compute(app, &reports.nightly);
    // Also after a failure: the same report would fail again every few seconds.
    if let Err(error) = app.store.put_setting(&LastNight { day, failed: failed.clone() }) {
        tracing::error!(%error, "the night could not be noted");
    }
    if failed.is_empty() {
        app.clear(ALARM);
    } else {
        app.raise(ALARM, failed.join("; "));
    }
    let saw = format!("it is {} o'clock UTC or later, and no reports of today", reports.nightly_hour);
    let outcome = [made, failed].concat().join("; ");
    record(app, saw, "reports.nightly".to_owned(), "computed the nightly reports".to_owned(), Some(outcome));
}

/// Computes the reports; returns what was made and what failed, in words.
fn compute(app: &App, kinds: &[ReportKind]) -> (Vec<String>, Vec<String>) {
    let (mut made, mut failed) = (Vec::new(), Vec::new());
    for kind in kinds {
        if app.is_stopping() {
            failed.push(format!("{}: the daemon stops", kind.as_str()));
            continue;
        }
        match documents::stored_answer(app, *kind) {
            Ok(stored) => made.push(format!("{} is {}", kind.as_str(), stored.id)),
            Err(problem) => failed.push(format!("{} failed: {problem}", kind.as_str())),
        }
    }
    (made, failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_due_once_a_day_from_the_hour_on() {
        let night = |hour: i64| 20_000 * DAY_MS + hour * HOUR_MS;
        assert_eq!(due(night(2), 3, 19_999), None, "the hour has not come");
        assert_eq!(due(night(3), 3, 19_999), Some(20_000));
        assert_eq!(due(night(23), 3, 20_000), None, "made already");
        assert_eq!(due(night(1), 0, 0), Some(20_000), "a first start late in the day makes them too");
    }
}
