//! Imports files dropped into `inbox/` of the state directory, then moves them to `done/` or `rejected/` and writes the
//! report beside them.
//!
//! Kernel events announce new files and writers that close them. A scan every few seconds finds files without events,
//! such as those on a network disk. A file is read when it is complete (see [`mercer_import::inbox`]). If it grows
//! afterwards, it is read again from its start; lines that are stored already count as duplicates.

mod events;
mod files;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use mercer_import::ImportFailure;
use mercer_import::inbox::{FileWriter, WaitingFile, guess_plan, is_ignored, reading_order};
use mercer_shared::ids::UserId;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::ImportReport;

use crate::inbox::events::{SCAN, Writers, sleep, watcher};
use crate::inbox::files::{file_name, free, look, report_path, write_report};
use crate::ingest::import::{self, ImportJob};
use crate::ingest::redact::{self, Archive, Erased};
use crate::state::app::App;

/// How long a file that was read is watched for further growth.
const WATCHED: Duration = Duration::from_secs(900);

/// Starts the thread that watches the inbox.
pub fn spawn(app: &Arc<App>) {
    if let Err(error) = import::clear_spool(&app.config.state) {
        tracing::warn!(%error, "uploads of an earlier daemon could not be removed");
    }
    let watched = Arc::clone(app);
    let thread = std::thread::Builder::new().name("inbox".to_owned()).spawn(move || {
        if let Err(error) = watch(&watched) {
            watched.raise("inbox", format!("the inbox is not watched: {error}"));
        }
    });
    if let Err(error) = thread {
        app.raise("inbox", format!("the inbox is not watched: the system gives no thread: {error}"));
    }
}

fn watch(app: &Arc<App>) -> io::Result<()> {
    let dir = app.config.state.join("inbox");
    for name in ["done", "rejected"] {
        std::fs::create_dir_all(dir.join(name))?;
    }
    let (sender, woken) = crossbeam_channel::bounded(1);
    let writers = Writers::default();
    // Without the watcher (no inotify left, a network disk) the scan does it alone.
    let watcher = watcher(&dir, Arc::clone(&writers), sender);
    if let Err(error) = &watcher {
        tracing::warn!(%error, "the inbox is only scanned every {SCAN:?}");
    }
    let mut inbox = Inbox { dir, writers, waiting: BTreeMap::new(), taken: Vec::new() };
    while !app.is_stopping() {
        for path in inbox.complete()? {
            if app.is_stopping() {
                break;
            }
            inbox.take(app, &path);
        }
        inbox.read_grown(app);
        sleep(app, &woken, inbox.waiting.is_empty());
    }
    Ok(())
}

/// The state of the inbox.
struct Inbox {
    dir: PathBuf,
    writers: Writers,
    waiting: BTreeMap<PathBuf, WaitingFile>,
    taken: Vec<TakenFile>,
}

/// A file that was read and put into `done/`.
struct TakenFile {
    name: String,
    path: PathBuf,
    /// Its length when it was read.
    length: u64,
    growth: WaitingFile,
    at: Instant,
}

