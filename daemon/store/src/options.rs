//! Options of an open store.

/// How the store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bytes of sled's page cache. The log is read once at the start and seldom later, so a small cache is enough.
    pub cache_bytes: u64,
    /// Free bytes on the disk below which the store refuses writes: sled cannot repair itself on a full disk.
    pub min_free_bytes: u64,
    /// Most batches in the committer's queue; a writer waits while it is full.
    pub queue: usize,
    /// Most interactions of one group commit. Together with the queue it bounds how long a batch can wait.
    pub group: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { cache_bytes: 64 << 20, min_free_bytes: 64 << 20, queue: 256, group: 16_384 }
    }
}
