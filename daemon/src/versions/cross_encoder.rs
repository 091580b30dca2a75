//! The files of the cross-encoder: its weights on disk and the record of the model in use.
//!
//! At most one is kept: `$STATE/pair/NAME.safetensors` and a document in the store with its name, base encoder, part of
//! the log, calibration and metrics. A new run always replaces it, because its metrics are from newer events. Until
//! then the weights may hold traces of an erased user; an erasure lists the model among the versions that saw the user.

use std::io::Write;
use std::path::{Path, PathBuf};

use mercer_learn::BaseEncoder;
use mercer_learn::cross_encoder::{CrossEncoder, CrossEncoderWeights};
use mercer_model::Checkpoint;
use mercer_reports::calibrate::Calibrator;
use mercer_shared::wire::PairReport;
use mercer_store::{Setting, SettingDocument, Store};
use serde::{Deserialize, Serialize};

use crate::state::app::App;
use crate::state::problems::Answer;
use crate::state::problems::internal;
use crate::state::problems::store_problem;

/// A kept cross-encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptCrossEncoder {
    /// `pair-r000017`.
    pub name: String,
    /// The run that made it.
    pub run: String,
    /// Name and SHA-256 of its base encoder.
    pub encoder: (String, String),
    /// BLAKE3 of the weights' file.
    pub digest: String,
    /// Last sequence number of the log that was read.
    pub cursor: u64,
    /// Nothing later than this was learned from, UTC milliseconds.
    #[serde(rename = "cut")]
    pub cutoff: i64,
    /// From log-odds to probabilities.
    pub calibrator: Option<Calibrator>,
    /// Its numbers.
    pub report: PairReport,
}

impl SettingDocument for KeptCrossEncoder {
    const SETTING: Setting = Setting::CrossEncoder;
}

impl KeptCrossEncoder {
    /// The probability of log-odds.
    #[must_use]
    pub fn probability(&self, logit: f32) -> f64 {
        probability(self.calibrator.as_ref(), logit)
    }
}

/// The probability of log-odds; as they are where nothing could be fitted.
#[must_use]
pub fn probability(calibrator: Option<&Calibrator>, logit: f32) -> f64 {
    let as_is = Calibrator::Platt { slope: 1.0, intercept: 0.0 };
    calibrator.unwrap_or(&as_is).apply(f64::from(logit))
}

fn path(state: &Path, name: &str) -> PathBuf {
    state.join("pair").join(format!("{name}.safetensors"))
}

/// The kept cross-encoder, if there is one.
///
/// # Errors
/// The store's.
pub fn kept(store: &Store) -> Answer<Option<KeptCrossEncoder>> {
    store.get_setting().map_err(|e| store_problem(&e))
}

/// Its name, if it was trained on the log from `first` on: it may have seen an erased user.
#[must_use]
pub fn saw(app: &App, first: Option<u64>) -> Option<String> {
    let first = first?;
    kept(&app.store).ok().flatten().filter(|kept| kept.cursor >= first).map(|kept| kept.name)
}

/// Writes weights and document; those of the one before are deleted.
///
/// # Errors
/// The disk's or the store's; the one before stays then.
pub fn keep(app: &App, mut kept: KeptCrossEncoder, weights: &CrossEncoderWeights) -> Answer<KeptCrossEncoder> {
    let bytes = weights.to_bytes().map_err(|e| internal(&e))?;
    kept.digest = blake3::hash(&bytes).to_hex().to_string();
    let path = path(&app.config.state, &kept.name);
    let dir = app.config.state.join("pair");
    let aside = path.with_extension("partial");
    std::fs::create_dir_all(&dir).map_err(|e| internal(&e))?;
    let mut file = std::fs::File::create(&aside).map_err(|e| internal(&e))?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(|e| internal(&e))?;
    std::fs::rename(&aside, &path).map_err(|e| internal(&e))?;
    std::fs::File::open(&dir).and_then(|dir| dir.sync_all()).map_err(|e| internal(&e))?;
    app.store.put_setting(&kept).map_err(|e| store_problem(&e))?;
    for old in std::fs::read_dir(&dir).map_err(|e| internal(&e))?.flatten().map(|entry| entry.path()) {
        if old != path
            && let Err(error) = std::fs::remove_file(&old)
        {
            tracing::warn!(%error, path = %old.display(), "an old cross-encoder stays");
        }
    }
    app.head_rescorer.changed();
    Ok(kept)
}

/// Deletes the kept cross-encoder; returns its name, if there was one.
///
/// # Errors
/// The store's or the disk's.
pub fn delete(app: &App) -> Answer<Option<String>> {
    let Some(kept) = kept(&app.store)? else { return Ok(None) };
    app.store.remove_setting::<KeptCrossEncoder>().map_err(|e| store_problem(&e))?;
    if let Err(error) = std::fs::remove_file(path(&app.config.state, &kept.name))
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(internal(&error));
    }
    app.head_rescorer.changed();
    Ok(Some(kept.name))
}

/// Reads the weights of a kept cross-encoder on its base.
///
/// # Errors
/// `internal` for a file that is not the one that was kept, or a base that is another.
pub fn load(state: &Path, kept: &KeptCrossEncoder, base: &Checkpoint) -> Answer<CrossEncoder> {
    let path = path(state, &kept.name);
    let bytes = std::fs::read(&path).map_err(|e| internal(&format!("{}: {e}", path.display())))?;
    if blake3::hash(&bytes).to_hex().as_str() != kept.digest {
        return Err(internal(&format!("{}: the checksum is not that of the document", path.display())));
    }
    let device = mercer_model::device::pick();
    let weights = CrossEncoderWeights::from_bytes(&bytes, &path, &device).map_err(|e| internal(&e))?;
    let base = BaseEncoder { config: &base.config, pooling: base.rules.pooling, tensors: &base.tensors };
    CrossEncoder::new(base, &weights, &device).map_err(|e| internal(&e))
}
