//! `inbox/` of the state directory: files dropped there are imported, then moved to `done/` or `rejected/` with their report
//! beside them. The kernel tells of new files; a scan every few seconds finds what it did not tell, such as files on a
//! network disk. A file that still grows is left alone.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use mercer_import::inbox::{STABLE, guess_plan, is_ignored};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::ImportReport;
use notify::Watcher;

use crate::ingest::import;
use crate::ingest::import::Job;
use crate::state::app::App;

/// The scan without any word of the kernel.
const SCAN: Duration = Duration::from_secs(5);
/// How often files that wait to be stable, and the stop, are looked at.
const LOOK: Duration = Duration::from_millis(500);

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

/// What is known of a waiting file: its length and change, and since when they are so.
struct Waiting {
    length: u64,
    changed: Option<SystemTime>,
    since: Instant,
}

fn watch(app: &Arc<App>) -> io::Result<()> {
    let dir = app.config.state.join("inbox");
    for name in ["done", "rejected"] {
        std::fs::create_dir_all(dir.join(name))?;
    }
    let (sender, woken) = crossbeam_channel::bounded(1);
    // Without the watcher (no inotify left, a network disk) the scan does it alone.
    // A look at the directory is an event of its own; it must not cause the next look.
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if !event.as_ref().is_ok_and(|event| event.kind.is_access()) {
            let _ = sender.try_send(());
        }
    })
    .and_then(|mut watcher| watcher.watch(&dir, notify::RecursiveMode::NonRecursive).map(|()| watcher));
    if let Err(error) = &watcher {
        tracing::warn!(%error, "the inbox is only scanned every {SCAN:?}");
    }
    let mut waiting: BTreeMap<PathBuf, Waiting> = BTreeMap::new();
    while !app.is_stopping() {
        for path in stable(&dir, &mut waiting)? {
            if app.is_stopping() {
                break;
            }
            take(app, &dir, &path);
        }
        sleep(app, &woken, waiting.is_empty());
    }
    Ok(())
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

/// Files that have not changed for a while, in order of their names. Hidden files and unfinished copies are left alone.
fn stable(dir: &Path, waiting: &mut BTreeMap<PathBuf, Waiting>) -> io::Result<Vec<PathBuf>> {
    let mut there = BTreeMap::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // A file may go while it is looked at.
        let Ok(meta) = entry.metadata() else { continue };
        if is_ignored(&name) || !meta.is_file() {
            continue;
        }
        let (length, changed) = (meta.len(), meta.modified().ok());
        let before = waiting.remove(&entry.path()).filter(|w| w.length == length && w.changed == changed);
        let since = before.map_or_else(Instant::now, |w| w.since);
        there.insert(entry.path(), Waiting { length, changed, since });
    }
    *waiting = there;
    let ready = waiting.iter().filter(|(_, w)| w.since.elapsed() >= STABLE).map(|(path, _)| path.clone());
    Ok(ready.collect())
}

/// Imports one file and puts it away.
fn take(app: &Arc<App>, dir: &Path, path: &Path) {
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let outcome = job(app, &name).and_then(|job| import::run(app, &job, path, None, &mut |_| {}));
    let (place, report) = match outcome {
        Ok(report) => ("done", serde_json::to_vec_pretty(&report)),
        // Not the file's fault: it stays and is tried again.
        Err((problem, _)) if matches!(problem.code, Code::ReadOnly | Code::Unavailable | Code::Overloaded) => return,
        Err((problem, report)) => {
            tracing::warn!(name, %problem, "a file of the inbox was rejected");
            ("rejected", serde_json::to_vec_pretty(&serde_json::json!({ "problem": problem, "report": report })))
        }
    };
    let put = |report: Vec<u8>| -> io::Result<()> {
        let target = free(&dir.join(place), &name);
        let mut beside = target.clone().into_os_string();
        beside.push(".report.json");
        std::fs::rename(path, &target)?;
        std::fs::write(beside, report)
    };
    match report.map_err(io::Error::other).and_then(put) {
        Ok(()) => app.clear("inbox"),
        Err(error) => app.raise("inbox", format!("`{name}` was read but could not be moved: {error}")),
    }
}

/// How a file is to be read, if now is the time for it.
fn job(app: &App, name: &str) -> Result<Job, (Problem, Box<ImportReport>)> {
    let job = guess_plan(name, app.config.presets.as_deref()).and_then(|plan| {
        let job = Job { name: name.to_owned(), plan, dry_run: false };
        import::ready(app, &job).map(|()| job)
    });
    job.map_err(|problem| (problem, Box::new(ImportReport { file: name.to_owned(), ..ImportReport::default() })))
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

    #[test]
    fn growing_and_unfinished_files_wait() {
        let dir = tempfile::tempdir().unwrap();
        let mut waiting = BTreeMap::new();
        std::fs::write(dir.path().join("b.csv"), "1").unwrap();
        std::fs::write(dir.path().join("a.csv"), "1").unwrap();
        std::fs::write(dir.path().join("c.csv.part"), "1").unwrap();
        std::fs::write(dir.path().join(".d.csv"), "1").unwrap();
        assert!(stable(dir.path(), &mut waiting).unwrap().is_empty());
        for waiting in waiting.values_mut() {
            waiting.since -= STABLE;
        }
        std::fs::write(dir.path().join("b.csv"), "12").unwrap();
        assert_eq!(stable(dir.path(), &mut waiting).unwrap(), [dir.path().join("a.csv")]);
    }

    #[test]
    fn a_name_is_never_taken_twice() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(free(dir.path(), "x.csv"), dir.path().join("x.csv"));
        std::fs::write(dir.path().join("x.csv"), "").unwrap();
        assert_eq!(free(dir.path(), "x.csv"), dir.path().join("x.csv.2"));
    }
}
