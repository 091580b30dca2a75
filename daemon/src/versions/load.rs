//! Loads a version from its directory.

use std::path::Path;
use std::sync::Arc;

use mercer_learn::{Adapter, BaseEncoder, fingerprint};
use mercer_model::{BertEncoder, Checkpoint, Encoder};
use mercer_rank::Ranker;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::ModelVersion;

use crate::background::follow;
use crate::state::app::App;
use crate::state::artifacts::{Artifacts, Which};
use crate::state::problems::{Answer, internal, model_problem};
use crate::state::shop::ShopState;
use crate::state::shop::model::Model;
use crate::versions::encoders::base;
use crate::versions::layout::{ADAPTER, directory};

/// The adapter of a version; none where it serves its base as it is.
///
/// # Errors
/// `internal` for a file that is not the one the version was made with.
pub fn adapter(state: &Path, meta: &ModelVersion) -> Answer<Option<Adapter>> {
    let Some(digest) = &meta.encoder.adapter else { return Ok(None) };
    let path = directory(state, &meta.version).join(ADAPTER);
    let damaged = |why: &dyn std::fmt::Display| Problem::new(Code::Internal, format!("{}: {why}", path.display()));
    let bytes = std::fs::read(&path).map_err(|e| damaged(&e))?;
    if blake3::hash(&bytes).to_hex().as_str() != digest {
        return Err(damaged(&"the checksum is not that of the version"));
    }
    Adapter::from_bytes(&bytes, &path, &mercer_model::device::pick()).map(Some).map_err(|e| damaged(&e))
}

/// A checkpoint with an adapter added in.
///
/// # Errors
/// `internal` if it was made for another base.
pub fn merged(base: &Checkpoint, adapter: &Adapter) -> Answer<Checkpoint> {
    let of_base = BaseEncoder { config: &base.config, pooling: base.rules.pooling, tensors: &base.tensors };
    if adapter.meta.base != fingerprint(of_base).map_err(|e| internal(&e))? {
        return Err(Problem::new(Code::Internal, "the adapter was made for other weights of the base"));
    }
    let changed = adapter.changed(&base.tensors).map_err(|e| internal(&e))?;
    base.with_tensors(&base.identity.name, changed).map_err(|e| internal(&e))
}

/// Reads a version from its directory.
///
/// # Errors
/// `bad-encoder` for its base, `internal` for a damaged file.
pub fn load(state: &Path, meta: ModelVersion) -> Answer<Model> {
    let dir = directory(state, &meta.version);
    let base = base(state, &meta.encoder.name, &meta.encoder.sha256)?;
    let tuned = adapter(state, &meta)?.map(|adapter| merged(&base, &adapter)).transpose()?;
    let loaded = |checkpoint| BertEncoder::on_best_device(checkpoint).map(Arc::new).map_err(|e| model_problem(&e));
    let base_encoder = loaded(base)?;
    let encoder = tuned.map_or_else(|| Ok(Arc::clone(&base_encoder)), loaded)?;
    let artifacts = Artifacts::load(&dir, Which::Serving)?;
    if let Some(whitening) = artifacts.whitening.as_ref().filter(|whitening| whitening.dim() != encoder.dim()) {
        let detail = format!("{}: its whitening is for vectors of {} numbers", dir.display(), whitening.dim());
        return Err(Problem::new(Code::Internal, detail));
    }
    Ok(Model { meta, encoder, base_encoder, artifacts })
}

/// The ranker that the gate evaluated, for reports on windows that the serving ranker has seen. Its sequence model
/// counts purchases up to `at` only.
///
/// # Errors
/// `internal` for a damaged file.
pub fn judged_ranker(app: &App, view: &ShopState, at: i64) -> Answer<Option<Ranker>> {
    let dir = directory(&app.config.state, &view.model.meta.version);
    let Artifacts { judged_ranker, judged_sequence, .. } = Artifacts::load(&dir, Which::Judged)?;
    if let Some(sequence) = &judged_sequence {
        follow::follow_with(app, sequence, &view.model.base_encoder, (view, &view.training_log()), at);
    }
    Ok(judged_ranker.map(Arc::unwrap_or_clone))
}
