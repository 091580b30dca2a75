//! Model versions: loading, promotion, rollback, pruning; and the encoders they are built on.
//!
//! A version is a directory `$STATE/models/vNNNNNN` that never changes (adapter, ranker, blend) and a document in the store whose
//! state and pin do. Exactly one version serves.

mod embedded;
mod encoders;
mod files;
mod follow;
mod versions;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mercer_learn::{Adapter, Base, fingerprint};
use mercer_model::{BertEncoder, Checkpoint, Encoder};
use mercer_rank::{BlendWeights, Ranker, SequenceModel};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{DataSnapshot, EncoderRef, EventKind, ModelState, ModelVersion, Page};
use mercer_store::{DocKind, Order, Store};
use serde::{Deserialize, Serialize};

pub use embedded::{Embedded, embed_catalogue};
pub use encoders::{active_encoder, add_encoder, base, encoders};
pub(super) use follow::{catch_up, follow};
pub use versions::{Parts, draft, prune, write};

use files::{read_json, read_network, read_ranker, read_whitening};

use super::Answer;
use crate::app::{App, model_problem, store_problem};
use crate::sequence::Serving;
use crate::world::{Model, View};

/// File of what tuning changed in the encoder, inside a version's directory.
pub const ADAPTER: &str = "adapter.safetensors";
/// File of the learned ranker.
pub const RANKER: &str = "ranker.json";
/// File of fitted blend weights.
pub const BLEND: &str = "blend.json";
/// File of the ranker that the gate judged: trained on nothing later than the gate's cut-off.
pub const JUDGED: &str = "judged.json";
/// Files of the behaviour network beside the ranker: its weights, and the ids of its items in the order of its numbers.
pub const NETWORK: (&str, &str) = ("network.safetensors", "network-items.json");
/// The same of the ranker that the gate judged.
pub const JUDGED_NETWORK: (&str, &str) = ("judged-network.safetensors", "judged-network-items.json");
/// File of the calibration of the ranker's probabilities.
pub const PROBABILITIES: &str = "probabilities.json";
/// File of how the encoder's vectors are whitened.
pub const WHITENING: &str = "whitening.json";
/// Items embedded between two looks at the caller's wishes.
const SLICE: usize = 512;
/// Most versions that are listed; far more than are ever kept.
const LISTED: usize = 10_000;

/// Who serves, and who served before.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Chain {
    /// Versions in the order of their promotion, the serving one last.
    promoted: Vec<String>,
}

const CHAIN: &str = "model-chain";

/// Directory of a version.
#[must_use]
pub fn directory(state: &Path, version: &str) -> PathBuf {
    state.join("models").join(version)
}

fn internal(error: &dyn std::fmt::Display) -> Problem {
    Problem::new(Code::Internal, error.to_string())
}

fn chain(store: &Store) -> Answer<Chain> {
    Ok(store.get_doc(DocKind::Setting, CHAIN).map_err(|e| store_problem(&e))?.unwrap_or_default())
}

fn put_chain(store: &Store, chain: &Chain) -> Answer<()> {
    store.put_doc(DocKind::Setting, CHAIN, chain).map_err(|e| store_problem(&e))
}

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
    let of_base = Base { config: &base.config, pooling: base.rules.pooling, tensors: &base.tensors };
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
    let ruler = loaded(base)?;
    let encoder = tuned.map_or_else(|| Ok(Arc::clone(&ruler)), loaded)?;
    let network = read_network(&dir, NETWORK)?;
    let ranker = read_ranker(&dir.join(RANKER))?.map(|ranker| Arc::new(beside(ranker, network.as_ref())));
    let blend = read_json::<BlendWeights>(&dir.join(BLEND))?;
    let probabilities = read_json(&dir.join(PROBABILITIES))?.map(Arc::new);
    let whitening = read_whitening(&dir.join(WHITENING), encoder.dim())?;
    Ok(Model { encoder, ruler, whitening, blend, ranker, network, probabilities, meta })
}

/// A ranker with the network that it was trained beside.
fn beside(ranker: Ranker, network: Option<&Arc<Serving>>) -> Ranker {
    ranker.with_sequence(network.map(|network| Arc::clone(network) as Arc<dyn SequenceModel>))
}

/// The ranker of a view's version that the gate judged, for reports on windows that the serving one has seen: its network knows what was
/// taken up to `at`, and no more.
///
/// # Errors
/// `internal` for a damaged file.
pub fn judged_ranker(app: &App, view: &View, at: i64) -> Answer<Option<Ranker>> {
    let dir = directory(&app.config.state, &view.model.meta.version);
    let Some(ranker) = read_ranker(&dir.join(JUDGED))? else { return Ok(None) };
    let network = read_network(&dir, JUDGED_NETWORK)?;
    if let Some(network) = &network {
        follow::follow_with(app, (network, &view.model.ruler), (view, &view.training_log()), at);
    }
    Ok(Some(beside(ranker, network.as_ref())))
}

/// The version that serves; the first one, which nothing was learned for, where there is none yet. Directories that no document
/// names are left from an interruption and go; states that an interrupted promotion left are put right.
///
/// # Errors
/// What keeps it from being loaded.
pub fn load_serving(store: &Store, state: &Path) -> Answer<Arc<Model>> {
    versions::sweep(store, state)?;
    if let Some(version) = chain(store)?.promoted.last()
        && let Some(meta) = store.get_model(version).map_err(|e| store_problem(&e))?
    {
        return load(state, meta).map(Arc::new);
    }
    let (name, sha256) = active_encoder(store)?;
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
        ..versions::draft(now)
    };
    let ruler = Arc::clone(&encoder);
    let model = versions::write((store, state), draft, (encoder, ruler), &versions::Parts::default())?;
    put_chain(store, &Chain { promoted: vec![model.meta.version.clone()] })?;
    Ok(Arc::new(model))
}

