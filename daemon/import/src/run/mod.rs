//! An import from its file to its report.

mod ndjson;
mod preset;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mercer_shared::problem::Problem;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{DeletedItem, ImportPhase, ImportProgress, ImportReport, Interaction, Item, User};

use crate::account::{Account, Outcome};
use crate::preset::Preset;
use crate::sink::Sink;
use crate::source::Source;

/// Documents handed to the sink at once.
const BATCH: usize = 2_000;
/// Shortest time between two reports of progress.
const PROGRESS: Duration = Duration::from_millis(100);
/// Records between two looks at the clock.
const LOOK: u64 = 256;

/// How a file is read.
#[derive(Debug, Clone)]
pub enum Plan {
    /// By a preset of this name.
    Preset(String, Preset),
    /// Mercer's own documents, one a line.
    Ndjson(Kind),
}

/// What an NDJSON file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Items.
    Items,
    /// Users.
    Users,
    /// Interactions.
    Interactions,
    /// Lines that say themselves what they are.
    Export,
}

impl std::str::FromStr for Kind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "items" => Ok(Self::Items),
            "users" => Ok(Self::Users),
            "interactions" => Ok(Self::Interactions),
            "export" => Ok(Self::Export),
            _ => Err(format!("`{word}` is none of items, users, interactions, export")),
        }
    }
}

/// What ends an import before its file does: why, and the report of what was done until then, which stays.
type Broken = (Problem, Box<ImportReport>);

/// Reads the file at `path`, which the shop calls `file_name`, into a sink. Tells `progress` at most about ten times a second.
///
/// # Errors
/// `bad-file`, `missing-columns`, `unknown-format`, or why the sink ends it; with the report of what was done until then.
pub fn run(
    path: &Path,
    file_name: &str,
    plan: &Plan,
    dry_run: bool,
    sink: &mut dyn Sink,
    progress: &mut dyn FnMut(ImportProgress),
) -> Result<ImportReport, Broken> {
    let started = Instant::now();
    let account = Account { report: ImportReport { file: file_name.to_owned(), dry_run, ..ImportReport::default() } };
    let mut job = Job {
        account,
        path,
        file_name,
        sink,
        now: Timestamp::now(),
        teller: Teller {
            progress,
            last: None,
            phase: ImportPhase::Writing,
            lines: 0,
            consumed: Arc::default(),
            total: 0,
        },
    };
    let result = match plan {
        Plan::Preset(name, preset) => preset::read(&mut job, name, preset),
        Plan::Ndjson(kind) => ndjson::read(&mut job, *kind),
    };
    if result.is_ok() {
        job.teller.phase = ImportPhase::Done;
    }
    job.tell(true);
    let mut report = job.account.report;
    report.seconds = started.elapsed().as_secs_f64();
    match result {
        Ok(()) => Ok(report),
        Err(problem) => Err((problem, Box::new(report))),
    }
}

/// An import under way.
struct Job<'a> {
    account: Account,
    path: &'a Path,
    file_name: &'a str,
    sink: &'a mut dyn Sink,
    now: Timestamp,
    teller: Teller<'a>,
}

/// Tells how far it is.
struct Teller<'a> {
    progress: &'a mut dyn FnMut(ImportProgress),
    last: Option<Instant>,
    phase: ImportPhase,
    /// Records read in this phase.
    lines: u64,
    consumed: Arc<AtomicU64>,
    total: u64,
}

impl Job<'_> {
    /// Opens the file for a phase.
    fn open(&mut self, phase: ImportPhase) -> Result<Source, Problem> {
        let source = Source::open(self.path, self.file_name)?;
        self.teller.phase = phase;
        self.teller.lines = 0;
        self.teller.total = source.total;
        self.teller.consumed = Arc::clone(&source.consumed);
        Ok(source)
    }

    /// A record was read: now and then it is told, and the sink is asked whether to go on.
    fn read_one(&mut self) -> Result<(), Problem> {
        self.teller.lines += 1;
        if self.teller.lines % LOOK == 1 {
            self.tell(false);
            self.goes_on()?;
        }
        Ok(())
    }

    fn goes_on(&mut self) -> Result<(), Problem> {
        self.sink.ends().map_or(Ok(()), Err)
    }

    fn tell(&mut self, always: bool) {
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

    fn write_items(&mut self, items: Vec<Item>) -> Vec<Outcome> {
        let count = items.len();
        let outcomes = self.sink.items(items);
        debug_assert_eq!(outcomes.len(), count);
        self.account.report.items += accepted(&outcomes);
        outcomes
    }

    fn write_deleted_items(&mut self, deleted: Vec<DeletedItem>) -> Vec<Outcome> {
        let count = deleted.len();
        let outcomes = self.sink.deleted_items(deleted);
        debug_assert_eq!(outcomes.len(), count);
        outcomes
    }

    fn write_users(&mut self, users: Vec<User>) -> Vec<Outcome> {
        let count = users.len();
        let outcomes = self.sink.users(users);
        debug_assert_eq!(outcomes.len(), count);
        self.account.report.users += accepted(&outcomes);
        outcomes
    }

    fn write_interactions(&mut self, interactions: Vec<Interaction>) -> Vec<Outcome> {
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
