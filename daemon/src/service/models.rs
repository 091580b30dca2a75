//! Model versions: loading, promotion, rollback, pruning; and the encoders they are built on.
//!
//! A version is a directory `$STATE/models/vNNNNNN` that never changes (adapter, ranker, blend) and a document in the store whose
//! state and pin do. Exactly one version serves.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mercer_model::{BertEncoder, Checkpoint, Encoder, Priority, registry};
use mercer_rank::{BlendWeights, Ranker};
use mercer_search::passage_text;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{
    AddEncoder, DataSnapshot, EncoderInfo, EncoderRef, EventKind, ModelState, ModelVersion, Page,
};
use mercer_store::{DocKind, Order, Store};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::Answer;
use crate::app::{App, model_problem, store_problem};
use crate::world::Model;

/// File of the LoRA adapter inside a version's directory.
pub const ADAPTER: &str = "adapter.safetensors";
/// File of the learned ranker.
pub const RANKER: &str = "ranker.json";
/// File of fitted blend weights.
pub const BLEND: &str = "blend.json";
/// Most versions that are listed; far more than are ever kept.
const LISTED: usize = 10_000;

/// Who serves, and who served before.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Chain {
    /// Versions in the order of their promotion, the serving one last.
    promoted: Vec<String>,
}

const CHAIN: &str = "model-chain";
const ACTIVE_ENCODER: &str = "active-encoder";

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

/// Name of the encoder that new versions are built on.
///
/// # Errors
/// The store's.
pub fn active_encoder(store: &Store) -> Answer<String> {
    let chosen: Option<String> = store.get_doc(DocKind::Setting, ACTIVE_ENCODER).map_err(|e| store_problem(&e))?;
    chosen.map_or_else(|| embedded().map(|checkpoint| checkpoint.identity.name), Ok)
}

fn embedded() -> Answer<Checkpoint> {
    mercer_model::embedded::load().map_err(|error| internal(&error))
}

/// The base checkpoint of a name: the embedded one or one under `$STATE/encoders`.
///
/// # Errors
/// `bad-encoder` if it is gone or damaged.
pub fn base(state: &Path, name: &str) -> Answer<Checkpoint> {
    let own = embedded()?;
    if own.identity.name == name {
        return Ok(own);
    }
    for dir in installed(state) {
        if let Ok(checkpoint) = Checkpoint::load(&dir)
            && checkpoint.identity.name == name
        {
            return Ok(checkpoint);
        }
    }
    Err(Problem::new(Code::BadEncoder, format!("the encoder `{name}` is not installed any more")))
}

fn installed(state: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(state.join("encoders")) else { return Vec::new() };
    let mut dirs: Vec<PathBuf> =
        entries.flatten().map(|e| e.path()).filter(|p| p.is_dir() && p.join("config.json").exists()).collect();
    dirs.sort();
    dirs
}

/// Reads a version from its directory.
///
/// # Errors
/// `bad-encoder` for its base, `internal` for a damaged file.
pub fn load(state: &Path, meta: ModelVersion) -> Answer<Model> {
    let dir = directory(state, &meta.version);
    let checkpoint = base(state, &meta.encoder.name)?;
    let adapter = dir.join(ADAPTER);
    let checkpoint = if adapter.exists() {
        // The device of the base: its tensors stay on the CPU.
        let Some(device) = checkpoint.tensors.values().next().map(|tensor| tensor.device().clone()) else {
            return Err(Problem::new(Code::BadEncoder, format!("{} has no weights", meta.encoder.name)));
        };
        let adapter = mercer_learn::Adapter::load(&adapter, &device);
        let adapter = adapter.map_err(|error| internal(&error))?;
        let changed = mercer_learn::Learned::Adapter(adapter).changed(&checkpoint.tensors).map_err(|e| internal(&e))?;
        checkpoint.with_tensors(&meta.encoder.name, changed).map_err(|e| internal(&e))?
    } else {
        checkpoint
    };
    let encoder = BertEncoder::on_best_device(checkpoint).map_err(|e| model_problem(&e))?;
    Ok(Model {
        encoder: Arc::new(encoder),
        blend: read_json::<BlendWeights>(&dir.join(BLEND))?,
        ranker: read_json::<Ranker>(&dir.join(RANKER))?.map(Arc::new),
        meta,
    })
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Answer<Option<T>> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| Problem::new(Code::Internal, format!("{}: {error}", path.display()))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Problem::new(Code::Internal, format!("{}: {error}", path.display()))),
    }
}

