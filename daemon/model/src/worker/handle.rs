//! Starting the model thread, and handles to submit requests to it.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::request::{EmbedRequest, Embedded};
use super::state::{Priority, VersionedEncoder, WorkerOptions, WorkerState, WorkerStats};
use super::thread::WorkerLoop;
use crate::encoder::{Encoder, Vectors};
use crate::error::ModelError;
use crate::rules::TextKind;

/// The model thread. On drop the thread finishes the waiting requests and ends.
#[derive(Debug)]
pub struct Worker {
    handle: ModelHandle,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Handle of the model thread; cheap to clone.
#[derive(Clone)]
pub struct ModelHandle {
    state: Arc<WorkerState>,
    serving: Sender<EmbedRequest>,
    background: Sender<EmbedRequest>,
}

impl std::fmt::Debug for ModelHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelHandle").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

/// The answer to a submitted request.
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
    /// Starts the thread with its first serving encoder.
    ///
    /// # Errors
    /// [`ModelError::Io`] when the system cannot start a thread.
    pub fn start(encoder: Arc<dyn Encoder>, options: WorkerOptions) -> Result<Self, ModelError> {
        let state = Arc::new(WorkerState::new(encoder, options));
        // Bounded by `WorkerState::admit`, which counts texts rather than requests.
        let (serving, serving_requests) = unbounded();
        let (background, background_requests) = unbounded();
        let (stop, stopped) = bounded(0);
        let looping = WorkerLoop {
            state: Arc::clone(&state),
            serving: serving_requests,
            background: background_requests,
            stopped,
        };
        let thread = std::thread::Builder::new()
            .name("model".to_owned())
            .spawn(move || looping.run())
            .map_err(|source| ModelError::Io { path: "model thread".into(), source })?;
        let handle = ModelHandle { state, serving, background };
        Ok(Self { handle, stop: Some(stop), thread: Some(thread) })
    }

    /// A handle of the thread.
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
    /// The serving encoder.
    #[must_use]
    pub fn encoder(&self) -> Arc<dyn Encoder> {
        Arc::clone(&self.state.serving_encoder.read().encoder)
    }

    /// Version of the serving encoder.
    #[must_use]
    pub fn version(&self) -> Arc<str> {
        Arc::clone(&self.state.serving_encoder.read().version)
    }

    /// Replaces the serving encoder; requests taken from the queue afterwards run on the new one. Returns the old one.
    pub fn replace(&self, encoder: Arc<dyn Encoder>) -> Arc<dyn Encoder> {
        let new = VersionedEncoder::new(encoder);
        let old = std::mem::replace(&mut *self.state.serving_encoder.write(), new);
        self.state.cache.lock().clear();
        old.encoder
    }

    /// Submits texts. `reply` is called on the model thread with the answer and must not block. `encoder` names an encoder other than the
    /// serving one.
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
        let slot = self.state.admit(priority, &texts)?;
        let queue = match priority {
            Priority::Serving => &self.serving,
            Priority::Background => &self.background,
        };
        let request = EmbedRequest { texts, kind, encoder, reply: Box::new(reply), slot };
        queue.send(request).map_err(|_| ModelError::Stopped)
    }

    /// Submits texts and returns the pending answer.
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
        // Sending fails only if the receiver was dropped, and then the answer is not needed.
        self.submit_with(texts, kind, priority, encoder, move |answer| drop(send.send(answer)))?;
        Ok(Pending(receive))
    }

    /// Embeds texts and waits for the answer.
    ///
    /// # Errors
    /// As [`ModelHandle::submit_with`] and [`Pending::wait`].
    pub fn embed(&self, texts: Vec<String>, kind: TextKind, priority: Priority) -> Result<Embedded, ModelError> {
        self.submit(texts, kind, priority, None)?.wait()
    }

    /// The cached vector of a query under the serving encoder.
    #[must_use]
    pub fn cached_query(&self, text: &str) -> Option<Embedded> {
        let version = self.version();
        let vector = self.state.cache.lock().get(&version, text)?;
        self.state.count_hit();
        Some(Embedded { version, vectors: Vectors { dim: vector.len(), data: vector.to_vec() } })
    }

    /// Clears the query cache, for example because a user was erased.
    pub fn forget_queries(&self) {
        self.state.cache.lock().clear();
    }

    /// Embeds one query with serving priority and waits; cached queries cost nothing.
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
        self.state.stats()
    }
}
