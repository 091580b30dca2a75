//! Feeds the drift detectors from the log. If a detector fires, the agent raises an alarm and evaluates the serving
//! version on the newest window. It never starts a training: the evaluation shows whether one would help, and the
//! operator's rules decide.

use mercer_rank::DAY_MS;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::InteractionType;

use crate::agent::decisions::record;
use crate::agent::drift::{Change, Purchase, Watch, observe};
use crate::evaluation::serving_check::serving_check;
use crate::state::app::App;
use crate::state::process;
use crate::state::shop::ShopState;

/// Kind of the alarm.
const DRIFT: &str = "drift";

/// The detectors and the position in the log up to which they have read. They are rebuilt from the log at each start,
/// so their state is not stored.
#[derive(Default)]
pub(crate) struct Drift {
    watch: Watch,
    /// Next sequence number to be read.
    next: u64,
    /// Changes that nothing was done about yet.
    open: Vec<Change>,
    /// Moment of the latest change behind the alarm that stands.
    standing: Option<i64>,
}

/// Moment from which a change raises an alarm, UTC milliseconds: later than what the serving version learned from. If
/// it has learned nothing yet, only changes after the start of the daemon (`started`) and within the last two windows
/// count, so that a first import raises no alarm about the past.
fn news_from(learned: Option<i64>, last_event: i64, window: i64, started: i64) -> i64 {
    learned.unwrap_or_else(|| started.max(last_event - 2 * window))
}

impl Drift {
    /// Reads new interactions, and raises and answers alarms. Waits while a cycle runs, because the cycle learns from
    /// the same log.
    pub(crate) fn look(&mut self, app: &App, busy: bool) {
        let view = app.view();
        if let Err(error) = self.read(app, &view) {
            tracing::warn!(%error, "the log could not be read for drift");
        }
        let window = view.rank.index.summary().window_days() * DAY_MS;
        let learned = view.model.meta.data.to.map(Timestamp::millis);
        let from = news_from(learned, view.last_event, window, app.started.millis());
        self.open.retain(|change| change.at > from);
        if self.standing.is_some_and(|at| at <= from) {
            self.standing = None;
            app.clear(DRIFT);
        }
        if self.open.is_empty() || busy {
            return;
        }
        let changes = std::mem::take(&mut self.open);
        self.standing = changes.iter().map(|change| change.at).max();
        answer(app, &changes);
    }

    fn read(&mut self, app: &App, view: &ShopState) -> Result<(), mercer_store::StoreError> {
        if view.last_seq < self.next {
            return Ok(());
        }
        let target = view.rank.index.summary().target;
        for line in app.store.scan_interactions(self.next)?.named() {
            let (seq, line) = line?;
            if seq > view.last_seq {
                break;
            }
            self.next = seq + 1;
            let kind: InteractionType = line.kind;
            if kind != target {
                continue;
            }
            let user = line.user.as_ref().and_then(|id| view.user_index.get(id)).copied();
            let item = line.item.as_ref().and_then(|id| view.item_index.get(id)).copied();
            let (Some(user), Some(item)) = (user, item) else { continue };
            // What shoppers did not agree to is not read for this either.
            if !view.subject(user).is_some_and(|subject| subject.consent.train) {
                continue;
            }
            let mut taken =
                observe(&view.rank.log, &view.rank.catalogue, Purchase { user, item, at: line.at.millis() }, target);
            taken.category = view.item(item).and_then(|item| department(item));
            self.open.extend(self.watch.take(&taken));
        }
        Ok(())
    }
}

/// The top-level category as a number. Finer categories are too many for shares of some hundred purchases.
fn department(item: &mercer_shared::wire::Item) -> Option<u32> {
    let name = item.category.first()?;
    let digest = blake3::hash(name.as_bytes());
    digest.as_bytes().first_chunk::<4>().map(|bytes| u32::from_le_bytes(*bytes))
}

/// Raises the alarm, has the serving version judged, and writes both down.
fn answer(app: &App, changes: &[Change]) {
    let join = |part: &dyn Fn(&Change) -> &str| {
        let mut parts: Vec<&str> = changes.iter().map(part).collect();
        parts.dedup();
        parts.join("; ")
    };
    let saw = join(&|change| &change.saw);
    let rule = format!("drift: {}", join(&|change| &change.rule));
    app.raise(DRIFT, saw.clone());
    let judged = process::pool()
        .map_err(|error| error.to_string())
        .and_then(|pool| pool.install(|| serving_check(app)).map_err(|problem| problem.to_string()));
    let outcome = match judged {
        Ok(Some(standing)) => standing.words(),
        Ok(None) => {
            "the log is too short for a window, or no shopper came back in it: nothing could be measured".to_owned()
        }
        Err(error) => format!("the evaluation failed: {error}"),
    };
    app.raise(DRIFT, format!("{saw}. {outcome}"));
    record(
        app,
        saw,
        rule,
        "raised an alarm and evaluated the serving version on the newest window".to_owned(),
        Some(outcome),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_import_is_no_drift() {
        let started = 1_000 * DAY_MS;
        // A log of the last year, imported after the start: none of its changes is news, however late they are.
        let from = news_from(None, started - DAY_MS, 7 * DAY_MS, started);
        assert!(from >= started - DAY_MS, "{from}");
        // What moves afterwards is news, and what is long past is not.
        assert_eq!(news_from(None, started + 3 * DAY_MS, 7 * DAY_MS, started), started);
        assert_eq!(news_from(None, started + 30 * DAY_MS, 7 * DAY_MS, started), started + 16 * DAY_MS);
        // A version knows what it learned from.
        assert_eq!(news_from(Some(5), started, 7 * DAY_MS, started), 5);
    }
}
