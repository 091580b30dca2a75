//! The status of the daemon, the agent's decisions and the audit log.

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{
    Alarm, AuditEntry, AuditVerification, Counts, Decision, Health, Page, PrivacySpending, QueueStatus, Run,
    ServingModel, Status,
};
use mercer_store::{DocKind, Order};

use crate::serving::mitigation_notes::unmet_anywhere;
use crate::state::app::App;
use crate::state::privacy_ledger::Ledger;
use crate::state::problems::Answer;
use crate::state::problems::store_problem;
use crate::state::process::{device, resident_bytes};

/// The state of the daemon. Never fails: what cannot be read is 0 or absent.
#[must_use]
pub fn status(app: &App) -> Status {
    let view = app.view();
    let kept = app.store.counts();
    let items = view.item_count() as u64;
    let embedded = (view.dense.len() as u64).min(items);
    let meta = &view.model.meta;
    // The copy in memory is as old as the promotion; the store knows the latest state.
    let stored = app.store.get_model(&meta.version).ok().flatten();
    let listed = stored.as_ref().unwrap_or(meta);
    let mut alarms = app.alarms();
    let health = if app.store.is_read_only().is_some() {
        Health::ReadOnly
    } else if !app.is_warm() {
        Health::Starting
    } else if embedded < items || !alarms.is_empty() {
        Health::Degraded
    } else {
        Health::Ok
    };
    // It degrades nothing that the daemon itself could mend.
    alarms.extend(idle_mitigations(app));
    let queue = app.model.stats();
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        started: app.started,
        now: Timestamp::now(),
        health,
        device: device(app),
        state: app.config.state.display().to_string(),
        schema: mercer_store::SCHEMA,
        model: ServingModel {
            version: meta.version.clone(),
            since: listed.promoted.unwrap_or(listed.created),
            encoder: meta.encoder.name.clone(),
            dim: meta.encoder.dim,
        },
        counts: Counts {
            items,
            embedded,
            // Users known by interactions only count as well; the store counts documents.
            users: view.user_index.len() as u64,
            interactions: kept.interactions,
            new_interactions: kept.next_seq.saturating_sub(1).saturating_sub(meta.data.cursor).min(kept.interactions),
        },
        traffic: app.counters.traffic(),
        upkeep: app.counters.upkeep(view.unfitted.min(view.rank.log.len() as u64)),
        queue: QueueStatus {
            serving: queue.serving_waiting as u64,
            capacity: app.config.serve.queue as u64,
            background: items - embedded,
        },
        run: latest_run(app),
        privacy: privacy(app),
        alarms,
        memory_bytes: resident_bytes(),
        store_bytes: app.store.bytes().unwrap_or(0),
    }
}

/// An alarm where a mitigation is set for goods that the shop does not have any more.
fn idle_mitigations(app: &App) -> Option<Alarm> {
    let notes = unmet_anywhere(app);
    let changed =
        app.mitigations.history().placements.values().filter_map(|all| all.last()).map(|last| last.changed).max();
    (!notes.is_empty()).then(|| Alarm {
        since: changed.unwrap_or(app.started),
        kind: "mitigation".to_owned(),
        text: notes.join("; "),
    })
}

/// What private training has spent; `None` where it is off and never ran.
fn privacy(app: &App) -> Option<PrivacySpending> {
    let config = &app.config.privacy;
    let ledger = Ledger::load(&app.store).ok()?;
    if !config.is_on() && ledger.entries().is_empty() {
        return None;
    }
    ledger.spending(config).ok()
}

/// The run in progress, or the last one.
fn latest_run(app: &App) -> Option<Run> {
    crate::state::run_documents::current(app)
        .or_else(|| crate::state::run_documents::runs(app, None, 1).ok()?.items.pop())
}

/// Decisions of the agent, newest first.
///
/// # Errors
/// `bad-cursor`, or the store's.
pub fn decisions(app: &App, cursor: Option<&str>, limit: usize) -> Answer<Page<Decision>> {
    app.store.list_docs(DocKind::Decision, Order::Newest, cursor, limit).map_err(|error| store_problem(&error))
}

/// The audit log, newest first.
///
/// # Errors
/// `bad-cursor`, or the store's.
pub fn audit(app: &App, cursor: Option<&str>, limit: usize) -> Answer<Page<AuditEntry>> {
    app.store.list_docs(DocKind::Audit, Order::Newest, cursor, limit).map_err(|error| store_problem(&error))
}

/// Checks the hash chain of the audit log; `head` is one that an earlier check returned.
///
/// # Errors
/// The store's.
pub fn verify_audit(app: &App, head: Option<&str>) -> Answer<AuditVerification> {
    app.store.verify_audit(head).map_err(|error| store_problem(&error))
}
