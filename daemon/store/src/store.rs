//! Opens and closes the store; its counts, size and read-only state.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mercer_shared::ids::UserId;

use crate::commit::Committer;
use crate::compaction_files::finish_compaction;
use crate::core::{Core, CoreParts, Counters, Files};
use crate::durable::Barrier;
use crate::error::{Result, StoreError};
use crate::keys::{Key, KeyPurpose, Keyring};
use crate::lock::{self, SLED};
use crate::options::Options;
use crate::pseudonym::Pseudonym;
use crate::recover::{Recovered, prepare, recover};

/// Counts of what the store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreCounts {
    /// Items.
    pub items: u64,
    /// Users with a document; users known only by interactions are not counted.
    pub users: u64,
    /// Interactions.
    pub interactions: u64,
    /// The sequence number that the next interaction gets; the first is 1.
    pub next_seq: u64,
}

/// An open store. Clones share it; it closes when the last one is dropped, or by [`Store::close`].
#[derive(Clone)]
pub struct Store {
    // Declared first, so that the committer is joined before the core is dropped.
    committer: Arc<Committer>,
    core: Arc<Core>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dir", &self.core.dir).field("counts", &self.counts()).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store in `dir`. Creates the directory if its parent exists.
    ///
    /// A store with a damaged log opens read-only: its sound blocks can be read.
    ///
    /// # Errors
    /// [`StoreError::Locked`], [`StoreError::BadState`], [`StoreError::NewerSchema`], [`StoreError::WrongKey`], or
    /// [`StoreError::Corrupt`] and [`StoreError::Storage`] if the files cannot be read at all.
    pub fn open(dir: &Path, key: Key) -> Result<Self> {
        Self::open_with(dir, key, Options::default())
    }

    /// Opens the store with options other than the defaults.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with(dir: &Path, secret: Key, options: Options) -> Result<Self> {
        let lock = lock::acquire(dir)?;
        finish_compaction(dir).map_err(|error| bad_state(dir, &error))?;
        let files = open_files(&dir.join(SLED), &options)?;
        let keys = Keyring::new(&secret);
        prepare(&files.tree, &keys)?;

        let counters = Counters::default();
        let Recovered { writer, damage } = recover(&files.tree, &keys, &counters, lock.noted())?;
        if let Some(reason) = &damage {
            tracing::error!(reason, "the store is damaged and opens read-only");
        }
        let core =
            Core::new(files, CoreParts { keys, writer, counters, damage, options, dir: dir.to_path_buf(), lock });
        let core = Arc::new(core);
        core.check_space();
        let committer = Arc::new(Committer::start(&core)?);
        Ok(Self { committer, core })
    }

    pub(crate) const fn core(&self) -> &Arc<Core> {
        &self.core
    }

    pub(crate) fn committer(&self) -> &Committer {
        &self.committer
    }

    /// The key of a purpose outside the store, 32 secret bytes; the same whenever the store is opened.
    #[must_use]
    pub fn purpose_key(&self, purpose: KeyPurpose) -> [u8; 32] {
        self.core.keys.purpose(purpose)
    }

    /// The pseudonym under which a user is stored.
    #[must_use]
    pub fn pseudonym(&self, user: &UserId) -> Pseudonym {
        self.core.keys.user(user)
    }

    /// The reason why the store refuses writes, if it does.
    #[must_use]
    pub fn is_read_only(&self) -> Option<String> {
        self.core.read_only.read().clone().or_else(|| self.core.shortage.read().clone())
    }

    /// Counts of what the store holds.
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

    /// Size on disk in bytes; costs a few system calls.
    ///
    /// # Errors
    /// [`StoreError::Storage`] if the files cannot be read.
    pub fn bytes(&self) -> Result<u64> {
        Ok(self.core.files().db.size_on_disk()?)
    }

    /// Flushes to disk. Every write of this crate is durable when it returns, so there is normally nothing to flush.
    ///
    /// # Errors
    /// [`StoreError::Storage`] if that fails; nothing more is written then.
    pub fn flush(&self) -> Result<()> {
        self.core.guarded(|| self.core.sync())
    }

    /// Refuses further interactions, commits the queued ones, and flushes. Files and lock are released when the last clone
    /// and the last iterator are dropped.
    ///
    /// # Errors
    /// [`StoreError::Storage`] if the last flush fails.
    pub fn close(self) -> Result<()> {
        self.committer.stop();
        if self.is_read_only().is_some() { Ok(()) } else { self.flush() }
    }
}

pub(crate) fn bad_state(dir: &Path, error: &std::io::Error) -> StoreError {
    StoreError::BadState { path: dir.to_path_buf(), reason: error.to_string() }
}

/// Opens sled's files in a directory, which is made if it is missing.
pub(crate) fn open_files(sled: &Path, options: &Options) -> Result<Files> {
    let db = open_sled(sled, options)?;
    let barrier = Barrier::new(sled).map_err(|error| bad_state(sled, &error))?;
    Ok(Files { tree: (*db).clone(), db, barrier })
}

/// Opens sled. Its own file lock can outlive a closed store of this process for a moment, because sled drops its threads'
/// handles late; the directory is ours already, so waiting is safe.
fn open_sled(dir: &Path, options: &Options) -> Result<sled::Db> {
    let config = sled::Config::new()
        .path(dir)
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
