//! The model on its own thread, behind two bounded queues.
//!
//! Serving requests go before background work (re-embedding a catalogue), which is done in slices so that a query never waits for more than one of
//! them. Waiting requests are merged into one call to the encoder, which sorts texts by length. A full queue refuses at once with
//! [`ModelError::Overloaded`] and the time after which asking again makes sense; nothing here grows with the load.
//!
//! A request runs on the encoder that serves when it is taken from the queue, or on one the caller names (to embed a catalogue with a candidate
//! while another model serves). The answer says which version made the vectors.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};

use crate::cache::QueryCache;
use crate::encoder::{Encoder, Vectors};
use crate::error::ModelError;
use crate::rules::TextKind;

mod thread;

use thread::Loop;

/// Limits of the model thread.
#[derive(Debug, Clone, Copy)]
pub struct WorkerOptions {
    /// Serving texts waiting at most.
    pub serving_texts: usize,
    /// Background texts waiting at most.
    pub background_texts: usize,
    /// Bytes of waiting text at most, both queues together.
    pub bytes: usize,
    /// Query vectors remembered.
    pub cached_queries: usize,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self { serving_texts: 256, background_texts: 8192, bytes: 64 << 20, cached_queries: 4096 }
    }
}

/// Which queue a request waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// Somebody waits for the answer.
    Serving,
    /// Nobody does: catalogue embedding, evaluation.
    Background,
}

/// Vectors with the version of the encoder that made them.
#[derive(Debug, Clone)]
pub struct Embedded {
    /// [`crate::Identity::version`]; never mix vectors of two versions.
    pub version: Arc<str>,
    /// One row a text.
    pub vectors: Vectors,
}

/// What the model thread has done and what waits, for `status` and `/metrics`.
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
    /// Queries answered from memory.
    pub cache_hits: u64,
    /// Milliseconds a text at the present rate.
    pub ms_per_text: f64,
}

type Reply = Box<dyn FnOnce(Result<Embedded, ModelError>) + Send>;

struct Job {
    texts: Vec<String>,
    kind: TextKind,
    encoder: Option<Arc<dyn Encoder>>,
    reply: Reply,
    cost: Cost,
}

/// Room that a waiting request holds; gives it back when dropped, also when the request is never run.
struct Cost {
    shared: Arc<Shared>,
    priority: Priority,
    texts: usize,
    bytes: usize,
}

