//! A loaded model version.

use std::sync::Arc;

use mercer_model::{BertEncoder, Encoder};
use mercer_shared::wire::ModelVersion;

use crate::state::artifacts::Artifacts;

/// A loaded model version. Immutable: a promotion replaces it.
#[derive(Clone)]
pub struct Model {
    /// The version as it is listed (its state and pin may be newer in the store).
    pub meta: ModelVersion,
    /// Its encoder, adapter merged.
    pub encoder: Arc<BertEncoder>,
    /// Its encoder without the adapter. The sequence model reads items and queries through its vectors, which do not change with fine-tuning.
    pub base_encoder: Arc<BertEncoder>,
    /// Its trained parts.
    pub artifacts: Artifacts,
}

impl Model {
    /// Identity of the encoder: vectors of two identities are never compared.
    #[must_use]
    pub fn encoder_version(&self) -> &str {
        &self.encoder.identity().version
    }

    /// Whether another model has the same item vectors with the same whitening.
    #[must_use]
    pub fn reads_like(&self, other: &Self) -> bool {
        self.encoder_version() == other.encoder_version() && self.artifacts.whitening == other.artifacts.whitening
    }

    /// Identity of the encoder without the adapter.
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
