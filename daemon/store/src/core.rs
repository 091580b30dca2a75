//! The files of an open store and the state of its one writer, shared by reading, committing and erasing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard, RwLock};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::durable::Barrier;
use crate::error::{Result, StoreError};
use crate::keys::Keyring;
use crate::lock::{self, DirLock};
use crate::options::Options;
use crate::pseudonym::Pseudonym;

/// State of the one writer, behind its lock.
pub(crate) struct Writer {
    /// Sequence number of the next interaction.
    pub(crate) next_seq: u64,
    /// Arrival number of the next new item or user, see [`crate::arrival`].
    pub(crate) next_arrival: u64,
    /// Identity of every interaction in the log.
    pub(crate) identities: FxHashMap<[u8; 16], u64>,
    /// Tombstones of erased users.
    pub(crate) tombstones: FxHashSet<Pseudonym>,
    /// Pseudonyms whose names are in the store, to spare a read; may be cleared at any time.
    pub(crate) named: FxHashSet<Pseudonym>,
    /// Interactions erased since the store was created: the number of gaps in the log.
    pub(crate) erased: u64,
    /// When free space was last checked.
    pub(crate) space_checked: Option<Instant>,
}

/// The numbers of [`StoreCounts`](crate::StoreCounts), read without the writer's lock.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) items: AtomicU64,
    pub(crate) users: AtomicU64,
    pub(crate) interactions: AtomicU64,
    pub(crate) next_seq: AtomicU64,
}

/// sled's files. A compaction replaces them whole; whoever still reads the old ones keeps them until then.
pub(crate) struct Files {
    pub(crate) tree: sled::Tree,
    pub(crate) db: sled::Db,
    pub(crate) barrier: Barrier,
}

/// Everything behind a [`Store`](crate::Store). Field order is drop order: the files are closed before the lock is released.
pub(crate) struct Core {
    files: RwLock<Arc<Files>>,
    pub(crate) keys: Keyring,
    pub(crate) writer: Mutex<Writer>,
    pub(crate) counters: Counters,
    /// Why nothing is written until the store is opened again.
    pub(crate) read_only: RwLock<Option<String>>,
    /// Why nothing is written until there is room again.
    pub(crate) shortage: RwLock<Option<String>>,
    pub(crate) options: Options,
    pub(crate) dir: PathBuf,
    pub(crate) lock: DirLock,
}

/// The arguments of [`Core::new`] beside the files.
pub(crate) struct CoreParts {
    pub(crate) keys: Keyring,
    pub(crate) writer: Writer,
    pub(crate) counters: Counters,
    /// Why the store is read-only from the start, if it is.
    pub(crate) damage: Option<String>,
    pub(crate) options: Options,
    pub(crate) dir: PathBuf,
    pub(crate) lock: DirLock,
}

impl Core {
    /// Puts a store together.
    pub(crate) fn new(files: Files, parts: CoreParts) -> Self {
        let CoreParts { keys, writer, counters, damage, options, dir, lock } = parts;
        Self {
            files: RwLock::new(Arc::new(files)),
            keys,
            writer: Mutex::new(writer),
            counters,
            read_only: RwLock::new(damage),
            shortage: RwLock::new(None),
            options,
            dir,
            lock,
        }
    }

    /// The files in use.
    pub(crate) fn files(&self) -> Arc<Files> {
        Arc::clone(&self.files.read())
    }

    /// The tree in use.
    pub(crate) fn tree(&self) -> sled::Tree {
        self.files.read().tree.clone()
    }

    /// Takes other files into use; the caller holds the writer.
    pub(crate) fn replace_files(&self, files: Files) {
        *self.files.write() = Arc::new(files);
    }

    /// Locks the writer.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`].
    pub(crate) fn write(&self) -> Result<MutexGuard<'_, Writer>> {
        let mut writer = self.writer.lock();
        if let Some(reason) = self.read_only.read().as_ref() {
            return Err(StoreError::ReadOnly(reason.clone()));
        }
        // Once a second is enough: the reserve is larger than what a second can write.
        if writer.space_checked.is_none_or(|last| last.elapsed() > Duration::from_secs(1)) {
            self.check_space().map_or(Ok(()), |reason| Err(StoreError::ReadOnly(reason)))?;
            writer.space_checked = Some(Instant::now());
        }
        Ok(writer)
    }

    /// Checks the free space and stores the result; returns the reason if there is too little.
    pub(crate) fn check_space(&self) -> Option<String> {
        let least = self.options.min_free_bytes;
        let free = lock::free_bytes(&self.dir).filter(|free| *free < least);
        let shortage = free.map(|free| format!("{free} bytes are free on its disk, {least} are the least"));
        self.shortage.write().clone_from(&shortage);
        shortage
    }

    /// Applies a batch and makes it durable. A failure makes the store read-only.
    pub(crate) fn apply(&self, batch: sled::Batch) -> Result<()> {
        self.guarded(|| {
            self.tree().apply_batch(batch)?;
            self.sync()
        })
    }

    /// Makes everything that was applied durable.
    pub(crate) fn sync(&self) -> Result<()> {
        let files = self.files();
        files.tree.flush()?;
        files.barrier.wait().map_err(|error| StoreError::Storage(format!("cannot be made durable: {error}")))
    }

    /// Runs a write. A failure makes the store read-only, and so does a panic inside sled (it asserts when a disk fails).
    pub(crate) fn guarded(&self, write: impl FnOnce() -> Result<()>) -> Result<()> {
        let outcome = catch_unwind(AssertUnwindSafe(write)).unwrap_or_else(|panic| {
            let words =
                panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
            Err(StoreError::Storage(format!("sled panicked: {}", words.unwrap_or("without words"))))
        });
        if let Err(error) = &outcome {
            tracing::error!(%error, "a write failed; the store is read-only from now on");
            self.read_only.write().get_or_insert_with(|| format!("a write failed: {error}"));
        }
        outcome
    }
}
