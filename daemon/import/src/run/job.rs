//! The state of a running import: its sink, its account and its progress.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mercer_shared::problem::Problem;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{DeletedItem, ImportPhase, ImportProgress, Interaction, Item, User};

use crate::account::{Account, Outcome};
use crate::sink::Sink;
use crate::source::Source;

/// Documents handed to the sink at once.
pub(super) const BATCH: usize = 2_000;
/// Shortest time between two reports of progress.
const PROGRESS: Duration = Duration::from_millis(100);
/// Records between two looks at the clock.
const LOOK: u64 = 256;

/// An import under way.
pub(super) struct Job<'a> {
    pub(super) account: Account,
    pub(super) path: &'a Path,
    pub(super) file_name: &'a str,
    pub(super) sink: &'a mut dyn Sink,
    pub(super) now: Timestamp,
    pub(super) teller: Teller<'a>,
}

/// Reports progress.
pub(super) struct Teller<'a> {
    pub(super) progress: &'a mut dyn FnMut(ImportProgress),
    pub(super) last: Option<Instant>,
    pub(super) phase: ImportPhase,
    /// Records read in this phase.
    pub(super) lines: u64,
    pub(super) consumed: Arc<AtomicU64>,
    pub(super) total: u64,
}

impl Job<'_> {
    /// Opens the file for a phase.
    pub(super) fn open(&mut self, phase: ImportPhase) -> Result<Source, Problem> {
        let source = Source::open(self.path, self.file_name)?;
        self.teller.phase = phase;
        self.teller.lines = 0;
        self.teller.total = source.total;
        self.teller.consumed = Arc::clone(&source.consumed);
        Ok(source)
    }

    /// A record was read: now and then progress is reported, and the sink is asked whether to go on.
    pub(super) fn read_one(&mut self) -> Result<(), Problem> {
        self.teller.lines += 1;
        if self.teller.lines % LOOK == 1 {
            self.tell(false);
            self.goes_on()?;
        }
        Ok(())
    }

    pub(super) fn goes_on(&mut self) -> Result<(), Problem> {
        self.sink.ends().map_or(Ok(()), Err)
    }

    pub(super) fn tell(&mut self, always: bool) {
        let teller = &mut self.teller;
        if always || teller.last.is_none_or(|last| last.elapsed() >= PROGRESS) {
            teller.last = Some(Instant::now());
            (teller.progress)(ImportProgress {
                file: self.file_name.to_owned(),
                phase: teller.phase,
                lines: teller.lines,
                bytes: teller.consumed.load(Ordering::Relaxed).min(teller.total),
                total_bytes: teller.total,
                accepted: self.account.report.accepted,
            });
        }
    }

    pub(super) fn write_items(&mut self, items: Vec<Item>) -> Vec<Outcome> {
        let count = items.len();
        let outcomes = self.sink.items(items);
        debug_assert_eq!(outcomes.len(), count);
        self.account.report.items += accepted(&outcomes);
        outcomes
    }

    pub(super) fn write_deleted_items(&mut self, deleted: Vec<DeletedItem>) -> Vec<Outcome> {
        let count = deleted.len();
        let outcomes = self.sink.deleted_items(deleted);
        debug_assert_eq!(outcomes.len(), count);
        outcomes
    }

    pub(super) fn write_users(&mut self, users: Vec<User>) -> Vec<Outcome> {
        let count = users.len();
        let outcomes = self.sink.users(users);
        debug_assert_eq!(outcomes.len(), count);
        self.account.report.users += accepted(&outcomes);
        outcomes
    }

    pub(super) fn write_interactions(&mut self, interactions: Vec<Interaction>) -> Vec<Outcome> {
        let kinds: Vec<&'static str> = interactions.iter().map(|line| line.kind.as_str()).collect();
        let outcomes = self.sink.interactions(interactions);
        debug_assert_eq!(outcomes.len(), kinds.len());
        for kind in
            kinds.iter().zip(&outcomes).filter(|(_, outcome)| **outcome == Outcome::Accepted).map(|(kind, _)| kind)
        {
            *self.account.report.interactions.entry((*kind).to_owned()).or_default() += 1;
        }
        outcomes
    }
}

fn accepted(outcomes: &[Outcome]) -> u64 {
    outcomes.iter().filter(|outcome| **outcome == Outcome::Accepted).count() as u64
}
