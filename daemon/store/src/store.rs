//! Opening, writing, flushing and closing the store.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard, RwLock};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::commit::Committer;
use crate::durable::Barrier;
use crate::keys::{Key, Keyring, Pseudonym};
use crate::lock::{self, DirLock};
use crate::recover::{prepare, recover};
use crate::{Result, StoreError};

/// How the store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bytes of sled's page cache. The log is read through once at the start and then seldom, so little is enough.
    pub cache_bytes: u64,
    /// Free bytes below which nothing is written any more: sled cannot repair itself on a disk that is full to the brim.
    pub min_free_bytes: u64,
    /// Batches that may wait for the committer.
    pub queue: usize,
    /// Most interactions of one group commit. Together with the queue it bounds how long a batch can wait.
    pub group: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { cache_bytes: 64 << 20, min_free_bytes: 64 << 20, queue: 256, group: 16_384 }
    }
}

/// What the store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreCounts {
    /// Items.
    pub items: u64,
    /// Users that were written as documents; users known by interactions only are not in it.
    pub users: u64,
    /// Interactions.
    pub interactions: u64,
    /// The sequence number that the next interaction gets; the first is 1.
    pub next_seq: u64,
}

/// The one writer's knowledge.
pub(crate) struct Writer {
    pub(crate) next_seq: u64,
    /// Identity of every interaction in the log.
    pub(crate) identities: FxHashMap<[u8; 16], u64>,
    /// Marks of erased users.
    pub(crate) tombstones: FxHashSet<Pseudonym>,
    /// Names known to be in the store, to spare looking; may be cleared at any time.
    pub(crate) named: FxHashSet<Pseudonym>,
    /// Interactions erased since the store was made: the gaps that the log may have.
    pub(crate) erased: u64,
    pub(crate) space_checked: Option<Instant>,
}

/// Items, users, interactions, next sequence number; read without the writer's lock.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) items: AtomicU64,
    pub(crate) users: AtomicU64,
    pub(crate) interactions: AtomicU64,
    pub(crate) next_seq: AtomicU64,
}

/// Everything behind a [`Store`]. Field order is drop order: the files go before the lock.
pub(crate) struct Core {
    pub(crate) tree: sled::Tree,
    db: sled::Db,
    barrier: Barrier,
    pub(crate) keys: Keyring,
    pub(crate) writer: Mutex<Writer>,
    pub(crate) counters: Counters,
    /// Why nothing is written until the store is opened again.
    read_only: RwLock<Option<String>>,
    /// Why nothing is written until there is room again.
    shortage: RwLock<Option<String>>,
    options: Options,
    dir: PathBuf,
    pub(crate) lock: DirLock,
}

/// The store. Clones share it; it is closed when the last is gone, or by [`Store::close`].
#[derive(Clone)]
pub struct Store {
    // First, so that the committer is joined before the core can go.
    pub(crate) committer: Arc<Committer>,
    core: Arc<Core>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dir", &self.core.dir).field("counts", &self.counts()).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store in `dir`, which is made if only its last part is missing.
    ///
    /// A damaged log does not keep the store from opening: what is sound can be read, and nothing is written.
    ///
    /// # Errors
    /// [`StoreError::Locked`], [`StoreError::BadState`], [`StoreError::NewerSchema`], [`StoreError::WrongKey`], or
    /// [`StoreError::Corrupt`] and [`StoreError::Storage`] if the files cannot be read at all.
    pub fn open(dir: &Path, key: Key) -> Result<Self> {
        Self::open_with(dir, key, Options::default())
    }

    /// Opens the store with other than the usual options.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with(dir: &Path, secret: Key, options: Options) -> Result<Self> {
        let lock = lock::acquire(dir)?;
        let db = open_sled(dir, &options)?;
        let barrier = Barrier::new(&dir.join(SLED)).map_err(|error| bad_state(dir, &error))?;
        let tree: sled::Tree = (*db).clone();
        let keys = Keyring::new(&secret);
        prepare(&tree, &keys)?;

