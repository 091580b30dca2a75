//! Runs an import: reads a file and hands its documents to a sink.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{ImportPhase, ImportProgress, ImportReport};

use super::job::{Job, Teller};
use super::plan::Plan;
use super::{ndjson, preset};
use crate::account::Account;
use crate::sink::Sink;

/// Why an import failed, and what was done until then: that stays.
#[derive(Debug)]
pub struct ImportFailure {
    /// Why.
    pub problem: Problem,
    /// What was done.
    pub report: Box<ImportReport>,
}

/// Reads the file at `path`, which the shop calls `file_name`, into a sink. Tells `progress` at most about ten times a second.
///
/// # Errors
/// `bad-file`, `missing-columns`, `unknown-format`, why the sink ends it, or `nothing-imported` where every line was rejected; with
/// the report of what was done until then.
pub fn run(
    path: &Path,
    file_name: &str,
    plan: &Plan,
    dry_run: bool,
    sink: &mut dyn Sink,
    progress: &mut dyn FnMut(ImportProgress),
) -> Result<ImportReport, ImportFailure> {
    let started = Instant::now();
    let report = ImportReport { file: file_name.to_owned(), dry_run, ..ImportReport::default() };
    let account = Account::new(report);
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
    match result.and_then(|()| has_good_line(&report)) {
        Ok(()) => Ok(report),
        Err(problem) => Err(ImportFailure { problem, report: Box::new(report) }),
    }
}

/// A file of which every line was rejected was not imported.
fn has_good_line(report: &ImportReport) -> Result<(), Problem> {
    let good = report.accepted > 0 || report.duplicates > 0 || !report.skipped.is_empty();
    match report.rejected.first() {
        Some(first) if !good => {
            let line = first.first_lines.first().map_or_else(String::new, |line| format!(" in line {line}"));
            let lines =
                if report.lines == 1 { "the only line".to_owned() } else { format!("all {} lines", report.lines) };
            let detail = format!("{}: {lines} rejected, the first{line}: {}", report.file, first.reason);
            Err(Problem::new(Code::NothingImported, detail))
        }
        _ => Ok(()),
    }
}
