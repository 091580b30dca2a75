//! Imports a log by a preset. If records yield items or users, the file is read twice: the first pass collects and
//! writes those, the second writes the interactions that name them.

use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{ImportPhase, ImportReport, Interaction};

use super::job::{BATCH, Job};
use crate::account::Outcome;
use crate::mapping::{About, Doc, Items, Mapped, Mapper, Users};
use crate::preset::{FileSpec, Preset};
use crate::records::{Fields, PhysicalLines, RecordPlace, Records, Step};
use crate::validate::Refusal;

/// Reads a log.
pub(super) fn read(job: &mut Job<'_>, name: &str, preset: &Preset) -> Result<(), Problem> {
    let mappers = mappers(name, preset)?;
    let used: Vec<Vec<String>> = mappers.iter().map(|mapper| mapper.columns().to_vec()).collect();
    drop(mappers);
    let mut records = Records::open(preset, &used, job.open(ImportPhase::Scanning)?)?;
    let section = records.section();
    let words = section.map_or_else(String::new, |section| format!(" ({})", preset.file[section].name));
    job.account.report.format = format!("preset {name}{words}, {}", records.format);
    let files =
        || preset.file.iter().enumerate().filter(|(number, _)| section.is_none_or(|section| section == *number));
    let things = files().any(|(_, file)| file.item.is_some() || file.user.is_some());
    let events = files().any(|(_, file)| file.interaction.is_some());
    let mut end = Ok(());
    if things {
        let (mut items, mut users) = (Items::default(), Users::default());
        let pass = Pass { name, preset, counts_bad: !events, about: About::Things };
        end = pass.read(job, &mut records, &mut |_, taken| {
            for doc in taken.docs {
                doc.item.into_iter().for_each(|item| items.add(item, taken.file, taken.line));
                doc.user.into_iter().for_each(|user| users.add(user, taken.file, taken.line));
            }
            Ok(())
        });
        write_things(job, items, users)?;
    }
    if events {
        if things {
            records = Records::open(preset, &used, job.open(ImportPhase::Writing)?)?;
        }
        job.teller.phase = ImportPhase::Writing;
        end = write_events(job, name, preset, &mut records);
    }
    if let Some(physical) = records.physical_lines() {
        note_lines(&mut job.account.report, physical);
    }
    end
}

/// Notes lines that are no records of their own, so that the lines of the file add up.
fn note_lines(report: &mut ImportReport, physical: &PhysicalLines) {
    let PhysicalLines { header, empty, continued, not_utf8 } = *physical;
    if empty + continued > 0 || header > 1 {
        let all = header + report.lines + continued + empty;
        report.notes.push(format!(
            "{all} lines of the file: {header} of the header, {} records, {continued} further lines of records, {empty} empty",
            report.lines
        ));
    }
    if not_utf8 > 0 {
        report.notes.push(format!("{not_utf8} lines are not UTF-8 and were read as Windows-1252"));
    }
}

fn mappers<'a>(name: &str, preset: &'a Preset) -> Result<Vec<Mapper<'a>>, Problem> {
    let one = |file| {
        Mapper::new(name, file).map_err(|detail| Problem::new(Code::BadConfig, format!("preset `{name}`: {detail}")))
    };
    preset.file.iter().map(one).collect()
}

/// One pass over the records.
struct Pass<'a> {
    name: &'a str,
    preset: &'a Preset,
    /// Whether what is no record at all is counted in this pass.
    counts_bad: bool,
    /// The documents this pass takes: records that give interactions are counted in the pass for events, others in the other.
    about: About,
}

/// The documents of a good record.
struct Taken<'a> {
    line: u64,
    file: &'a FileSpec,
    docs: Vec<Doc>,
}

/// Takes the documents of a record.
type Take<'a> = dyn FnMut(&mut Job<'_>, Taken<'_>) -> Result<(), Problem> + 'a;

impl Pass<'_> {
    /// Gives the documents of each good record to `take`, and counts the others.
    fn read(&self, job: &mut Job<'_>, records: &mut Records, take: &mut Take<'_>) -> Result<(), Problem> {
        let mut mappers = mappers(self.name, self.preset)?;
        let end = self.read_with(&mut mappers, job, records, take);
        let notes = mappers.iter().flat_map(|mapper| mapper.notes(self.about));
        job.account.report.notes.extend(notes);
        end
    }

    /// The list that documents hold their records in, for a record of no section.
    fn records(&self) -> Option<&str> {
        self.preset.file.iter().find_map(|file| file.records.as_deref())
    }

    fn read_with(
        &self,
        mappers: &mut [Mapper<'_>],
        job: &mut Job<'_>,
        records: &mut Records,
        take: &mut Take<'_>,
    ) -> Result<(), Problem> {
        let places: Vec<Vec<Option<usize>>> =
            (0..mappers.len()).map(|section| records.places(section).to_vec()).collect();
        loop {
            job.read_one()?;
            match records.step()? {
                Step::End => {
                    job.teller.lines -= 1;
                    return Ok(());
                }
                Step::Bad(place, refusal) if self.counts_bad => refuse(job, refusal, &place, self.records()),
                Step::Bad(..) => {}
                Step::Record { place, section, rows } => {
                    let (mapper, file) = (&mut mappers[section], &self.preset.file[section]);
                    let counts = file.interaction.is_some() == (self.about == About::Events);
                    match map(mapper, rows, &places[section], place.line) {
                        Mixed::Docs(docs) => take(job, Taken { line: place.line, file, docs })?,
                        Mixed::Skipped(rule) if counts => job.account.skipped(rule, place.line),
                        Mixed::Refused(refusal) if counts => refuse(job, refusal, &place, file.records.as_deref()),
                        Mixed::Skipped(_) | Mixed::Refused(_) => {}
                    }
                }
            }
        }
    }
}