/// The version that serves; the first one, which nothing was learned for, where there is none yet. Directories that no document
/// names are left from an interruption and go.
///
/// # Errors
/// What keeps it from being loaded.
pub fn load_serving(store: &Store, state: &Path) -> Answer<Arc<Model>> {
    if let Ok(entries) = std::fs::read_dir(state.join("models")) {
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if store.get_model(&name).map_err(|e| store_problem(&e))?.is_none()
                && let Err(error) = std::fs::remove_dir_all(entry.path())
            {
                tracing::warn!(%error, name, "a half-written version stays");
            }
        }
    }
    if let Some(version) = chain(store)?.promoted.last()
        && let Some(meta) = store.get_model(version).map_err(|e| store_problem(&e))?
    {
        return load(state, meta).map(Arc::new);
    }
    let checkpoint = base(state, &active_encoder(store)?)?;
    let encoder = BertEncoder::on_best_device(checkpoint).map_err(|e| model_problem(&e))?;
    let now = Timestamp::now();
    let number = store.next_number(DocKind::Model).map_err(|e| store_problem(&e))?;
    let meta = ModelVersion {
        version: format!("v{number:06}"),
        state: ModelState::Serving,
        pinned: false,
        parent: None,
        created: now,
        promoted: Some(now),
        run: None,
        encoder: encoder_ref(&encoder, None),
        blend: Default::default(),
        metrics: Vec::new(),
        gate: None,
        data: DataSnapshot { consent_rule: "nothing was learned from any shopper".to_owned(), ..DataSnapshot::default() },
        seed: 0,
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        bytes: 0,
    };
    std::fs::create_dir_all(directory(state, &meta.version)).map_err(|e| internal(&e))?;
    store.put_model(&meta).map_err(|e| store_problem(&e))?;
    put_chain(store, &Chain { promoted: vec![meta.version.clone()] })?;
    Ok(Arc::new(Model { meta, encoder: Arc::new(encoder), blend: None, ranker: None }))
}

/// How a version names its encoder.
#[must_use]
pub fn encoder_ref(encoder: &BertEncoder, adapter: Option<String>) -> EncoderRef {
    let identity = encoder.identity();
    EncoderRef { name: identity.name.clone(), sha256: identity.sha256.clone(), adapter, dim: encoder.dim() as u32 }
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

/// Embeds the catalogue with an encoder; vectors that are known cost a look-up.
///
/// # Errors
/// The model thread's.
pub fn embed_catalogue(app: &App, encoder: &Arc<BertEncoder>) -> Answer<FxHashMap<u32, Arc<[f32]>>> {
    let texts: Vec<String> = app.view().items.iter().map(|item| passage_text(item)).collect();
    let rows = app.vectors.embed(&app.model, encoder, &texts, Priority::Background).map_err(|e| model_problem(&e))?;
    Ok((0..).zip(rows).collect())
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
    let vectors = embed_catalogue(app, &model.encoder)?;
    install(app, model, &vectors)
}

/// Swaps a loaded model in and writes down that it serves.
///
/// # Errors
/// The store's.
pub fn install(app: &App, model: Model, vectors: &FxHashMap<u32, Arc<[f32]>>) -> Answer<ModelVersion> {
    static ONE_AT_A_TIME: parking_lot::Mutex<()> = parking_lot::Mutex::new(());
    let _one = ONE_AT_A_TIME.lock();
    app.writable()?;
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
    if let Some(before) = before.filter(|before| *before != meta.version)
        && let Some(mut old) = app.store.get_model(&before).map_err(|e| store_problem(&e))?
    {
        old.state = ModelState::Retired;
        app.store.put_model(&old).map_err(|e| store_problem(&e))?;
        app.tell(EventKind::Model(Box::new(old)));
    }
    let encoder = Arc::clone(&model.encoder) as Arc<dyn Encoder>;
    app.world.lock().set_model(Arc::new(model), Some(vectors));
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

/// Deletes the oldest versions beyond the number that is kept; the serving one, those that can be rolled back to within that
/// number, and pinned ones stay.
pub fn prune(app: &App) {
    let Ok(page) = list(app) else { return };
    let keep = app.config.train.keep_versions;
    let rest = page.items.iter().filter(|m| m.state != ModelState::Serving && !m.pinned);
    for old in rest.skip(keep) {
        let gone = app.store.remove_doc(DocKind::Model, &old.version);
        let dir = directory(&app.config.state, &old.version);
        if let Err(error) = gone {
            tracing::warn!(%error, version = old.version, "an old version stays");
        } else if let Err(error) = std::fs::remove_dir_all(&dir)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, version = old.version, "the directory of an old version stays");
        }
        if let Ok(mut chain) = chain(&app.store) {
            chain.promoted.retain(|version| *version != old.version);
            if let Err(problem) = put_chain(&app.store, &chain) {
                tracing::warn!(%problem, "the chain of versions could not be written");
            }
        }
    }
}

