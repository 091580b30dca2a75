//! A request to the model thread and its answer.

use std::sync::Arc;

use super::state::QueueSlot;
use crate::encoder::{Encoder, Vectors};
use crate::error::ModelError;
use crate::rules::TextKind;

/// Vectors with the version of the encoder that made them.
#[derive(Debug, Clone)]
pub struct Embedded {
    /// [`crate::Identity::version`]; never mix vectors of two versions.
    pub version: Arc<str>,
    /// One row per text.
    pub vectors: Vectors,
}

/// Called on the model thread with the answer.
pub(super) type Reply = Box<dyn FnOnce(Result<Embedded, ModelError>) + Send>;

/// Texts to embed.
pub(super) struct EmbedRequest {
    pub(super) texts: Vec<String>,
    pub(super) kind: TextKind,
    /// An encoder other than the serving one.
    pub(super) encoder: Option<Arc<dyn Encoder>>,
    pub(super) reply: Reply,
    /// The room that the request takes in its queue.
    pub(super) slot: QueueSlot,
}

impl EmbedRequest {
    /// Frees the room in the queue, then answers.
    pub(super) fn answer(self, answer: Result<Embedded, ModelError>) {
        drop(self.slot);
        (self.reply)(answer);
    }
}
