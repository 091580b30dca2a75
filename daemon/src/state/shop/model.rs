//! A model version in memory: what a reader needs to answer with it.

use std::sync::Arc;

use mercer_model::{BertEncoder, Encoder};
use mercer_shared::wire::ModelVersion;

use crate::state::artifacts::Artifacts;

/// A model version in memory. Immutable: promotion puts another one in its place.
#[derive(Clone)]
pub struct Model {
    /// The version as it is listed (its state and pin may be newer in the store).
    pub meta: ModelVersion,
    /// Its encoder, adapter merged.
    pub encoder: Arc<BertEncoder>,
    /// Its encoder as it came. The behaviour network reads items and searches by its vectors, which no training moves.
    pub base_encoder: Arc<BertEncoder>,
    /// What was learned for it.
    pub artifacts: Artifacts,
}

impl Model {
    /// Identity of the encoder: vectors of two identities never meet.
    #[must_use]
    pub fn encoder_version(&self) -> &str {
        &self.encoder.identity().version
    }

    /// Whether another model reads the catalogue by the same vectors, whitened in the same way.
    #[must_use]
    pub fn reads_like(&self, other: &Self) -> bool {
        self.encoder_version() == other.encoder_version() && self.artifacts.whitening == other.artifacts.whitening
    }

    /// Identity of the encoder as it came.
    #[must_use]
    pub fn base_encoder_version(&self) -> &str {
        &self.base_encoder.identity().version
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("version", &self.meta.version).finish_non_exhaustive()
    }
}