impl Inbox {
    /// Files that are complete: items first, then users, then interactions, in order of their names. Hidden files and
    /// unfinished copies are left alone.
    fn complete(&mut self) -> io::Result<Vec<PathBuf>> {
        let (now, clock) = (Instant::now(), SystemTime::now());
        // Events that arrive while the directory is read may be about files that this reading missed.
        let told: Vec<PathBuf> = self.writers.lock().keys().cloned().collect();
        let mut there = BTreeMap::new();
        for entry in std::fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let name = file_name(&path);
            // A file may go while it is looked at. Only regular files are opened: a pipe would never end.
            let is_file = std::fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file());
            if is_ignored(&name) || !is_file {
                continue;
            }
            let Ok(look) = look(&path) else { continue };
            let waiting = match self.waiting.remove(&path) {
                Some(mut waiting) => {
                    waiting.look(look, now);
                    waiting
                }
                None => WaitingFile::new(look, now),
            };
            there.insert(path, waiting);
        }
        self.waiting = there;
        let mut writers = self.writers.lock();
        for gone in told.iter().filter(|path| !self.waiting.contains_key(*path)) {
            writers.remove(gone);
        }
        let writer = |path: &PathBuf| writers.get(path).copied().unwrap_or_default();
        let complete = |path: &PathBuf, file: &WaitingFile| file.is_complete(writer(path), now, clock);
        // What another file may name is waited for.
        let order = |path: &PathBuf| reading_order(&file_name(path));
        let awaited =
            self.waiting.iter().filter(|(path, file)| !complete(path, file)).map(|(path, _)| order(path)).min();
        let mut ready: Vec<PathBuf> = self
            .waiting
            .iter()
            .filter(|(path, file)| complete(path, file) && awaited.is_none_or(|awaited| order(path) <= awaited))
            .map(|(path, _)| path.clone())
            .collect();
        ready.sort_by_key(order);
        Ok(ready)
    }

    /// Imports one file and moves it to `done/` or `rejected/`.
    fn take(&mut self, app: &Arc<App>, path: &Path) {
        let name = file_name(path);
        let Ok(before) = look(path) else { return };
        let outcome = read(app, &name, path);
        if let Err(failure) = &outcome {
            // Not the file's fault: it stays and is tried again.
            if matches!(failure.problem.code, Code::ReadOnly | Code::Unavailable) {
                return;
            }
            if failure.problem.code == Code::MissingColumns && self.goes_on(app, &name, path) {
                return;
            }
        }
        if look(path).is_ok_and(|now| now != before) {
            tracing::info!(name, "a file of the inbox grew while it was read; it is read again");
            return;
        }
        let (place, archive) = match &outcome {
            Ok(_) => ("done", Archive::Done),
            Err(failure) => {
                tracing::warn!(name, problem = %failure.problem, "a file of the inbox was rejected");
                ("rejected", Archive::Rejected)
            }
        };
        let target = free(&self.dir.join(place), &name);
        // What a preset takes out of a log must not stay in the file.
        let anonymous = guess_plan(&name, app.config.presets.as_deref()).is_ok_and(|plan| plan.anonymises());
        let put = if anonymous { std::fs::remove_file(path) } else { std::fs::rename(path, &target) };
        match put.and_then(|()| write_report(&target, &outcome)) {
            Ok(()) => app.clear("inbox"),
            Err(error) => app.raise("inbox", format!("`{name}` was read but could not be moved: {error}")),
        }
        // Nobody knows whom a file names that could not be read.
        if outcome.as_ref().map_or(true, names_erased) && !anonymous {
            redact_files(app, archive, &target);
        }
        if outcome.is_ok() && !anonymous {
            let (growth, at) = (WaitingFile::new(before, Instant::now()), Instant::now());
            self.taken.push(TakenFile { name, path: target, length: before.length, growth, at });
        }
    }

    /// Appends a file without a header to one of the same name that was read a moment ago, and reads the whole again. A
    /// writer that opens its file again for each part would otherwise leave such rests. Returns whether it did.
    fn goes_on(&mut self, app: &Arc<App>, name: &str, rest: &Path) -> bool {
        let Some(taken) = self.taken.iter_mut().rev().find(|taken| taken.name == name && taken.at.elapsed() < WATCHED)
        else {
            return false;
        };
        let append = || -> io::Result<()> {
            let mut whole = File::options().append(true).open(&taken.path)?;
            io::copy(&mut File::open(rest)?, &mut whole)?;
            whole.sync_all()?;
            std::fs::remove_file(rest)
        };
        match append() {
            Ok(()) => {
                tracing::info!(name, "a file of the inbox went on after it was read; it is read again as a whole");
                taken.read_again(app);
                true
            }
            Err(error) => {
                app.raise(
                    "inbox",
                    format!("`{name}` went on after it was read and could not be put together: {error}"),
                );
                false
            }
        }
    }

    /// Reads files again that grew after they were read, because their writer still had them open.
    fn read_grown(&mut self, app: &Arc<App>) {
        self.taken.retain(|taken| taken.at.elapsed() < WATCHED);
        let now = Instant::now();
        for taken in &mut self.taken {
            let Ok(look) = look(&taken.path) else { continue };
            taken.growth.look(look, now);
            let is_quiet = taken.growth.is_complete(FileWriter::Unknown, now, SystemTime::now());
            if look.length > taken.length && is_quiet {
                tracing::info!(name = taken.name, "a file grew after it was read; it is read again");
                taken.read_again(app);
            }
        }
    }
}

