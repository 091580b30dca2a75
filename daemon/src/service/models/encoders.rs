//! Encoders that versions are built on: the embedded one and those under `$STATE/encoders`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use mercer_model::{BertEncoder, Checkpoint, registry};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{AddEncoder, DataSnapshot, EncoderInfo, EventKind, ModelVersion};
use mercer_store::{DocKind, Store};

use super::{Answer, internal, versions};
use crate::app::{App, model_problem, store_problem};

/// Name of the document that names the active encoder.
const ACTIVE_ENCODER: &str = "active-encoder";

/// Name and SHA-256 of the encoder that new versions are built on.
///
/// # Errors
/// The store's.
pub fn active_encoder(store: &Store) -> Answer<(String, String)> {
    let chosen: Option<(String, String)> =
        store.get_doc(DocKind::Setting, ACTIVE_ENCODER).map_err(|e| store_problem(&e))?;
    chosen.map_or_else(|| embedded().map(|own| (own.identity.name, own.identity.sha256)), Ok)
}

/// The embedded encoder, unpacked once: its versions share the memory of the weights that no adapter changes.
fn embedded() -> Answer<Checkpoint> {
    static OWN: OnceLock<Checkpoint> = OnceLock::new();
    if let Some(own) = OWN.get() {
        return Ok(own.clone());
    }
    let own = mercer_model::embedded::load().map_err(|error| internal(&error))?;
    Ok(OWN.get_or_init(|| own).clone())
}

/// The base checkpoint of a name and weights: the embedded one or one under `$STATE/encoders`.
///
/// # Errors
/// `bad-encoder` if it is gone or damaged.
pub fn base(state: &Path, name: &str, sha256: &str) -> Answer<Checkpoint> {
    let is_it = |found: &Checkpoint| found.identity.name == name && found.identity.sha256 == sha256;
    let own = embedded()?;
    if is_it(&own) {
        return Ok(own);
    }
    for dir in installed(state) {
        if let Ok(checkpoint) = Checkpoint::load(&dir)
            && is_it(&checkpoint)
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

fn info(checkpoint: &Checkpoint, active: &(String, String), embedded: bool, bytes: u64) -> EncoderInfo {
    EncoderInfo {
        name: checkpoint.identity.name.clone(),
        sha256: checkpoint.identity.sha256.clone(),
        dim: checkpoint.config.hidden_size as u32,
        layers: checkpoint.config.num_hidden_layers as u32,
        vocabulary: checkpoint.config.vocab_size as u32,
        bytes,
        active: (&checkpoint.identity.name, &checkpoint.identity.sha256) == (&active.0, &active.1),
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

/// A version on an encoder as it is, without a ranker, which was trained beside another: it can be promoted by hand at once; the
/// next cycle makes a whole one. Nothing happens where such a version stands already.
fn candidate(app: &App, checkpoint: Checkpoint) -> Answer<()> {
    let encoder = Arc::new(BertEncoder::on_best_device(checkpoint).map_err(|e| model_problem(&e))?);
    let named = super::encoder_ref(encoder.checkpoint(), None);
    if super::list(app)?.items.iter().any(|model| model.encoder == named) {
        return Ok(());
    }
    let draft = ModelVersion {
        parent: Some(app.view().model.meta.version.clone()),
        encoder: named,
        data: DataSnapshot {
            consent_rule: "nothing was learned from any shopper".to_owned(),
            ..DataSnapshot::default()
        },
        ..versions::draft(Timestamp::now())
    };
    let encoders = (Arc::clone(&encoder), encoder);
    let model = versions::write((&app.store, &app.config.state), draft, encoders, &versions::Parts::default())?;
    app.tell(EventKind::Model(Box::new(model.meta)));
    Ok(())
}

/// Checks an encoder, installs it, and makes it the base of new versions if asked; a candidate on it is listed at once then.
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
            .put_doc(DocKind::Setting, ACTIVE_ENCODER, &(&checkpoint.identity.name, &checkpoint.identity.sha256))
            .map_err(|e| store_problem(&e))?;
        candidate(app, checkpoint.clone())?;
    }
    Ok(info(&checkpoint, &active_encoder(&app.store)?, false, bytes_of(&added.dir)))
}
