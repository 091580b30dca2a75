//! The directories of a compaction, and what a crash in its midst left of them.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::lock::SLED;

/// Where the fresh files are made.
pub(crate) fn fresh_dir(dir: &Path) -> PathBuf {
    dir.join(format!("{SLED}.new"))
}

/// Where the old files wait for their end.
pub(crate) fn old_dir(dir: &Path) -> PathBuf {
    dir.join(format!("{SLED}.old"))
}

/// Removes a directory with everything in it, if it is there.
pub(crate) fn remove(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Finishes or undoes a compaction that a crash interrupted.
pub(crate) fn finish_compaction(dir: &Path) -> io::Result<()> {
    let (sled, fresh) = (dir.join(SLED), fresh_dir(dir));
    if !sled.exists() && fresh.exists() {
        fs::rename(&fresh, &sled)?;
        File::open(dir)?.sync_all()?;
    }
    remove(&fresh)?;
    remove(&old_dir(dir))
}
