//! Encoders that versions are built on: the embedded one and those under `$STATE/encoders`.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use mercer_model::Checkpoint;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::EncoderInfo;
use mercer_store::{Setting, SettingDocument, Store};
use serde::{Deserialize, Serialize};

use crate::state::app::App;
use crate::state::problems::Answer;
use crate::state::problems::internal;
use crate::state::problems::store_problem;

/// The encoder that new versions are built on. Stored as the pair `[name, sha256]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(String, String)", into = "(String, String)")]
pub struct ActiveEncoder {
    /// Its name.
    pub name: String,
    /// SHA-256 of its weights, hex.
    pub sha256: String,
}

impl From<(String, String)> for ActiveEncoder {
    fn from((name, sha256): (String, String)) -> Self {
        Self { name, sha256 }
    }
}

impl From<ActiveEncoder> for (String, String) {
    fn from(ActiveEncoder { name, sha256 }: ActiveEncoder) -> Self {
        (name, sha256)
    }
}

impl SettingDocument for ActiveEncoder {
    const SETTING: Setting = Setting::ActiveEncoder;
}

/// The encoder that new versions are built on.
///
/// # Errors
/// The store's.
pub fn active_encoder(store: &Store) -> Answer<ActiveEncoder> {
    match store.get_setting().map_err(|e| store_problem(&e))? {
        Some(active) => Ok(active),
        None => embedded().map(|own| ActiveEncoder { name: own.identity.name, sha256: own.identity.sha256 }),
    }
}

/// The embedded encoder, unpacked once. Its versions share the weights that no adapter changes.
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

pub(crate) fn info(checkpoint: &Checkpoint, active: &ActiveEncoder, embedded: bool, bytes: u64) -> EncoderInfo {
    EncoderInfo {
        name: checkpoint.identity.name.clone(),
        sha256: checkpoint.identity.sha256.clone(),
        dim: checkpoint.config.hidden_size as u32,
        layers: checkpoint.config.num_hidden_layers as u32,
        vocabulary: checkpoint.config.vocab_size as u32,
        bytes,
        active: checkpoint.identity.name == active.name && checkpoint.identity.sha256 == active.sha256,
        embedded,
    }
}

pub(crate) fn bytes_of(dir: &Path) -> u64 {
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
