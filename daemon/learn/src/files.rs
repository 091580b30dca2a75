//! Atomic file writes: to a temporary file, flushed, renamed.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::error::{LearnError, Result};

/// Writes a file and waits until its bytes are on disk.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = File::create(path).map_err(LearnError::io(path))?;
    file.write_all(bytes).map_err(LearnError::io(path))?;
    file.sync_all().map_err(LearnError::io(path))
}

/// Makes renames inside a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(LearnError::io(dir))
}

/// Replaces a file atomically and durably.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".partial");
    let aside = Path::new(&aside);
    write_synced(aside, bytes)?;
    fs::rename(aside, path).map_err(LearnError::io(path))?;
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => sync_dir(dir),
        _ => sync_dir(Path::new(".")),
    }
}
