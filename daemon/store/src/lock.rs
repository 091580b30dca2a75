//! The directory of a store: creates it, locks it against a second process, and measures free space.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::error::{Result, StoreError};

/// The directory of sled's files inside the store's directory.
pub(crate) const SLED: &str = "sled";

/// Locks the store's directory for this process; released when dropped, or by the kernel when the process dies.
pub(crate) struct DirLock {
    file: File,
}

impl DirLock {
    /// Writes to the lock file that sequence numbers below `next_seq` were acknowledged. The write is not flushed: it survives the
    /// death of the process; after the death of the machine it may be too low, but it is never too high. A log that ends below
    /// it is incomplete.
    pub(crate) fn note(&self, next_seq: u64) {
        if let Err(error) = self.file.write_all_at(&next_seq.to_le_bytes(), 0) {
            tracing::warn!(%error, "the end of the log could not be noted");
        }
    }

    /// The next sequence number in the lock file; 0 if there is none.
    pub(crate) fn noted(&self) -> u64 {
        let mut bytes = [0; 8];
        self.file.read_exact_at(&mut bytes, 0).map_or(0, |()| u64::from_le_bytes(bytes))
    }
}

/// Creates the directory if its parent exists, and locks it.
pub(crate) fn acquire(dir: &Path) -> Result<DirLock> {
    let bad = |reason: String| StoreError::BadState { path: dir.to_path_buf(), reason };
    match fs::metadata(dir) {
        Ok(meta) if meta.is_dir() => {}
        Ok(_) => return Err(bad("this is no directory".to_owned())),
        Err(_) => {
            fs::create_dir(dir).map_err(|error| bad(format!("the directory is missing and cannot be made: {error}")))?
        }
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(dir.join("lock"))
        .map_err(|error| bad(format!("cannot be written: {error}")))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(DirLock { file }),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(StoreError::Locked(dir.to_path_buf())),
        Err(error) => Err(bad(format!("cannot be locked: {error}"))),
    }
}

/// Bytes that this process may still write on the file system of `dir`; `None` if the system does not tell.
pub(crate) fn free_bytes(dir: &Path) -> Option<u64> {
    rustix::fs::statvfs(dir).ok().map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize))
}

/// Syncs the directory of `path` after a rename; errors are ignored, because some file systems cannot.
pub(crate) fn sync_parent(path: &Path) {
    if let Some(parent) = path.parent()
        && let Ok(dir) = File::open(parent)
    {
        let _ = dir.sync_all();
    }
}
