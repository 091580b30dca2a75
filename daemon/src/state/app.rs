//! [`App`]: the parts of the daemon that all requests share. It holds the store, the model thread, the shop in memory and the published
//! state that readers take. Services are functions over it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use mercer_model::ModelHandle;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Alarm, AuditEntry, Event, EventKind};
use mercer_store::Store;
use parking_lot::Mutex;
use tokio::sync::broadcast;

use crate::state::config::Config;
use crate::state::counters::Counters;
use crate::state::frequent_acts::{CountedAct, FrequentActs};
use crate::state::guardrails::Guardrails;
use crate::state::head_rescorer::HeadRescorer;
use crate::state::mitigations::Mitigations;
use crate::state::moments::MomentCache;
use crate::state::report_cache::ReportCache;
use crate::state::run_slot::RunSlot;
use crate::state::served_log::ServedLog;
use crate::state::shop::ShopState;
use crate::state::shop::writer::ShopWriter;
use crate::state::vector_cache::VectorCache;
use crate::state::write_order::WriteOrder;

/// Events a slow reader of the stream may fall behind before it is told "lagged".
const EVENT_QUEUE: usize = 1_024;

/// The process at the other end of the socket, as the kernel names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Process id.
    pub pid: Option<i32>,
}

/// The daemon.
pub struct App {
    /// Configuration in force.
    pub config: Config,
    /// Durable state.
    pub store: Store,
    /// The model thread.
    pub model: ModelHandle,
    /// The shop in memory.
    pub shop: Mutex<ShopWriter>,
    /// The order of commit and apply of each user.
    pub write_order: WriteOrder,
    /// The published state; a request loads it once.
    pub view: ArcSwap<ShopState>,
    /// Collaborative indexes of past moments.
    pub moments: MomentCache,
    /// Vectors of passages that were embedded before.
    pub vectors: VectorCache,
    /// Training runs.
    pub runs: RunSlot,
    /// What re-scores the head of lists.
    pub head_rescorer: Box<dyn HeadRescorer>,
    /// Mitigations in force, by placement.
    pub mitigations: Mitigations,
    /// Lists that went out.
    pub served_log: ServedLog,
    /// Reports that were computed for one state of the shop.
    pub reports: ReportCache,
    /// Traffic counters.
    pub counters: Counters,
    /// Guardrails of versions on trial.
    pub guardrails: Guardrails,
    /// When the daemon started.
    pub started: Timestamp,
    events: broadcast::Sender<Event>,
    event_seq: AtomicU64,
    alarms: Mutex<Vec<Alarm>>,
    frequent: FrequentActs,
    stopping: tokio::sync::watch::Sender<bool>,
    /// Whether the collaborative index was fitted since the start.
    warm: tokio::sync::watch::Sender<bool>,
}

/// The arguments of [`App::new`].
pub struct AppParts {
    /// Configuration in force.
    pub config: Config,
    /// Durable state.
    pub store: Store,
    /// The model thread.
    pub model: ModelHandle,
    /// The shop in memory, filled.
    pub shop: ShopWriter,
    /// Vectors of passages.
    pub vectors: VectorCache,
    /// What re-scores the head of lists.
    pub head_rescorer: Box<dyn HeadRescorer>,
    /// Mitigations as they were stored.
    pub mitigations: Mitigations,
    /// Lists that went out before the start.
    pub served_log: ServedLog,
}

impl App {
    /// Puts the daemon together.
    #[must_use]
    pub fn new(parts: AppParts) -> Arc<Self> {
        let AppParts { config, store, model, mut shop, vectors, head_rescorer, mitigations, served_log } = parts;
        let view = shop.publish().unwrap_or_else(|| Arc::new(shop.view().clone()));
        let guardrails = Guardrails::default();
        // Without a log there is nothing to be fitted.
        let empty = view.rank.log.is_empty();
        guardrails.begin(&[&view.model.meta.version], None);
        Arc::new(Self {
            config,
            store,
            model,
            shop: Mutex::new(shop),
            write_order: WriteOrder::default(),
            view: ArcSwap::new(view),
            moments: MomentCache::default(),
            vectors,
            runs: RunSlot::default(),
            head_rescorer,
            mitigations,
            served_log,
            reports: ReportCache::default(),
            counters: Counters::default(),
            guardrails,
            started: Timestamp::now(),
            events: broadcast::channel(EVENT_QUEUE).0,
            event_seq: AtomicU64::new(0),
            alarms: Mutex::default(),
            frequent: FrequentActs::default(),
            stopping: tokio::sync::watch::Sender::new(false),
            warm: tokio::sync::watch::Sender::new(empty),
        })
    }

    /// The state of the shop and the model for one request.
    #[must_use]
    pub fn view(&self) -> Arc<ShopState> {
        self.view.load_full()
    }

    /// The state of the shop for a request about something that may just have been written. If the published state does not know it yet, the
    /// applied changes are published first.
    #[must_use]
    pub fn view_that(&self, knows: impl Fn(&ShopState) -> bool) -> Arc<ShopState> {
        let view = self.view();
        if !knows(&view) && knows(self.shop.lock().view()) {
            self.publish();
            return self.view();
        }
        view
    }