fn info(checkpoint: &Checkpoint, active: &str, embedded: bool, bytes: u64) -> EncoderInfo {
    EncoderInfo {
        name: checkpoint.identity.name.clone(),
        sha256: checkpoint.identity.sha256.clone(),
        dim: checkpoint.config.hidden_size as u32,
        layers: checkpoint.config.num_hidden_layers as u32,
        vocabulary: checkpoint.config.vocab_size as u32,
        bytes,
        active: checkpoint.identity.name == active,
        embedded,
    }
}

fn bytes_of(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    entries.flatten().filter_map(|entry| entry.metadata().ok()).filter(|m| m.is_file()).map(|m| m.len()).sum()
}

/// Installed encoders, the embedded one first.
///
/// # Errors
/// The store's.
pub fn encoders(app: &App) -> Answer<Vec<EncoderInfo>> {
    let active = active_encoder(&app.store)?;
    let mut list = vec![info(&embedded()?, &active, true, mercer_model::embedded::BYTES.len() as u64)];
    for dir in installed(&app.config.state) {
        match Checkpoint::load(&dir) {
            Ok(checkpoint) => list.push(info(&checkpoint, &active, false, bytes_of(&dir))),
            Err(error) => tracing::warn!(%error, dir = %dir.display(), "an installed encoder cannot be read"),
        }
    }
    Ok(list)
}

/// Checks an encoder, installs it, and makes it the base of new versions if asked.
///
/// # Errors
/// `bad-encoder` with the file and what is wrong with it, `download-failed`.
pub fn add_encoder(app: &App, request: &AddEncoder) -> Answer<EncoderInfo> {
    app.writable()?;
    let root = app.config.state.join("encoders");
    std::fs::create_dir_all(&root).map_err(|e| internal(&e))?;
    let source = Path::new(&request.source);
    let bad = |error: mercer_model::ModelError| Problem::new(Code::BadEncoder, error.to_string());
    let added = if source.is_absolute() {
        registry::add_from_dir(source, &root).map_err(bad)?
    } else {
        let cached = registry::hub_cache().and_then(|cache| registry::find_in_cache(&request.source, &cache));
        match cached {
            Some(dir) => registry::add_from_dir(&dir, &root).map_err(bad)?,
            None => registry::download(&request.source, &registry::endpoint(), &root)
                .map_err(|error| Problem::new(Code::DownloadFailed, error.to_string()))?,
        }
    };
    let checkpoint = Checkpoint::load(&added.dir).map_err(bad)?;
    if request.activate {
        app.store
            .put_doc(DocKind::Setting, ACTIVE_ENCODER, &checkpoint.identity.name)
            .map_err(|e| store_problem(&e))?;
    }
    Ok(info(&checkpoint, &active_encoder(&app.store)?, false, bytes_of(&added.dir)))
}