/// How a version names its encoder: by its base and the adapter's hash.
#[must_use]
pub fn encoder_ref(base: &Checkpoint, adapter: Option<String>) -> EncoderRef {
    let identity = &base.identity;
    EncoderRef {
        name: identity.name.clone(),
        sha256: identity.sha256.clone(),
        adapter,
        dim: base.config.hidden_size as u32,
    }
}

/// All versions, newest first.
///
/// # Errors
/// The store's.
pub fn list(app: &App) -> Answer<Page<ModelVersion>> {
    app.store.list_docs(DocKind::Model, Order::Newest, None, LISTED).map_err(|e| store_problem(&e))
}

/// One version.
///
/// # Errors
/// `not-found`.
pub fn show(app: &App, version: &str) -> Answer<ModelVersion> {
    let found = app.store.get_model(version).map_err(|e| store_problem(&e))?;
    found.ok_or_else(|| Problem::new(Code::NotFound, format!("there is no model version `{version}`")))
}

/// Versions that were trained on the log from `first` on: they may have seen an erased user.
#[must_use]
pub fn saw(app: &App, first: Option<u64>) -> Vec<String> {
    let Some(first) = first else { return Vec::new() };
    let models = list(app).map(|page| page.items).unwrap_or_default();
    models.into_iter().filter(|model| model.data.cursor >= first).map(|model| model.version).collect()
}

/// Puts a version in service: loaded and its catalogue embedded aside, then swapped in at once. Lists in flight keep the version
/// they began with.
///
/// # Errors
/// `not-found`, `conflict` if it serves already, or what keeps it from being loaded.
pub fn promote(app: &App, version: &str) -> Answer<ModelVersion> {
    let meta = show(app, version)?;
    if chain(&app.store)?.promoted.last().is_some_and(|serving| serving == version) {
        return Err(Problem::new(Code::Conflict, format!("`{version}` serves already")));
    }
    let model = load(&app.config.state, meta)?;
    let embedded = embed_catalogue(app, &model.encoder, |_| Answer::Ok(()))?;
    install(app, model, &embedded)
}

/// Swaps a loaded model in and writes down that it serves.
///
/// # Errors
/// The store's.
pub fn install(app: &App, model: Model, embedded: &Embedded) -> Answer<ModelVersion> {
    static ONE_AT_A_TIME: parking_lot::Mutex<()> = parking_lot::Mutex::new(());
    let _one = ONE_AT_A_TIME.lock();
    app.writable()?;
    let given = embedded.under(&model)?;
    // First, so that no canary is ever seen with the vectors of another encoder.
    super::canary::superseded(app, &model.meta.version)?;
    let mut chain = chain(&app.store)?;
    let before = chain.promoted.last().cloned();
    let mut model = model;
    model.meta.state = ModelState::Serving;
    model.meta.promoted = Some(Timestamp::now());
    chain.promoted.retain(|known| *known != model.meta.version);
    chain.promoted.push(model.meta.version.clone());
    let meta = model.meta.clone();
    app.store.put_model(&meta).map_err(|e| store_problem(&e))?;
    put_chain(&app.store, &chain)?;
    catch_up(app, &model);
    // What is known of the version before is what the new one is held against in its first hours.
    app.guard.begin(&[&meta.version], before.as_deref());
    if let Some(before) = before.filter(|before| *before != meta.version)
        && let Some(mut old) = app.store.get_model(&before).map_err(|e| store_problem(&e))?
    {
        old.state = ModelState::Retired;
        app.store.put_model(&old).map_err(|e| store_problem(&e))?;
        app.tell(EventKind::Model(Box::new(old)));
    }
    let encoder = Arc::clone(&model.encoder) as Arc<dyn Encoder>;
    {
        let mut world = app.world.lock();
        world.set_model(Arc::new(model), Some(given));
        // What changed since it was embedded must be embedded again; what is newer the world has put on its list itself.
        let now = &world.view().items;
        let changed = (0..).zip(embedded.items.iter().zip(now)).filter(|(_, (then, now))| !Arc::ptr_eq(then, now));
        let changed: Vec<u32> = changed.map(|(number, _)| number).collect();
        world.put_back(changed);
    }
    app.model.replace(encoder);
    app.publish();
    tracing::info!(version = meta.version, "serves");
    app.tell(EventKind::Model(Box::new(meta.clone())));
    Ok(meta)
}

/// Back to the version that served before.
///
/// # Errors
/// `conflict` if there is none.
pub fn rollback(app: &App) -> Answer<ModelVersion> {
    let mut kept = chain(&app.store)?;
    let serving = kept.promoted.pop();
    let Some(before) = kept.promoted.last().cloned() else {
        return Err(Problem::new(Code::Conflict, "no version served before this one"));
    };
    let answer = promote(app, &before)?;
    // The version that was left is no target of the next rollback: that goes further back.
    let mut now = chain(&app.store)?;
    now.promoted.retain(|version| Some(version) != serving.as_ref());
    put_chain(&app.store, &now)?;
    Ok(answer)
}

/// Pins a version or lets it go.
///
/// # Errors
/// `not-found`.
pub fn pin(app: &App, version: &str, pinned: bool) -> Answer<ModelVersion> {
    let mut meta = show(app, version)?;
    meta.pinned = pinned;
    app.store.put_model(&meta).map_err(|e| store_problem(&e))?;
    app.tell(EventKind::Model(Box::new(meta.clone())));
    Ok(meta)
}