    /// Makes everything applied so far visible to readers. Called by the publisher every few milliseconds while the shop changes.
    pub fn publish(&self) {
        let mut shop = self.shop.lock();
        if let Some(earliest) = shop.take_past() {
            self.moments.forget_from(earliest);
        }
        if let Some(view) = shop.publish() {
            self.view.store(view);
        }
        // While the shop is still locked: whatever is applied from now on is part of a later publication.
        self.counters.published();
    }

    /// Sends an event to all readers of the stream.
    pub fn tell(&self, kind: EventKind) {
        let seq = self.event_seq.fetch_add(1, Ordering::Relaxed) + 1;
        // Sending fails when there is no reader; that is fine.
        let _ = self.events.send(Event { seq, at: Timestamp::now(), kind });
    }

    /// A reader of the stream.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Number of the latest event.
    #[must_use]
    pub fn event_seq(&self) -> u64 {
        self.event_seq.load(Ordering::Relaxed)
    }

    /// Raises an alarm, or renews the text of one of the same kind.
    pub fn raise(&self, kind: &str, text: String) {
        let alarm = {
            let mut alarms = self.alarms.lock();
            match alarms.iter_mut().find(|alarm| alarm.kind == kind) {
                Some(alarm) if alarm.text == text => return,
                Some(alarm) => {
                    alarm.text = text;
                    alarm.clone()
                }
                None => {
                    let alarm = Alarm { since: Timestamp::now(), kind: kind.to_owned(), text };
                    alarms.push(alarm.clone());
                    alarm
                }
            }
        };
        tracing::warn!(kind = alarm.kind, text = alarm.text, "alarm");
        self.tell(EventKind::Alarm(alarm));
    }

    /// Clears an alarm.
    pub fn clear(&self, kind: &str) {
        self.alarms.lock().retain(|alarm| alarm.kind != kind);
    }

    /// Raised alarms.
    #[must_use]
    pub fn alarms(&self) -> Vec<Alarm> {
        self.alarms.lock().clone()
    }

    /// Refuses writes while the store takes none.
    ///
    /// # Errors
    /// `read-only` with the reason.
    pub fn writable(&self) -> Result<(), Problem> {
        match self.store.is_read_only() {
            None => Ok(()),
            Some(reason) => {
                self.raise("read-only", reason.clone());
                Err(Problem::new(Code::ReadOnly, reason))
            }
        }
    }

    /// Counts an act that is too frequent for an audit entry of its own; a minute of counts becomes one entry for each peer and target.
    pub fn audit_frequent(&self, peer: Peer, action: &'static str, target: &str, outcome: &str) {
        self.write_frequent(self.frequent.note(peer.uid, action, target, outcome, Timestamp::now()));
    }

    /// Writes the counts of a minute that is over; those of the running one as well if the daemon stops.
    pub fn flush_frequent(&self) {
        let acts = if self.is_stopping() { self.frequent.all() } else { self.frequent.ended(Timestamp::now()) };
        self.write_frequent(acts);
    }

    fn write_frequent(&self, acts: Vec<CountedAct>) {
        for CountedAct { uid, action, target, detail } in acts {
            self.audit(Some(Peer { uid, gid: u32::MAX, pid: None }), action, &target, detail);
        }
    }

    /// Notes a change in the audit log; `peer` is none for the daemon's own doing.
    pub fn audit(&self, peer: Option<Peer>, action: &str, target: &str, detail: impl Into<String>) {
        let entry = AuditEntry {
            seq: 0,
            at: Timestamp::now(),
            uid: peer.map(|peer| peer.uid),
            pid: peer.and_then(|peer| peer.pid),
            action: action.to_owned(),
            target: target.to_owned(),
            detail: detail.into(),
        };
        if let Err(error) = self.store.audit(entry) {
            tracing::error!(%error, action, target, "the audit log could not be written");
        }
    }

    /// Refuses requests that read the collaborative index until it was fitted after a start. Before that, every list would be plain popularity
    /// under the version's name.
    ///
    /// # Errors
    /// `unavailable`, worth a retry.
    pub fn warm(&self) -> Result<(), Problem> {
        if self.is_warm() {
            return Ok(());
        }
        Err(Problem::new(Code::Unavailable, "the daemon has started and reads the log: lists come within seconds")
            .retry_after(1))
    }

    /// Whether the collaborative index was fitted since the start.
    #[must_use]
    pub fn is_warm(&self) -> bool {
        *self.warm.borrow()
    }

    /// Takes note that the collaborative index was fitted.
    pub fn set_warm(&self) {
        self.warm.send_replace(true);
    }

    /// Resolves when lists are answered: at once without a log, else after the first fit.
    pub async fn warmed(&self) {
        let mut warm = self.warm.subscribe();
        // An error means the sender is gone, and with it the daemon.
        let _ = warm.wait_for(|warm| *warm).await;
    }

    /// Begins the end: streams close, training checkpoints.
    pub fn stop(&self) {
        self.tell(EventKind::Stopping);
        self.stopping.send_replace(true);
    }

    /// Whether the daemon is stopping.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Resolves when the daemon begins to stop.
    pub async fn stopped(&self) {
        let mut stopping = self.stopping.subscribe();
        // An error means the sender is gone, and with it the daemon.
        let _ = stopping.wait_for(|stop| *stop).await;
    }
}
