//! State that the model thread and its handles share: the serving encoder, room in the queues, counters, the query cache.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};

use crate::encoder::Encoder;
use crate::error::ModelError;
use crate::query_cache::QueryCache;

/// Queue of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// A client waits for the answer.
    Serving,
    /// No client waits: catalogue embedding, evaluation.
    Background,
}

/// Limits of the model thread.
#[derive(Debug, Clone, Copy)]
pub struct WorkerOptions {
    /// Maximum number of waiting serving texts.
    pub serving_texts: usize,
    /// Maximum number of waiting background texts.
    pub background_texts: usize,
    /// Maximum bytes of waiting text in both queues together.
    pub bytes: usize,
    /// Maximum number of cached query vectors.
    pub cached_queries: usize,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self { serving_texts: 256, background_texts: 8192, bytes: 64 << 20, cached_queries: 4096 }
    }
}

/// Counters of the model thread, for `status` and `/metrics`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WorkerStats {
    /// Serving texts waiting or being embedded.
    pub serving_waiting: usize,
    /// Background texts waiting or being embedded.
    pub background_waiting: usize,
    /// Texts embedded since the start.
    pub texts: u64,
    /// Requests refused because a queue was full.
    pub refused: u64,
    /// Queries answered from the cache.
    pub cache_hits: u64,
    /// Milliseconds per text, moving average.
    pub ms_per_text: f64,
}

/// An encoder with its version.
#[derive(Clone)]
pub(super) struct VersionedEncoder {
    pub(super) encoder: Arc<dyn Encoder>,
    pub(super) version: Arc<str>,
}

impl VersionedEncoder {
    pub(super) fn new(encoder: Arc<dyn Encoder>) -> Self {
        let version = encoder.identity().version.as_str().into();
        Self { encoder, version }
    }
}

/// Room that a waiting request holds. Freed on drop, also if the request never runs.
pub(super) struct QueueSlot {
    state: Arc<WorkerState>,
    priority: Priority,
    texts: usize,
    bytes: usize,
}

impl Drop for QueueSlot {
    fn drop(&mut self) {
        self.state.waiting(self.priority).fetch_sub(self.texts, Ordering::AcqRel);
        self.state.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

/// Shared state of the model thread.
pub(super) struct WorkerState {
    options: WorkerOptions,
    pub(super) serving_encoder: RwLock<VersionedEncoder>,
    serving: AtomicUsize,
    background: AtomicUsize,
    bytes: AtomicUsize,
    texts: AtomicU64,
    refused: AtomicU64,
    hits: AtomicU64,
    /// Moving average of nanoseconds per text.
    pace: AtomicU64,
    pub(super) cache: Mutex<QueryCache>,
}

impl WorkerState {
    pub(super) fn new(encoder: Arc<dyn Encoder>, options: WorkerOptions) -> Self {
        Self {
            options,
            serving_encoder: RwLock::new(VersionedEncoder::new(encoder)),
            serving: AtomicUsize::new(0),
            background: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            texts: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            pace: AtomicU64::new(10_000_000),
            cache: Mutex::new(QueryCache::new(options.cached_queries)),
        }
    }

    fn waiting(&self, priority: Priority) -> &AtomicUsize {
        match priority {
            Priority::Serving => &self.serving,
            Priority::Background => &self.background,
        }
    }

    /// Takes room in a queue.
    ///
    /// # Errors
    /// [`ModelError::Overloaded`] with the time after which to retry.
    pub(super) fn admit(self: &Arc<Self>, priority: Priority, texts: &[String]) -> Result<QueueSlot, ModelError> {
        let limit = match priority {
            Priority::Serving => self.options.serving_texts,
            Priority::Background => self.options.background_texts,
        };
        let bytes: usize = texts.iter().map(String::len).sum();
        let before = self.waiting(priority).fetch_add(texts.len(), Ordering::AcqRel);
        let bytes_before = self.bytes.fetch_add(bytes, Ordering::AcqRel);
        let slot = QueueSlot { state: Arc::clone(self), priority, texts: texts.len(), bytes };
        if before + texts.len() > limit || bytes_before + bytes > self.options.bytes {
            self.refused.fetch_add(1, Ordering::Relaxed);
            let ahead = before.max(1) as u64 * self.pace.load(Ordering::Relaxed);
            // At least a tenth of a second: clients that retry faster only add load.
            return Err(ModelError::Overloaded {
                retry_after: Duration::from_nanos(ahead).max(Duration::from_millis(100)),
            });
        }
        Ok(slot)
    }

    /// Counts a query answered from the cache.
    pub(super) fn count_hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts embedded texts and updates the pace.
    pub(super) fn count_embedded(&self, texts: usize, elapsed: Duration) {
        let each = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX) / texts as u64;
        let pace = self.pace.load(Ordering::Relaxed);
        self.pace.store(pace - pace / 8 + each / 8, Ordering::Relaxed);
        self.texts.fetch_add(texts as u64, Ordering::Relaxed);
    }

    pub(super) fn stats(&self) -> WorkerStats {
        WorkerStats {
            serving_waiting: self.serving.load(Ordering::Relaxed),
            background_waiting: self.background.load(Ordering::Relaxed),
            texts: self.texts.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            cache_hits: self.hits.load(Ordering::Relaxed),
            ms_per_text: self.pace.load(Ordering::Relaxed) as f64 / 1e6,
        }
    }
}
