//! Compaction: writes the live records into fresh files, so that nothing of what was removed or replaced is left on the disk.
//!
//! The fresh files are made beside the old ones (`sled.new`), made durable, and put in their place by two renames: the old ones
//! become `sled.old`, the fresh ones `sled`. Opening a store finishes or undoes what a crash interrupted: `sled.new` is complete
//! once `sled` is gone, and only then.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use crate::compaction_files::{fresh_dir, old_dir, remove};
use crate::core::{Core, Files};
use crate::error::{Result, StoreError};
use crate::lock::SLED;
use crate::store::{Store, bad_state, open_files};

/// Records that are written as one batch.
const BATCH: usize = 512;

/// What a compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compaction {
    /// Records that were carried over.
    pub records: u64,
    /// Bytes on disk before.
    pub before: u64,
    /// Bytes on disk after.
    pub after: u64,
}

impl Store {
    /// Writes the live records into fresh files and removes the old ones. Writes wait meanwhile; readers go on, and an iterator
    /// that was begun before reads the old files to its end. Takes about as long as an import of the same records, and as much
    /// room on the disk once more until it is done.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`] also where the disk has no room for it, [`StoreError::Storage`]; the old files stay in use then.
    pub fn compact(&self) -> Result<Compaction> {
        let core = self.core();
        let _writer = core.write()?;
        let before = self.bytes()?;
        let free = crate::lock::free_bytes(&core.dir);
        if let Some(free) = free.filter(|free| *free < before.saturating_add(core.options.min_free_bytes)) {
            return Err(StoreError::ReadOnly(format!(
                "a compaction needs {before} bytes beside the reserve, {free} are free on the disk"
            )));
        }
        let storage = |error: io::Error| StoreError::Storage(format!("the compaction failed: {error}"));
        let fresh = fresh_dir(&core.dir);
        remove(&fresh).map_err(storage)?;
        let records = copy(core, &fresh).inspect_err(|_| drop(remove(&fresh)))?;
        self.take(&fresh)?;
        remove(&old_dir(&core.dir)).map_err(storage)?;
        let after = self.bytes()?;
        tracing::info!(records, before, after, "the store is compacted");
        Ok(Compaction { records, before, after })
    }

    /// Puts fresh, durable files in the place of the old ones and opens them.
    fn take(&self, fresh: &Path) -> Result<()> {
        let core = self.core();
        let sled = core.dir.join(SLED);
        core.guarded(|| {
            let bad = |error: &io::Error| bad_state(&core.dir, error);
            fs::rename(&sled, old_dir(&core.dir)).map_err(|error| bad(&error))?;
            fs::rename(fresh, &sled).map_err(|error| bad(&error))?;
            File::open(&core.dir).and_then(|dir| dir.sync_all()).map_err(|error| bad(&error))?;
            core.replace_files(open_files(&sled, &core.options)?);
            Ok(())
        })
    }
}

/// Writes every record into new files and closes them; returns how many.
fn copy(core: &Core, fresh: &Path) -> Result<u64> {
    let Files { tree, db: _db, barrier } = open_files(fresh, &core.options)?;
    let (mut batch, mut waiting, mut records) = (sled::Batch::default(), 0, 0);
    for entry in core.tree().iter() {
        let (key, value) = entry?;
        batch.insert(key, value);
        (waiting, records) = (waiting + 1, records + 1);
        if waiting == BATCH {
            tree.apply_batch(std::mem::take(&mut batch))?;
            waiting = 0;
        }
    }
    tree.apply_batch(batch)?;
    tree.flush()?;
    barrier.wait().map_err(|error| StoreError::Storage(format!("cannot be made durable: {error}")))?;
    Ok(records)
}
