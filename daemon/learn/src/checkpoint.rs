//! Checkpoints of a run: a directory `step-00000120` with weights, moments and position, complete or not there.
//!
//! Batches and dropout are functions of seed and step, so the step number is the whole position in data and random streams. A checkpoint is
//! written aside, flushed, renamed; each file's BLAKE3 stands in `state.json`. A damaged one is passed over for the one before.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor, Var};
use serde::{Deserialize, Serialize};

use crate::error::{LearnError, Result};
use crate::files::{sync_dir, write_synced};
use crate::optim::AdamW;
use crate::tune::CheckpointOptions;

const FORMAT: u32 = 1;
const WEIGHTS: &str = "weights.safetensors";
const MOMENTS: &str = "moments.safetensors";
const STATE: &str = "state.json";
const PREFIX: &str = "step-";

/// What must be equal for a run to be the same run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// BLAKE3 of the base weights.
    pub base: String,
    /// BLAKE3 of texts, pairs, known positives and starting adapter.
    pub data: String,
    /// BLAKE3 of the options that decide the weights.
    pub options: String,
}

/// A run after some steps.
#[derive(Debug, Clone)]
pub struct Saved {
    /// Steps taken.
    pub step: usize,
    /// Loss of each step so far.
    pub losses: Vec<f32>,
    /// Trainable tensors by name.
    pub weights: BTreeMap<String, Tensor>,
    /// Moments of the optimiser by name, and what a run keeps beside them.
    pub moments: BTreeMap<String, Tensor>,
}

#[derive(Serialize, Deserialize)]
struct State {
    format: u32,
    step: usize,
    identity: Identity,
    losses: Vec<f32>,
    files: BTreeMap<String, String>,
}

fn bytes_of(tensors: &BTreeMap<String, Tensor>) -> Result<Vec<u8>> {
    let cpu = tensors
        .iter()
        .map(|(n, t)| Ok((n.clone(), t.detach().to_device(&Device::Cpu)?)))
        .collect::<Result<Vec<_>>>()?;
    Ok(safetensors::serialize(cpu, None).map_err(candle_core::Error::wrap)?)
}

/// Steps of the complete checkpoints of a directory, latest first. A directory that is not there holds none.
fn steps(dir: &Path) -> Result<Vec<usize>> {
    let entries = match fs::read_dir(dir) {
        Ok(e) => e,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(LearnError::io(dir)(e)),
    };
    let mut all = Vec::new();
    for entry in entries {
        let name = entry.map_err(LearnError::io(dir))?.file_name();
        let step = name.to_str().and_then(|n| n.strip_prefix(PREFIX));
        all.extend(step.and_then(|s| s.parse::<usize>().ok()));
    }
    all.sort_unstable_by(|a, b| b.cmp(a));
    Ok(all)
}

fn path_of(dir: &Path, step: usize) -> PathBuf {
    dir.join(format!("{PREFIX}{step:08}"))
}

/// Writes a checkpoint and removes all but the `keep` latest.
///
/// # Errors
/// [`LearnError::Io`] when the directory cannot be written; the checkpoints before are untouched then.
pub fn save(dir: &Path, identity: &Identity, saved: &Saved, keep: usize) -> Result<PathBuf> {
    let aside = dir.join(format!(".aside-{:08}", saved.step));
    if aside.exists() {
        fs::remove_dir_all(&aside).map_err(LearnError::io(&aside))?;
    }
    fs::create_dir_all(&aside).map_err(LearnError::io(&aside))?;
    let mut files = BTreeMap::new();
    for (name, tensors) in [(WEIGHTS, &saved.weights), (MOMENTS, &saved.moments)] {
        let bytes = bytes_of(tensors)?;
        files.insert(name.to_owned(), blake3::hash(&bytes).to_hex().to_string());
        write_synced(&aside.join(name), &bytes)?;
    }
    let state =
        State { format: FORMAT, step: saved.step, identity: identity.clone(), losses: saved.losses.clone(), files };
    let json = serde_json::to_vec(&state).map_err(candle_core::Error::wrap)?;
    write_synced(&aside.join(STATE), &json)?;
    sync_dir(&aside)?;
    let path = path_of(dir, saved.step);
    if path.exists() {
        fs::remove_dir_all(&path).map_err(LearnError::io(&path))?;
    }
    fs::rename(&aside, &path).map_err(LearnError::io(&path))?;
    sync_dir(dir)?;
    for old in steps(dir)?.into_iter().skip(keep.max(1)) {
        let old = path_of(dir, old);
        fs::remove_dir_all(&old).map_err(LearnError::io(&old))?;
    }
    Ok(path)
}

