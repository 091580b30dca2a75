//! Loads the version that serves after a start.

use std::path::Path;
use std::sync::Arc;

use mercer_model::BertEncoder;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{DataSnapshot, ModelState, ModelVersion};
use mercer_store::Store;

use crate::state::artifacts::Artifacts;
use crate::state::problems::{Answer, model_problem, store_problem};
use crate::state::shop::model::Model;
use crate::versions::directory::{VersionEncoders, VersionStore, draft, encoder_ref, sweep, write};
use crate::versions::encoders::{ActiveEncoder, active_encoder, base};
use crate::versions::load::load;
use crate::versions::registry::{Chain, chain, put_chain};

/// Loads the serving version; makes a first, untrained one if there is none. Removes directories that an interruption
/// left without a document, and corrects states that an interrupted promotion left.
///
/// # Errors
/// What keeps it from being loaded.
pub fn load_serving(store: &Store, state: &Path) -> Answer<Arc<Model>> {
    sweep(store, state)?;
    if let Some(version) = chain(store)?.promoted.last()
        && let Some(meta) = store.get_model(version).map_err(|e| store_problem(&e))?
    {
        return load(state, meta).map(Arc::new);
    }
    let ActiveEncoder { name, sha256 } = active_encoder(store)?;
    let encoder = BertEncoder::on_best_device(base(state, &name, &sha256)?).map_err(|e| model_problem(&e))?;
    let encoder = Arc::new(encoder);
    let now = Timestamp::now();
    let draft = ModelVersion {
        state: ModelState::Serving,
        promoted: Some(now),
        encoder: encoder_ref(encoder.checkpoint(), None),
        data: DataSnapshot {
            consent_rule: "nothing was learned from any shopper".to_owned(),
            ..DataSnapshot::default()
        },
        ..draft(now)
    };
    let base_encoder = Arc::clone(&encoder);
    let encoders = VersionEncoders { encoder, base_encoder };
    let model = write(VersionStore { store, state }, draft, encoders, Artifacts::default())?;
    put_chain(store, &Chain { promoted: vec![model.meta.version.clone()] })?;
    Ok(Arc::new(model))
}
