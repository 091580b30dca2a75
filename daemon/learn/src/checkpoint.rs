//! Checkpoints of a run: one directory `step-00000120` each, with weights, optimiser moments and losses.
//!
//! Batches and dropout masks are functions of seed and step, so the step number is the only position to store. A checkpoint is written to a
//! temporary directory, flushed and renamed, so that it is complete or absent. `state.json` holds the BLAKE3 of each file. A damaged
//! checkpoint is skipped and the one before it is used.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor, Var};
use serde::{Deserialize, Serialize};

use crate::error::{LearnError, Result};
use crate::files::{sync_dir, write_synced};
use crate::optim::AdamW;
use crate::run::CheckpointOptions;

const FORMAT: u32 = 1;
const WEIGHTS: &str = "weights.safetensors";
const MOMENTS: &str = "moments.safetensors";
const STATE: &str = "state.json";
const PREFIX: &str = "step-";

/// Hashes that identify a run. A checkpoint is resumed only by a run with the same identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunIdentity {
    /// BLAKE3 of the base weights.
    pub base: String,
    /// BLAKE3 of texts, pairs, known positives and starting adapter.
    pub data: String,
    /// BLAKE3 of the options that affect the weights.
    pub options: String,
}

/// State of a run after some steps.
#[derive(Debug, Clone)]
pub struct RunState {
    /// Steps taken.
    pub step: usize,
    /// Loss of each step so far.
    pub losses: Vec<f32>,
    /// Trainable tensors by name.
    pub weights: BTreeMap<String, Tensor>,
    /// Moments of the optimiser by name, and further state of the run.
    pub moments: BTreeMap<String, Tensor>,
}

/// Contents of `state.json`.
#[derive(Serialize, Deserialize)]
struct StateFile {
    format: u32,
    step: usize,
    identity: RunIdentity,
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

/// Steps of the checkpoints of a directory, latest first; empty if the directory does not exist.
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

/// Writes a checkpoint and removes all but the latest `keep`.
///
/// # Errors
/// [`LearnError::Io`] when the directory cannot be written; earlier checkpoints stay untouched then.
pub fn save(dir: &Path, identity: &RunIdentity, saved: &RunState, keep: usize) -> Result<PathBuf> {
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
        StateFile { format: FORMAT, step: saved.step, identity: identity.clone(), losses: saved.losses.clone(), files };
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

fn read(path: &Path, identity: &RunIdentity, device: &Device) -> Result<RunState> {
    let fail = |why: String| LearnError::Broken { path: path.to_owned(), why };
    let file = path.join(STATE);
    let text = fs::read(&file).map_err(LearnError::io(&file))?;
    let state: StateFile = serde_json::from_slice(&text).map_err(|e| fail(e.to_string()))?;
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
    Ok(RunState { step: state.step, weights: tensors(WEIGHTS)?, moments: tensors(MOMENTS)?, losses: state.losses })
}

/// The checkpoints of one run; does nothing where the run's options ask for none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunCheckpoints<'a> {
    /// Where and how often to save; `None` saves nothing.
    pub(crate) options: Option<&'a CheckpointOptions>,
    /// Identity of the run.
    pub(crate) identity: &'a RunIdentity,
    /// What trains, by name.
    pub(crate) vars: &'a BTreeMap<String, Var>,
}

impl RunCheckpoints<'_> {
    /// Restores variables and optimiser from the latest checkpoint of this run and returns it; `None` if there is none.
    ///
    /// # Errors
    /// As [`latest`]; [`LearnError::TensorMissing`] for a checkpoint that lacks one of the variables.
    pub(crate) fn resume(&self, adam: &mut AdamW, device: &Device) -> Result<Option<RunState>> {
        let Some(options) = self.options else { return Ok(None) };
        let Some(saved) = latest(&options.dir, self.identity, device)? else { return Ok(None) };
        for (name, var) in self.vars {
            let missing = || LearnError::TensorMissing { name: name.clone() };
            var.set(saved.weights.get(name).ok_or_else(missing)?)?;
        }
        adam.restore(&saved.moments, saved.step, device)?;
        Ok(Some(saved))
    }

    /// Whether a checkpoint is due after this step.
    pub(crate) fn is_due(&self, step: usize) -> bool {
        self.options.is_some_and(|options| step.is_multiple_of(options.every))
    }

    /// Writes a checkpoint. `extra` is state of the run beside the optimiser's moments.
    ///
    /// # Errors
    /// As [`save`].
    pub(crate) fn save(&self, adam: &AdamW, extra: BTreeMap<String, Tensor>, losses: &[f32]) -> Result<()> {
        let Some(options) = self.options else { return Ok(()) };
        let weights = self.vars.iter().map(|(n, v)| (n.clone(), v.as_detached_tensor())).collect();
        let mut moments = adam.state();
        moments.extend(extra);
        let saved = RunState { step: adam.step, losses: losses.to_vec(), weights, moments };
        save(&options.dir, self.identity, &saved, options.keep).map(drop)
    }
}

/// The latest readable checkpoint of this run; `None` if there is none.
///
/// # Errors
/// [`LearnError::Foreign`] when the latest readable one belongs to another run, [`LearnError::Io`] when the directory cannot be listed.
pub fn latest(dir: &Path, identity: &RunIdentity, device: &Device) -> Result<Option<RunState>> {
    for step in steps(dir)? {
        let path = path_of(dir, step);
        match read(&path, identity, device) {
            Ok(saved) => return Ok(Some(saved)),
            Err(e @ LearnError::Foreign { .. }) => return Err(e),
            Err(e) => tracing::warn!(error = %e, "skipping a damaged checkpoint"),
        }
    }
    Ok(None)
}
