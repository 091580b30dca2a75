//! An import from its file to its report.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mercer_shared::ids::InteractionId;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{ExportLine, ImportPhase, ImportProgress, ImportReport, Interaction, Item, User};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::account::{Account, Outcome};
use crate::bytes::{Line, Source, read_line};
use crate::document::{MAX_LINE_BYTES, parse_line};
use crate::mapping::{ItemGathering, Mapper};
use crate::preset::Preset;
use crate::records::{Records, Step};
use crate::validate::{validate_interaction, validate_item, validate_user};

/// Documents handed to the sink at once.
const BATCH: usize = 2_000;
/// Shortest time between two reports of progress.
const PROGRESS: Duration = Duration::from_millis(100);

/// How a file is read.
#[derive(Debug, Clone)]
pub enum Plan {
    /// By a preset.
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

/// Where documents go. One outcome for each, in order.
pub trait Sink {
    /// Writes items.
    fn items(&mut self, items: Vec<Item>) -> Vec<Outcome>;
    /// Writes users.
    fn users(&mut self, users: Vec<User>) -> Vec<Outcome>;
    /// Writes interactions.
    fn interactions(&mut self, interactions: Vec<Interaction>) -> Vec<Outcome>;
}

/// Writes nothing and says what would happen, as far as the file alone can tell.
#[derive(Debug, Default)]
pub struct DryRun {
    seen: FxHashSet<InteractionId>,
}

fn checked(result: Result<(), (Code, String)>) -> Outcome {
    result.map_or_else(|(code, detail)| Outcome::Rejected(code, detail), |()| Outcome::Accepted)
}

impl Sink for DryRun {
    fn items(&mut self, items: Vec<Item>) -> Vec<Outcome> {
        let now = Timestamp::now();
        items.iter().map(|item| checked(validate_item(item, now))).collect()
    }

    fn users(&mut self, users: Vec<User>) -> Vec<Outcome> {
        let now = Timestamp::now();
        users.iter().map(|user| checked(validate_user(user, now))).collect()
    }

    fn interactions(&mut self, interactions: Vec<Interaction>) -> Vec<Outcome> {
        let now = Timestamp::now();
        let one = |line: Interaction| match checked(validate_interaction(&line, now)) {
            Outcome::Accepted if line.id.is_some_and(|id| !self.seen.insert(id)) => Outcome::Duplicate,
            outcome => outcome,
        };
        interactions.into_iter().map(one).collect()
    }
}

/// What ends an import before its file does.
type Broken = (Problem, Box<ImportReport>);

/// Reads a file into a sink.
///
/// # Errors
/// `bad-file`, `missing-columns` and the like, with the report of what was done until then.
pub fn run(
    path: &Path,
    file_name: &str,
    plan: &Plan,
    dry_run: bool,
    sink: &mut dyn Sink,
    progress: &mut dyn FnMut(ImportProgress),
) -> Result<ImportReport, Broken> {
    let started = Instant::now();
    let mut job = Job {
        account: Account::default(),
        file_name,
        sink,
        progress,
        last: None,
        phase: ImportPhase::Writing,
        lines: 0,
        bytes: 0,
        total: 0,
    };
    job.account.report.file = file_name.to_owned();
    job.account.report.dry_run = dry_run;
    let result = match plan {
        Plan::Preset(name, preset) => job.preset(path, name, preset),
        Plan::Ndjson(kind) => job.ndjson(path, *kind),
    };
    let mut report = job.account.report;
    report.seconds = started.elapsed().as_secs_f64();
    match result {
        Ok(()) => Ok(report),
        Err(problem) => Err((problem, Box::new(report))),
    }
}

struct Job<'a> {
    account: Account,
    file_name: &'a str,
    sink: &'a mut dyn Sink,
    progress: &'a mut dyn FnMut(ImportProgress),
    last: Option<Instant>,
    phase: ImportPhase,
    lines: u64,
    bytes: u64,
    total: u64,
}

