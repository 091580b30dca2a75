//! Kernel events of the inbox: which files have a writer, and when to look again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use mercer_import::inbox::FileWriter;
use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RenameMode};
use notify::{RecommendedWatcher, Watcher};
use parking_lot::Mutex;

use crate::state::app::App;

/// Time between two scans without events.
pub(super) const SCAN: Duration = Duration::from_secs(5);
/// Time between two looks at the stop of the daemon and at files that are not complete yet.
const LOOK: Duration = Duration::from_millis(500);

/// The latest known state of the writer of each file.
pub(super) type Writers = Arc<Mutex<BTreeMap<PathBuf, FileWriter>>>;

/// Watches a directory: keeps `writers` up to date and wakes the receiver after each event.
///
/// # Errors
/// If the system gives no watcher.
pub(super) fn watcher(
    dir: &Path,
    writers: Writers,
    wake: crossbeam_channel::Sender<()>,
) -> notify::Result<RecommendedWatcher> {
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

/// Sleeps until an event arrives or the next scan is due.
pub(super) fn sleep(app: &App, woken: &Receiver<()>, nothing_waits: bool) {
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

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io;

    use super::*;

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
}