/// Counts a refused record, with its place where the line does not tell it; `records` names the list inside a document.
fn refuse(job: &mut Job<'_>, refusal: Refusal, place: &RecordPlace, records: Option<&str>) {
    match place.inside(records) {
        Some(inside) => job.account.refused_at(refusal, place.line, &inside),
        None => job.account.refused(refusal, place.line),
    }
}

/// Outcome of a record with all its rows.
enum Mixed<'a> {
    Docs(Vec<Doc>),
    Skipped(&'a str),
    Refused(Refusal),
}

/// A record is never applied by half: one bad row refuses it. Rows that a rule leaves out only drop out, unless all do.
fn map<'a>(mapper: &mut Mapper<'a>, rows: &[Fields], places: &[Option<usize>], line: u64) -> Mixed<'a> {
    let (mut docs, mut skipped) = (Vec::new(), None);
    for (number, row) in rows.iter().enumerate() {
        match mapper.map(row, places, line) {
            Mapped::Doc(doc) => docs.push(*doc),
            Mapped::Skipped(rule) => skipped = skipped.or(Some(rule)),
            Mapped::Refused(refusal) => {
                let list = mapper.spec.explode.first().filter(|_| rows.len() > 1);
                return Mixed::Refused(match list {
                    Some(list) => refusal.at(&format!("{list}[{number}]")),
                    None => refusal,
                });
            }
        }
    }
    match skipped {
        Some(rule) if docs.is_empty() => Mixed::Skipped(rule),
        _ => Mixed::Docs(docs),
    }
}

/// Writes gathered items, then users; lines that give nothing else end as these do.
fn write_things(job: &mut Job<'_>, items: Items, users: Users) -> Result<(), Problem> {
    let mut items = items.finish().into_iter().peekable();
    while items.peek().is_some() {
        job.goes_on()?;
        let batch: Vec<_> = items.by_ref().take(BATCH).collect();
        let seen: Vec<_> =
            batch.iter().map(|item| (item.seen, item.only_new && job.sink.knows_item(&item.document.id))).collect();
        let new = batch.into_iter().zip(&seen).filter(|(_, (_, known))| !known).map(|(item, _)| item.document);
        let mut outcomes = job.write_items(new.collect()).into_iter();
        for (seen, known) in seen {
            let outcome = if known { Outcome::Duplicate } else { outcomes.next().unwrap_or(Outcome::Duplicate) };
            if seen.counted {
                job.account.ended(outcome, seen.line, seen.lines);
            }
        }
        job.tell(false);
    }
    let mut users = users.finish().into_iter().peekable();
    while users.peek().is_some() {
        job.goes_on()?;
        let batch: Vec<_> = users.by_ref().take(BATCH).collect();
        let (seen, users): (Vec<_>, Vec<_>) = batch.into_iter().map(|user| (user.seen, user.document)).unzip();
        for (seen, outcome) in seen.into_iter().zip(job.write_users(users)) {
            if seen.counted {
                job.account.ended(outcome, seen.line, seen.lines);
            }
        }
        job.tell(false);
    }
    Ok(())
}

/// The second pass, in batches that hold whole records.
fn write_events(job: &mut Job<'_>, name: &str, preset: &Preset, records: &mut Records) -> Result<(), Problem> {
    let mut batch: Vec<Interaction> = Vec::with_capacity(BATCH);
    let mut owners: Vec<(u64, usize)> = Vec::with_capacity(BATCH);
    let pass = Pass { name, preset, counts_bad: true, about: About::Events };
    let end = pass.read(job, records, &mut |job, taken| {
        let before = batch.len();
        batch.extend(taken.docs.into_iter().filter_map(|doc| doc.interaction));
        // Records of sections without interactions were counted with what they give.
        if batch.len() > before {
            owners.push((taken.line, batch.len() - before));
        }
        if batch.len() >= BATCH {
            flush(job, &mut batch, &mut owners);
            job.goes_on()?;
        }
        Ok(())
    });
    // What waits is written unless it was the sink that wants no more.
    job.goes_on()?;
    flush(job, &mut batch, &mut owners);
    end.and_then(|()| job.goes_on())
}

fn flush(job: &mut Job<'_>, batch: &mut Vec<Interaction>, owners: &mut Vec<(u64, usize)>) {
    let mut outcomes = job.write_interactions(std::mem::take(batch)).into_iter();
    for (line, count) in owners.drain(..) {
        let outcome = outcomes.by_ref().take(count).reduce(Outcome::and);
        job.account.ended(outcome.unwrap_or(Outcome::Duplicate), line, 1);
    }
    job.tell(false);
}
