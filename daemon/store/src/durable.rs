//! Makes writes durable where sled's flush does not. On Linux sled 0.34 ends a flush with `sync_file_range`, which
//! neither writes the file's length nor empties the disk's own cache, and it never syncs its separate files for pages
//! larger than a quarter of a segment. Such data survive the death of the process, but not of the machine.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rustc_hash::FxHashSet;

/// sled's files, to be synced after each of its flushes.
pub(crate) struct Barrier {
    log: File,
    blobs: PathBuf,
    /// Blobs that are durable already; sled never changes one.
    synced: Mutex<FxHashSet<OsString>>,
}

impl Barrier {
    /// For the files of sled in this directory, which exist already.
    pub(crate) fn new(sled: &Path) -> io::Result<Self> {
        let barrier = Self { log: File::open(sled.join("db"))?, blobs: sled.join("blobs"), synced: Mutex::default() };
        // Names of the files themselves: made when the store was new.
        File::open(sled)?.sync_all()?;
        barrier.wait()?;
        Ok(barrier)
    }

    /// Returns once everything that sled has written is on the disk.
    pub(crate) fn wait(&self) -> io::Result<()> {
        let mut synced = self.synced.lock();
        let mut present = FxHashSet::default();
        let mut new = false;
        for entry in fs::read_dir(&self.blobs)? {
            let name = entry?.file_name();
            if !synced.contains(&name) {
                match File::open(self.blobs.join(&name)) {
                    Ok(blob) => blob.sync_data()?,
                    // sled removes blobs that are no longer needed in the background.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                }
                new = true;
            }
            present.insert(name);
        }
        if new {
            File::open(&self.blobs)?.sync_all()?;
        }
        *synced = present;
        self.log.sync_data()
    }
}
