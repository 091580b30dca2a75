//! A model version in memory: what a reader needs to answer with it.

use std::sync::Arc;

use mercer_model::{BertEncoder, Encoder};
use mercer_rank::{BlendWeights, Log, Ranker};
use mercer_shared::wire::ModelVersion;

use crate::probabilities::Probabilities;
use crate::sequence::Serving;
use crate::world::View;

/// A model version in memory. Immutable: promotion puts another one in its place.
#[derive(Clone)]
pub struct Model {
    /// The version as it is listed (its state and pin may be newer in the store).
    pub meta: ModelVersion,
    /// Its encoder, adapter merged.
    pub encoder: Arc<BertEncoder>,
    /// Weights of the blend; the rule that reads the log where none were fitted.
    pub blend: Option<BlendWeights>,
    /// The learned ranker, where one was trained; its sequence model is `network`.
    pub ranker: Option<Arc<Ranker>>,
    /// The behaviour network beside the ranker.
    pub network: Option<Arc<Serving>>,
    /// What makes probabilities of the ranker's scores.
    pub probabilities: Option<Arc<Probabilities>>,
}

impl Model {
    /// Identity of the encoder: vectors of two identities never meet.
    #[must_use]
    pub fn encoder_version(&self) -> &str {
        &self.encoder.identity().version
    }

    /// Brings the network up to a state of the shop and its training log as of a moment; without one nothing is done.
    pub fn follow(&self, view: &View, log: &Log, at: i64) {
        if let Some(network) = &self.network {
            follow(network, (view, log), at, self.meta.encoder.adapter.is_none());
        }
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("version", &self.meta.version).finish_non_exhaustive()
    }
}

/// Brings a network up to a state of the shop as of a moment. `base` says whether the shop's vectors are those of the base encoder,
/// which the network was trained beside. `log` is [`View::training_log`]: counts are taken from what was agreed to, like all that is fitted.
pub fn follow(network: &Serving, (view, log): (&View, &Log), at: i64, base: bool) {
    let ids = view.items.iter().map(|item| &item.id);
    if let Err(error) = network.follow(ids, (&view.rank.catalogue, log), at, base) {
        tracing::error!(%error, "the behaviour network stays as it was");
    }
}