        let counters = Counters::default();
        let (writer, damage) = recover(&tree, &keys, &counters, lock.noted())?;
        if let Some(reason) = &damage {
            tracing::error!(reason, "the store is damaged and opens read-only");
        }
        let core = Arc::new(Core {
            tree,
            db,
            barrier,
            keys,
            writer: Mutex::new(writer),
            counters,
            read_only: RwLock::new(damage),
            shortage: RwLock::new(None),
            dir: dir.to_path_buf(),
            lock,
            options,
        });
        core.check_space();
        let committer = Arc::new(Committer::start(&core)?);
        Ok(Self { committer, core })
    }

    pub(crate) const fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// The pseudonym under which a user is stored.
    #[must_use]
    pub fn pseudonym(&self, user: &mercer_shared::ids::UserId) -> Pseudonym {
        self.core.keys.user(user)
    }

    /// The pseudonym under which a session is stored.
    #[must_use]
    pub fn session_pseudonym(&self, session: &mercer_shared::ids::SessionId) -> Pseudonym {
        self.core.keys.session(session)
    }

    /// The key for breaking ties by a keyed hash of the item id (METRICS.md section 0).
    #[must_use]
    pub fn tie_break_key(&self) -> [u8; 32] {
        self.core.keys.tie_break()
    }

    /// Why no writes are taken, if so.
    #[must_use]
    pub fn is_read_only(&self) -> Option<String> {
        self.core.read_only.read().clone().or_else(|| self.core.shortage.read().clone())
    }

    /// What the store holds.
    #[must_use]
    pub fn counts(&self) -> StoreCounts {
        let counters = &self.core.counters;
        StoreCounts {
            items: counters.items.load(Ordering::Acquire),
            users: counters.users.load(Ordering::Acquire),
            interactions: counters.interactions.load(Ordering::Acquire),
            next_seq: counters.next_seq.load(Ordering::Acquire),
        }
    }

    /// Bytes on disk; a handful of system calls.
    ///
    /// # Errors
    /// [`StoreError::Storage`] if the files cannot be looked at.
    pub fn bytes(&self) -> Result<u64> {
        Ok(self.core.db.size_on_disk()?)
    }

    /// Makes durable whatever is not; every write of this crate already is when it returns.
    ///
    /// # Errors
    /// [`StoreError::Storage`] if that fails; nothing more is written then.
    pub fn flush(&self) -> Result<()> {
        self.core.guarded(|| self.core.sync())
    }

    /// Takes no more interactions, commits what waits, and flushes. Files and lock are released when the last clone and the
    /// last iterator are gone.
    ///
    /// # Errors
    /// [`StoreError::Storage`] if the last flush fails.
    pub fn close(self) -> Result<()> {
        self.committer.stop();
        if self.is_read_only().is_some() { Ok(()) } else { self.flush() }
    }
}

impl Core {
    /// Takes the writer, unless nothing may be written.
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

    /// Looks whether there is room to write, and remembers the answer; in words if there is none.
    fn check_space(&self) -> Option<String> {
        let least = self.options.min_free_bytes;
        let free = lock::free_bytes(&self.dir).filter(|free| *free < least);
        let shortage = free.map(|free| format!("{free} bytes are free on its disk, {least} are the least"));
        self.shortage.write().clone_from(&shortage);
        shortage
    }

    /// Applies a batch and makes it durable. After a failure nothing more is written.
    pub(crate) fn apply(&self, batch: sled::Batch) -> Result<()> {
        self.guarded(|| {
            self.tree.apply_batch(batch)?;
            self.sync()
        })
    }

    fn sync(&self) -> Result<()> {
        self.tree.flush()?;
        self.barrier.wait().map_err(|error| StoreError::Storage(format!("cannot be made durable: {error}")))
    }

    /// Runs a write; a failure, or a panic inside sled (it asserts where a disk fails), ends all writing.
    fn guarded(&self, write: impl FnOnce() -> Result<()>) -> Result<()> {
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

    pub(crate) const fn options(&self) -> &Options {
        &self.options
    }
}

/// The directory of sled's files inside the store's.
const SLED: &str = "sled";

fn bad_state(dir: &Path, error: &std::io::Error) -> StoreError {
    StoreError::BadState { path: dir.to_path_buf(), reason: error.to_string() }
}

/// Opens sled. Its own file lock can outlive a closed store of this process for a moment, because sled drops its threads'
/// handles late; the directory is ours already, so waiting is safe.
fn open_sled(dir: &Path, options: &Options) -> Result<sled::Db> {
    let config = sled::Config::new()
        .path(dir.join(SLED))
        .mode(sled::Mode::HighThroughput)
        // Larger than sled's default, so that pages of the log stay in it: sled writes pages of more than a quarter of a
        // segment into files of their own, each of which would have to be synced. A file keeps the size it was made with:
        // another one here would be a migration by export and import.
        .segment_size(2 << 20)
        // Durability is the committer's; a timer would only flush a second time.
        .flush_every_ms(None)
        .cache_capacity(options.cache_bytes);
    let deadline = Instant::now() + Duration::from_secs(5);
    let damaged =
        || StoreError::Corrupt { key: dir.display().to_string(), reason: "sled finds its files damaged".to_owned() };
    loop {
        // sled asserts about what it reads; an assertion that fails is a damaged file as well.
        let opened = catch_unwind(AssertUnwindSafe(|| config.open())).map_err(|_| damaged())?;
        match opened {
            Ok(db) => return Ok(db),
            Err(sled::Error::Io(error)) if error.to_string().contains("acquire lock") && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(sled::Error::Io(error)) => {
                return Err(bad_state(dir, &error));
            }
            Err(sled::Error::Corruption { .. }) => return Err(damaged()),
            Err(error) => return Err(error.into()),
        }
    }
}