impl Drop for Cost {
    fn drop(&mut self) {
        self.shared.waiting(self.priority).fetch_sub(self.texts, Ordering::AcqRel);
        self.shared.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

struct Shared {
    options: WorkerOptions,
    encoder: RwLock<(Arc<dyn Encoder>, Arc<str>)>,
    serving: AtomicUsize,
    background: AtomicUsize,
    bytes: AtomicUsize,
    texts: AtomicU64,
    refused: AtomicU64,
    hits: AtomicU64,
    /// Moving average of nanoseconds a text.
    pace: AtomicU64,
    cache: Mutex<QueryCache>,
}

impl Shared {
    fn waiting(&self, priority: Priority) -> &AtomicUsize {
        match priority {
            Priority::Serving => &self.serving,
            Priority::Background => &self.background,
        }
    }

    /// Takes room in a queue, or says how long to wait for it.
    fn admit(self: &Arc<Self>, priority: Priority, texts: &[String]) -> Result<Cost, ModelError> {
        let limit = match priority {
            Priority::Serving => self.options.serving_texts,
            Priority::Background => self.options.background_texts,
        };
        let bytes: usize = texts.iter().map(String::len).sum();
        let before = self.waiting(priority).fetch_add(texts.len(), Ordering::AcqRel);
        let bytes_before = self.bytes.fetch_add(bytes, Ordering::AcqRel);
        let cost = Cost { shared: Arc::clone(self), priority, texts: texts.len(), bytes };
        if before + texts.len() > limit || bytes_before + bytes > self.options.bytes {
            self.refused.fetch_add(1, Ordering::Relaxed);
            let ahead = before.max(1) as u64 * self.pace.load(Ordering::Relaxed);
            // At least a tenth of a second: clients that retry faster only add load.
            return Err(ModelError::Overloaded {
                retry_after: Duration::from_nanos(ahead).max(Duration::from_millis(100)),
            });
        }
        Ok(cost)
    }
}

/// The model thread. Dropping it lets the thread finish what waits and ends it.
#[derive(Debug)]
pub struct Worker {
    handle: ModelHandle,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A way to the model thread; clone it freely.
#[derive(Clone)]
pub struct ModelHandle {
    shared: Arc<Shared>,
    serving: Sender<Job>,
    background: Sender<Job>,
}

impl std::fmt::Debug for ModelHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelHandle").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

/// An answer that will come.
#[derive(Debug)]
pub struct Pending(Receiver<Result<Embedded, ModelError>>);

impl Pending {
    /// Waits for the answer.
    ///
    /// # Errors
    /// The encoder's, or [`ModelError::Stopped`] when the thread ended first.
    pub fn wait(self) -> Result<Embedded, ModelError> {
        self.0.recv().unwrap_or(Err(ModelError::Stopped))
    }
}

impl Worker {
    /// Starts the thread with the encoder that serves first.
    ///
    /// # Errors
    /// [`ModelError::Io`] when the system gives no thread.
    pub fn start(encoder: Arc<dyn Encoder>, options: WorkerOptions) -> Result<Self, ModelError> {
        let version: Arc<str> = encoder.identity().version.as_str().into();
        let shared = Arc::new(Shared {
            options,
            encoder: RwLock::new((encoder, version)),
            serving: AtomicUsize::new(0),
            background: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            texts: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            pace: AtomicU64::new(10_000_000),
            cache: Mutex::new(QueryCache::new(options.cached_queries)),
        });
        // Bounded by `Shared::admit`, which counts texts rather than requests.
        let (serving, serving_jobs) = unbounded();
        let (background, background_jobs) = unbounded();
        let (stop, stopped) = bounded(0);
        let looping = Loop { shared: Arc::clone(&shared), serving: serving_jobs, background: background_jobs, stopped };
        let thread = std::thread::Builder::new()
            .name("model".to_owned())
            .spawn(move || looping.run())
            .map_err(|source| ModelError::Io { path: "model thread".into(), source })?;
        Ok(Self { handle: ModelHandle { shared, serving, background }, stop: Some(stop), thread: Some(thread) })
    }

    /// A way to the thread.
    #[must_use]
    pub fn handle(&self) -> ModelHandle {
        self.handle.clone()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the model thread panicked");
        }
    }
}

impl ModelHandle {
    /// The encoder that serves now.
    #[must_use]
    pub fn encoder(&self) -> Arc<dyn Encoder> {
        Arc::clone(&self.shared.encoder.read().0)
    }

    /// Version of the encoder that serves now.
    #[must_use]
    pub fn version(&self) -> Arc<str> {
        Arc::clone(&self.shared.encoder.read().1)
    }

    /// Puts another encoder in service; requests taken from the queue from now on run on it. Gives back the one that served.
    pub fn replace(&self, encoder: Arc<dyn Encoder>) -> Arc<dyn Encoder> {
        let version: Arc<str> = encoder.identity().version.as_str().into();
        let old = std::mem::replace(&mut *self.shared.encoder.write(), (encoder, version));
        self.shared.cache.lock().clear();
        old.0
    }

    /// Hands texts over; `reply` is called on the model thread with the answer and must not block. `encoder` names an encoder other than
    /// the one that serves.
    ///
    /// # Errors
    /// [`ModelError::Overloaded`] when the queue is full, [`ModelError::Stopped`]; `reply` is not called then.
    pub fn submit_with(
        &self,
        texts: Vec<String>,
        kind: TextKind,
        priority: Priority,
        encoder: Option<Arc<dyn Encoder>>,
        reply: impl FnOnce(Result<Embedded, ModelError>) + Send + 'static,
    ) -> Result<(), ModelError> {
        let cost = self.shared.admit(priority, &texts)?;
        let queue = match priority {
            Priority::Serving => &self.serving,
            Priority::Background => &self.background,
        };
        queue.send(Job { texts, kind, encoder, reply: Box::new(reply), cost }).map_err(|_| ModelError::Stopped)
    }

    /// Hands texts over and gives something to wait on.
    ///
    /// # Errors
    /// As [`ModelHandle::submit_with`].
    pub fn submit(
        &self,
        texts: Vec<String>,
        kind: TextKind,
        priority: Priority,
        encoder: Option<Arc<dyn Encoder>>,
    ) -> Result<Pending, ModelError> {
        let (send, receive) = bounded(1);
        // The waiting side may have gone away; then nobody misses the answer.
        self.submit_with(texts, kind, priority, encoder, move |answer| drop(send.send(answer)))?;
        Ok(Pending(receive))
    }

    /// Embeds and waits.
    ///
    /// # Errors
    /// As [`ModelHandle::submit_with`] and [`Pending::wait`].
    pub fn embed(&self, texts: Vec<String>, kind: TextKind, priority: Priority) -> Result<Embedded, ModelError> {
        self.submit(texts, kind, priority, None)?.wait()
    }

    /// The remembered vector of a query under the encoder that serves now.
    #[must_use]
    pub fn cached_query(&self, text: &str) -> Option<Embedded> {
        let version = self.version();
        let vector = self.shared.cache.lock().get(&version, text)?;
        self.shared.hits.fetch_add(1, Ordering::Relaxed);
        Some(Embedded { version, vectors: Vectors { dim: vector.len(), data: vector.to_vec() } })
    }

    /// Forgets all remembered queries: whoever typed one may have been erased.
    pub fn forget_queries(&self) {
        self.shared.cache.lock().clear();
    }

    /// Embeds one query with serving priority and waits; remembered queries cost nothing.
    ///
    /// # Errors
    /// As [`ModelHandle::embed`].
    pub fn query(&self, text: &str) -> Result<Embedded, ModelError> {
        match self.cached_query(text) {
            Some(hit) => Ok(hit),
            None => self.embed(vec![text.to_owned()], TextKind::Query, Priority::Serving),
        }
    }

    /// Counters.
    #[must_use]
    pub fn stats(&self) -> WorkerStats {
        let s = &self.shared;
        WorkerStats {
            serving_waiting: s.serving.load(Ordering::Relaxed),
            background_waiting: s.background.load(Ordering::Relaxed),
            texts: s.texts.load(Ordering::Relaxed),
            refused: s.refused.load(Ordering::Relaxed),
            cache_hits: s.hits.load(Ordering::Relaxed),
            ms_per_text: s.pace.load(Ordering::Relaxed) as f64 / 1e6,
        }
    }
}
