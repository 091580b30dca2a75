//! Mercer's own documents: one a line, or the elements of a JSON list.

use mercer_shared::problem::Problem;
use mercer_shared::wire::{DeletedItem, ExportLine, ImportPhase, Interaction, Item, User};

use super::job::{BATCH, Job};
use super::plan::Kind;
use crate::document::parse_line;
use crate::records::{Document, Documents, Layout, RecordPlace};
use crate::validate::{Document as _, Refusal};

/// Reads a file of one kind, or an export.
pub(super) fn read(job: &mut Job<'_>, kind: Kind) -> Result<(), Problem> {
    let mut source = job.open(ImportPhase::Writing)?;
    let layout = Layout::of(source.head().trim_ascii_start());
    job.account.report.format = source.describe(if layout == Layout::Lines { "ndjson" } else { "json" });
    let mut documents = Documents::new(source.take_reader(), layout);
    let mut waiting = Waiting::default();
    let end = loop {
        let (place, parsed) = match documents.next() {
            Err(problem) => break Err(problem),
            Ok(Document::End) => break Ok(()),
            Ok(Document::Bad(place, refusal)) => (place, Err(refusal)),
            Ok(Document::Text(place, bytes)) => (place, parse(kind, bytes)),
        };
        // The sink wants no more, so what waits is not written either.
        job.read_one()?;
        match parsed.and_then(|document| document.validate(job.now).map(|()| document)) {
            Ok(document) => {
                // The order of kinds is kept: an interaction may name the item of the line before.
                if !waiting.takes(&document) || waiting.len() == BATCH {
                    waiting.write(job);
                }
                waiting.push(place.line, document);
            }
            Err(refusal) => match RecordPlace::of(place).inside(None) {
                Some(inside) => job.account.refused_at(refusal, place.line, &inside),
                None => job.account.refused(refusal, place.line),
            },
        }
    };
    waiting.write(job);
    end.and_then(|()| job.goes_on())
}

fn parse(kind: Kind, line: &[u8]) -> Result<ExportLine, Refusal> {
    match kind {
        Kind::Items => parse_line(line).map(ExportLine::Item),
        Kind::Users => parse_line(line).map(ExportLine::User),
        Kind::Interactions => parse_line(line).map(ExportLine::Interaction),
        Kind::Export => parse_line(line),
    }
}

/// Documents of one kind that wait to be written together, with their lines.
#[derive(Default)]
struct Waiting {
    lines: Vec<u64>,
    items: Vec<Item>,
    deleted: Vec<DeletedItem>,
    users: Vec<User>,
    interactions: Vec<Interaction>,
}

impl Waiting {
    const fn len(&self) -> usize {
        self.lines.len()
    }

    const fn takes(&self, document: &ExportLine) -> bool {
        let here = match document {
            ExportLine::Item(_) => self.items.len(),
            ExportLine::DeletedItem(_) => self.deleted.len(),
            ExportLine::User(_) => self.users.len(),
            ExportLine::Interaction(_) => self.interactions.len(),
        };
        here == self.len()
    }

    fn push(&mut self, line: u64, document: ExportLine) {
        self.lines.push(line);
        match document {
            ExportLine::Item(item) => self.items.push(item),
            ExportLine::DeletedItem(deleted) => self.deleted.push(deleted),
            ExportLine::User(user) => self.users.push(user),
            ExportLine::Interaction(interaction) => self.interactions.push(interaction),
        }
    }

    fn write(&mut self, job: &mut Job<'_>) {
        let lines = std::mem::take(&mut self.lines);
        let mut outcomes = Vec::with_capacity(lines.len());
        if !self.items.is_empty() {
            outcomes.extend(job.write_items(std::mem::take(&mut self.items)));
        }
        if !self.deleted.is_empty() {
            outcomes.extend(job.write_deleted_items(std::mem::take(&mut self.deleted)));
        }
        if !self.users.is_empty() {
            outcomes.extend(job.write_users(std::mem::take(&mut self.users)));
        }
        if !self.interactions.is_empty() {
            outcomes.extend(job.write_interactions(std::mem::take(&mut self.interactions)));
        }
        for (line, outcome) in lines.into_iter().zip(outcomes) {
            job.account.ended(outcome, line, 1);
        }
        job.tell(false);
    }
}