fn read(path: &Path, identity: &Identity, device: &Device) -> Result<Saved> {
    let fail = |why: String| LearnError::Broken { path: path.to_owned(), why };
    let file = path.join(STATE);
    let text = fs::read(&file).map_err(LearnError::io(&file))?;
    let state: State = serde_json::from_slice(&text).map_err(|e| fail(e.to_string()))?;
    if state.format != FORMAT {
        return Err(fail(format!("checkpoint format {}, this version reads {FORMAT}", state.format)));
    }
    let parts = [
        (&state.identity.base, &identity.base, "base weights"),
        (&state.identity.data, &identity.data, "texts or pairs"),
        (&state.identity.options, &identity.options, "options"),
    ];
    for (found, expected, what) in parts {
        if found != expected {
            let path = path.to_owned();
            return Err(LearnError::Foreign { path, what });
        }
    }
    let tensors = |name: &str| -> Result<BTreeMap<String, Tensor>> {
        let file = path.join(name);
        let bytes = fs::read(&file).map_err(LearnError::io(&file))?;
        let hash = blake3::hash(&bytes).to_hex().to_string();
        if state.files.get(name) != Some(&hash) {
            return Err(fail(format!("{name} does not have the checksum that {STATE} names")));
        }
        let all = candle_core::safetensors::load_buffer(&bytes, device).map_err(|e| fail(e.to_string()))?;
        Ok(all.into_iter().collect())
    };
    Ok(Saved { step: state.step, weights: tensors(WEIGHTS)?, moments: tensors(MOMENTS)?, losses: state.losses })
}

/// Puts variables and optimiser back to where the latest checkpoint of this run left them, and gives it. `None` where none is kept or none
/// is there.
///
/// # Errors
/// As [`latest`]; [`LearnError::TensorMissing`] for a checkpoint without one of the variables.
pub(crate) fn resume(
    options: Option<&CheckpointOptions>,
    identity: &Identity,
    vars: &BTreeMap<String, Var>,
    adam: &mut AdamW,
    device: &Device,
) -> Result<Option<Saved>> {
    let Some(options) = options else { return Ok(None) };
    let Some(saved) = latest(&options.dir, identity, device)? else { return Ok(None) };
    for (name, var) in vars {
        let missing = || LearnError::TensorMissing { name: name.clone() };
        var.set(saved.weights.get(name).ok_or_else(missing)?)?;
    }
    adam.restore(&saved.moments, saved.step, device)?;
    Ok(Some(saved))
}

/// Writes where a run stands, if its checkpoints are kept; `beside` is whatever the run keeps beside the optimiser's moments.
///
/// # Errors
/// As [`save`].
pub(crate) fn keep(
    options: Option<&CheckpointOptions>,
    identity: &Identity,
    vars: &BTreeMap<String, Var>,
    (adam, beside): (&AdamW, BTreeMap<String, Tensor>),
    losses: &[f32],
) -> Result<()> {
    let Some(options) = options else { return Ok(()) };
    let weights = vars.iter().map(|(n, v)| (n.clone(), v.as_detached_tensor())).collect();
    let mut moments = adam.state();
    moments.extend(beside);
    let saved = Saved { step: adam.step, losses: losses.to_vec(), weights, moments };
    save(&options.dir, identity, &saved, options.keep).map(drop)
}

/// The latest checkpoint of this run that is whole; `None` when there is none.
///
/// # Errors
/// [`LearnError::Foreign`] when the latest readable one belongs to another run, [`LearnError::Io`] when the directory cannot be listed.
pub fn latest(dir: &Path, identity: &Identity, device: &Device) -> Result<Option<Saved>> {
    for step in steps(dir)? {
        let path = path_of(dir, step);
        match read(&path, identity, device) {
            Ok(saved) => return Ok(Some(saved)),
            Err(e @ LearnError::Foreign { .. }) => return Err(e),
            Err(e) => tracing::warn!(error = %e, "passing over a damaged checkpoint"),
        }
    }
    Ok(None)
}