impl Job<'_> {
    fn open(&mut self, path: &Path) -> Result<Source, Problem> {
        let source =
            Source::open(path).map_err(|error| Problem::new(Code::BadFile, format!("{}: {error}", self.file_name)))?;
        self.total = source.total;
        Ok(source)
    }

    fn tell(&mut self, always: bool) {
        if always || self.last.is_none_or(|last| last.elapsed() >= PROGRESS) {
            self.last = Some(Instant::now());
            (self.progress)(ImportProgress {
                file: self.file_name.to_owned(),
                phase: self.phase,
                lines: self.lines,
                bytes: self.bytes.min(self.total),
                total_bytes: self.total,
                accepted: self.account.report.accepted,
            });
        }
    }

    fn count_interactions(&mut self, kinds: &[&'static str], outcomes: &[Outcome]) {
        for (kind, outcome) in kinds.iter().zip(outcomes) {
            if *outcome == Outcome::Accepted {
                *self.account.report.interactions.entry((*kind).to_owned()).or_insert(0) += 1;
            }
        }
    }

    fn write_interactions(&mut self, batch: &mut Vec<(u64, Interaction)>) {
        let (lines, interactions): (Vec<u64>, Vec<Interaction>) = batch.drain(..).unzip();
        let kinds: Vec<&'static str> = interactions.iter().map(|line| line.kind.as_str()).collect();
        let outcomes = self.sink.interactions(interactions);
        self.count_interactions(&kinds, &outcomes);
        for (line, outcome) in lines.into_iter().zip(outcomes) {
            self.account.outcome(outcome, line);
        }
    }

    /// Writes items; answers the outcome of each.
    fn write_items(&mut self, items: Vec<Item>) -> Vec<Outcome> {
        let mut all = Vec::with_capacity(items.len());
        let mut items = items.into_iter().peekable();
        while items.peek().is_some() {
            let outcomes = self.sink.items(items.by_ref().take(BATCH).collect());
            self.account.report.items +=
                outcomes.iter().filter(|outcome| **outcome == Outcome::Accepted).count() as u64;
            all.extend(outcomes);
            self.tell(false);
        }
        all
    }

    fn write_users(&mut self, users: Vec<User>) -> Vec<Outcome> {
        let mut all = Vec::with_capacity(users.len());
        let mut users = users.into_iter().peekable();
        while users.peek().is_some() {
            let outcomes = self.sink.users(users.by_ref().take(BATCH).collect());
            self.account.report.users +=
                outcomes.iter().filter(|outcome| **outcome == Outcome::Accepted).count() as u64;
            all.extend(outcomes);
        }
        all
    }

    /// Two passes where lines carry interactions: the first gathers items and users, which are written before the interactions
    /// that name them; the second writes those.
    fn preset(&mut self, path: &Path, name: &str, preset: &Preset) -> Result<(), Problem> {
        self.phase = ImportPhase::Scanning;
        let source = self.open(path)?;
        let consumed = source.consumed.clone();
        let (mut records, spec, _source) = Records::open(preset, self.file_name, source)?;
        self.account.report.format = format!("preset {name} ({}), {}", spec.name, records.format);
        let mut mapper = Mapper::new(name, spec).map_err(|(code, detail)| Problem::new(code, detail))?;
        let (mut items, mut users) = (ItemGathering::default(), FxHashMap::default());
        let (mut order, mut owners): (Vec<User>, Vec<(u64, usize, bool)>) = (Vec::new(), Vec::new());
        let mut item_numbers = FxHashMap::default();
        let only_things = spec.interaction.is_none();
        let mut broken = None;
        loop {
            let step = match records.step() {
                Ok(step) => step,
                Err(problem) => {
                    broken = Some(problem);
                    break;
                }
            };
            self.bytes = consumed.load(Ordering::Relaxed);
            self.tell(false);
            let (line, row) = match step {
                Step::End => break,
                Step::Bad(line, (code, detail)) => {
                    self.lines += 1;
                    if only_things {
                        self.account.read();
                        self.account.rejected(code, detail, line);
                    }
                    continue;
                }
                Step::Record(line, row) => (line, row),
            };
            self.lines += 1;
            if only_things {
                self.account.read();
            }
            if let Some(rule) = mapper.skipped(&row) {
                if only_things {
                    self.account.skipped(rule, line);
                }
                continue;
            }
            let mut refused = None;
            if let Some(item_spec) = &spec.item {
                match mapper.item(item_spec, &row) {
                    Ok(item) => {
                        let next = item_numbers.len();
                        let place = *item_numbers.entry(item.id.clone()).or_insert(next);
                        items.add(item, item_spec.title_choice);
                        if only_things {
                            owners.push((line, place, true));
                        }
                    }
                    Err(refusal) => refused = Some(refusal),
                }
            }
            if let Some(user_spec) = &spec.user {
                match mapper.user(user_spec, &row) {
                    Ok(user) => {
                        let place = *users.entry(user.id.clone()).or_insert_with(|| {
                            order.push(user.clone());
                            order.len() - 1
                        });
                        order[place] = user;
                        if only_things && spec.item.is_none() {
                            owners.push((line, place, false));
                        }
                    }
                    Err(refusal) => refused = Some(refusal),
                }
            }
            if let (Some((code, detail)), true) = (refused, only_things) {
                self.account.rejected(code, detail, line);
            }
        }
        let written = spec.item.as_ref().map(|item_spec| self.write_items(items.finish(item_spec))).unwrap_or_default();
        let known = self.write_users(order);
        for (line, place, is_item) in owners {
            let outcome = if is_item { written.get(place) } else { known.get(place) };
            let outcome = outcome.cloned().unwrap_or(Outcome::Duplicate);
            self.account.outcome(outcome, line);
        }
        if let Some(problem) = broken.filter(|_| only_things) {
            return Err(problem);
        }
        let Some(event_spec) = spec.interaction.clone() else { return Ok(()) };
        self.phase = ImportPhase::Writing;
        (self.lines, self.bytes) = (0, 0);
        let source = self.open(path)?;
        let consumed = source.consumed.clone();
        let (mut records, _, _source) = Records::open(preset, self.file_name, source)?;
        let mut batch: Vec<(u64, Interaction)> = Vec::with_capacity(BATCH);
        let end = loop {
            let step = match records.step() {
                Ok(step) => step,
                Err(problem) => break Err(problem),
            };
            self.bytes = consumed.load(Ordering::Relaxed);
            let (line, row) = match step {
                Step::End => break Ok(()),
                Step::Bad(line, (code, detail)) => {
                    self.lines += 1;
                    self.account.read();
                    self.account.rejected(code, detail, line);
                    continue;
                }
                Step::Record(line, row) => (line, row),
            };
            self.lines += 1;
            self.account.read();
            if let Some(rule) = mapper.skipped(&row) {
                self.account.skipped(rule, line);
            } else {
                match mapper.interaction(&event_spec, &row) {
                    Ok(interaction) => batch.push((line, interaction)),
                    Err((code, detail)) => self.account.rejected(code, detail, line),
                }
            }
            if batch.len() == BATCH {
                self.write_interactions(&mut batch);
                self.tell(false);
            }
        };
        self.write_interactions(&mut batch);
        self.tell(true);
        end
    }

    fn ndjson(&mut self, path: &Path, kind: Kind) -> Result<(), Problem> {
        let mut source = self.open(path)?;
        let compressed = source.compression.name().map(|name| format!(", {name}")).unwrap_or_default();
        self.account.report.format = format!("ndjson{compressed}");
        let mut buffer = Vec::new();
        let mut waiting = Waiting::default();
        let mut number = 0;
        let end = loop {
            number += 1;
            let line = match read_line(&mut *source.reader, &mut buffer) {
                Ok(line) => line,
                Err(error) => {
                    break Err(Problem::new(Code::BadFile, format!("{}: line {number}: {error}", self.file_name)));
                }
            };
            self.bytes = source.consumed.load(Ordering::Relaxed);
            let bytes = match line {
                Line::End => break Ok(()),
                Line::TooLong(length) => {
                    self.lines += 1;
                    self.account.read();
                    let detail = format!("the line has {length} bytes, at most {MAX_LINE_BYTES} are read");
                    self.account.rejected(Code::LineTooLong, detail, number);
                    continue;
                }
                Line::Whole => buffer.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(&buffer),
            };
            if bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            self.lines += 1;
            self.account.read();
            let parsed = match kind {
                Kind::Items => parse_line(bytes).map(ExportLine::Item),
                Kind::Users => parse_line(bytes).map(ExportLine::User),
                Kind::Interactions => parse_line(bytes).map(ExportLine::Interaction),
                Kind::Export => parse_line(bytes),
            };
            match parsed {
                Ok(document) => {
                    // The order of kinds is kept: an interaction may name the item of the line before.
                    if !waiting.takes(&document) || waiting.len() == BATCH {
                        self.write(&mut waiting);
                    }
                    waiting.push(number, document);
                }
                Err((code, detail)) => self.account.rejected(code, detail, number),
            }
            self.tell(false);
        };
        self.write(&mut waiting);
        self.tell(true);
        end
    }

    fn write(&mut self, waiting: &mut Waiting) {
        if !waiting.interactions.is_empty() {
            self.write_interactions(&mut waiting.interactions);
        }
        let (lines, items): (Vec<u64>, Vec<Item>) = waiting.items.drain(..).unzip();
        for (line, outcome) in lines.into_iter().zip(self.write_items(items)) {
            self.account.outcome(outcome, line);
        }
        let (lines, users): (Vec<u64>, Vec<User>) = waiting.users.drain(..).unzip();
        for (line, outcome) in lines.into_iter().zip(self.write_users(users)) {
            self.account.outcome(outcome, line);
        }
    }
}

/// Documents of one kind that wait to be written together.
#[derive(Default)]
struct Waiting {
    items: Vec<(u64, Item)>,
    users: Vec<(u64, User)>,
    interactions: Vec<(u64, Interaction)>,
}

impl Waiting {
    fn len(&self) -> usize {
        self.items.len() + self.users.len() + self.interactions.len()
    }

    fn takes(&self, document: &ExportLine) -> bool {
        let here = match document {
            ExportLine::Item(_) => self.items.len(),
            ExportLine::User(_) => self.users.len(),
            ExportLine::Interaction(_) => self.interactions.len(),
        };
        here == self.len()
    }

    fn push(&mut self, line: u64, document: ExportLine) {
        match document {
            ExportLine::Item(item) => self.items.push((line, item)),
            ExportLine::User(user) => self.users.push((line, user)),
            ExportLine::Interaction(interaction) => self.interactions.push((line, interaction)),
        }
    }
}
