//! Imports files dropped into `inbox/` of the state directory, then moves them to `done/` or `rejected/` and writes the
//! report beside them.
//!
//! Kernel events announce new files and writers that close them. A scan every few seconds finds files without events,
//! such as those on a network disk. A file is read when it is complete (see [`mercer_import::inbox`]). If it grows
//! afterwards, it is read again from its start; lines that are stored already count as duplicates.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use mercer_import::ImportFailure;
use mercer_import::inbox::{FileWriter, Look, WaitingFile, ends_whole, guess_plan, is_ignored, reading_order};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::ImportReport;
use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RenameMode};
use notify::{RecommendedWatcher, Watcher};
use parking_lot::Mutex;

use crate::ingest::import;
use crate::ingest::import::ImportJob;
use crate::state::app::App;

/// The scan without any word of the kernel.
const SCAN: Duration = Duration::from_secs(5);
/// How often files that wait to be complete, and the stop, are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How long a file that was read is watched for further growth.
const WATCHED: Duration = Duration::from_secs(900);
/// Bytes at the head of a file that tell packed and binary ones.
const HEAD: u64 = 512;

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

/// What the kernel told of the writers of files.
type Writers = Arc<Mutex<BTreeMap<PathBuf, FileWriter>>>;

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

fn watcher(dir: &Path, writers: Writers, wake: crossbeam_channel::Sender<()>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        let writer = match event.kind {
            EventKind::Create(_) | EventKind::Modify(ModifyKind::Data(_)) => Some(FileWriter::Open),
            EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Some(FileWriter::Closed),
            _ => None,
        };
        if let Some(writer) = writer {
            let mut writers = writers.lock();
            writers.extend(event.paths.into_iter().map(|path| (path, writer)));
        }
        // Reading the directory is an event too; it must not cause the next reading.
        if writer.is_some() || !event.kind.is_access() {
            let _ = wake.try_send(());
        }
    })?;
    watcher.watch(dir, notify::RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

/// Sleeps until there may be something to do.
fn sleep(app: &App, woken: &Receiver<()>, nothing_waits: bool) {
    let deadline = Instant::now() + if nothing_waits { SCAN } else { LOOK };
    while !app.is_stopping() && Instant::now() < deadline {
        match woken.recv_timeout(LOOK) {
            Ok(()) => return,
            Err(RecvTimeoutError::Timeout) => {}
            // The watcher is gone; only time is left.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(LOOK),
        }
    }
}

/// The files of the inbox and what is known of them.
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

/// A file as it is now.
fn look(path: &Path) -> io::Result<Look> {
    let meta = std::fs::metadata(path)?;
    // What cannot be read is no half line; reading it says why.
    let ends_whole = has_line_end(path, meta.len()).unwrap_or(true);
    Ok(Look { length: meta.len(), changed: meta.modified().ok(), ends_whole })
}

fn has_line_end(path: &Path, length: u64) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let (mut head, mut last) = (Vec::new(), Vec::new());
    Read::by_ref(&mut file).take(HEAD).read_to_end(&mut head)?;
    if length > 0 {
        file.seek(SeekFrom::Start(length - 1))?;
        file.take(1).read_to_end(&mut last)?;
    }
    Ok(ends_whole(&head, last.first().copied()))
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

    /// Imports one file and puts it away.
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
        let place = match &outcome {
            Ok(_) => "done",
            Err(failure) => {
                tracing::warn!(name, problem = %failure.problem, "a file of the inbox was rejected");
                "rejected"
            }
        };
        let target = free(&self.dir.join(place), &name);
        match std::fs::rename(path, &target).and_then(|()| write_report(&target, &outcome)) {
            Ok(()) => app.clear("inbox"),
            Err(error) => app.raise("inbox", format!("`{name}` was read but could not be moved: {error}")),
        }
        if outcome.is_ok() {
            let (growth, at) = (WaitingFile::new(before, Instant::now()), Instant::now());
            self.taken.push(TakenFile { name, path: target, length: before.length, growth, at });
        }
    }

    /// Whether a file without its header is the rest of one of the same name that was read a moment ago: a writer that opens a
    /// file anew for each part finds it moved away. Then the rest is put behind it, to be read as a whole.
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

    /// Reads again what grew after it was read: its writer still had it open.
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
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Imports a file, if now is the time for it.
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

/// Writes the report of a file beside it.
fn write_report(target: &Path, outcome: &Result<ImportReport, ImportFailure>) -> io::Result<()> {
    let report = match outcome {
        Ok(report) => serde_json::to_vec_pretty(report),
        Err(failure) => {
            let both = serde_json::json!({ "problem": failure.problem, "report": failure.report });
            serde_json::to_vec_pretty(&both)
        }
    };
    let mut beside = target.to_path_buf().into_os_string();
    beside.push(".report.json");
    std::fs::write(beside, report.map_err(io::Error::other)?)
}

/// A name in a directory that nothing has yet.
fn free(dir: &Path, name: &str) -> PathBuf {
    let plain = dir.join(name);
    if !plain.exists() {
        return plain;
    }
    let numbered = (2..u32::MAX).map(|number| dir.join(format!("{name}.{number}")));
    numbered.into_iter().find(|path| !path.exists()).unwrap_or(plain)
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

    #[test]
    fn the_kernel_tells_of_writers_that_close_their_files() {
        let dir = tempfile::tempdir().unwrap();
        let (sender, woken) = crossbeam_channel::unbounded();
        let writers = Writers::default();
        let _watcher = watcher(dir.path(), Arc::clone(&writers), sender).unwrap();
        let path = dir.path().join("a.csv");
        let wait_for = |writer: FileWriter| {
            while writers.lock().get(&path) != Some(&writer) {
                woken.recv_timeout(Duration::from_secs(60)).unwrap();
            }
        };
        let mut file = File::create(&path).unwrap();
        io::Write::write_all(&mut file, b"1\n").unwrap();
        wait_for(FileWriter::Open);
        drop(file);
        wait_for(FileWriter::Closed);
        let file = File::options().append(true).open(&path).unwrap();
        io::Write::write_all(&mut &file, b"2\n").unwrap();
        wait_for(FileWriter::Open);
        std::fs::rename(&path, dir.path().join("b")).unwrap();
        std::fs::rename(dir.path().join("b"), &path).unwrap();
        wait_for(FileWriter::Closed);
    }

    #[test]
    fn a_name_is_never_taken_twice() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(free(dir.path(), "x.csv"), dir.path().join("x.csv"));
        std::fs::write(dir.path().join("x.csv"), "").unwrap();
        assert_eq!(free(dir.path(), "x.csv"), dir.path().join("x.csv.2"));
    }
}