impl TakenFile {
    /// Reads the file as a whole; what is known already is a duplicate.
    fn read_again(&mut self, app: &Arc<App>) {
        let length = std::fs::metadata(&self.path).map_or(self.length, |meta| meta.len());
        let outcome = read(app, &self.name, &self.path);
        // Not the file's fault: it is tried again at the next look.
        if matches!(&outcome, Err(failure) if matches!(failure.problem.code, Code::ReadOnly | Code::Unavailable)) {
            return;
        }
        (self.length, self.at) = (length, Instant::now());
        if let Err(error) = write_report(&self.path, &outcome) {
            app.raise("inbox", format!("the report of `{}` could not be written: {error}", self.name));
        }
        if outcome.as_ref().is_ok_and(names_erased) {
            redact_files(app, Archive::Done, &self.path);
        }
    }
}

/// Whether lines were rejected because their user was erased.
fn names_erased(report: &ImportReport) -> bool {
    report.rejected.iter().any(|reason| reason.code == Code::Erased)
}

/// Takes erased users out of a file that named them again, and out of its report.
fn redact_files(app: &App, archive: Archive, path: &Path) {
    let is_erased = |text: &str| UserId::new(text).is_ok_and(|id| app.store.is_erased(&id));
    for path in [path, &report_path(path)] {
        match redact::file(path, archive, app.config.presets.as_deref(), Erased::Told(&is_erased)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => app.raise("inbox", format!("an erased shopper stays in {}: {error}", path.display())),
            Ok(_) => {}
        }
    }
}

/// Imports a file, unless the daemon refuses imports at the moment.
fn read(app: &Arc<App>, name: &str, path: &Path) -> Result<ImportReport, ImportFailure> {
    let job = guess_plan(name, app.config.presets.as_deref()).and_then(|plan| {
        let job = ImportJob { name: name.to_owned(), plan, dry_run: false };
        import::ready(app, &job).map(|()| job)
    });
    match job {
        Ok(job) => import::run(app, &job, path, None, &mut |_| {}),
        Err(problem) => Err(failed(name, problem)),
    }
}

fn failed(name: &str, problem: Problem) -> ImportFailure {
    let report = ImportReport { file: name.to_owned(), ..ImportReport::default() };
    ImportFailure { problem, report: Box::new(report) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inbox(dir: &Path) -> Inbox {
        Inbox { dir: dir.to_owned(), writers: Writers::default(), waiting: BTreeMap::new(), taken: Vec::new() }
    }

    /// Files that are older than any writer would pause.
    fn old(path: &Path, text: &str) {
        std::fs::write(path, text).unwrap();
        File::options().write(true).open(path).unwrap().set_modified(SystemTime::now() - WATCHED).unwrap();
    }

    /// Waits until the inbox says of some file that it is complete.
    fn ready(inbox: &mut Inbox) -> Vec<String> {
        loop {
            let ready = inbox.complete().unwrap();
            if !ready.is_empty() {
                return ready.iter().map(|path| file_name(path)).collect();
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn files_being_written_wait_and_what_they_may_be_named_by_waits_for_them() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["interactions.ndjson", "c.csv.part", ".d.csv", "users.ndjson", "items.ndjson"] {
            old(&dir.path().join(name), "{}\n");
        }
        let mut inbox = inbox(dir.path());
        assert!(inbox.complete().unwrap().is_empty(), "nothing is read at the first look");
        assert_eq!(ready(&mut inbox), ["items.ndjson", "users.ndjson", "interactions.ndjson"]);
        inbox.writers.lock().insert(dir.path().join("users.ndjson"), FileWriter::Open);
        assert_eq!(ready(&mut inbox), ["items.ndjson"], "interactions may name the users that are still written");
        inbox.writers.lock().insert(dir.path().join("users.ndjson"), FileWriter::Closed);
        assert_eq!(ready(&mut inbox), ["items.ndjson", "users.ndjson", "interactions.ndjson"]);
    }
}
