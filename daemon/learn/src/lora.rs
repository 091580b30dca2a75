//! Low-rank adapters (LoRA, Hu et al., arXiv 2106.09685): `y = x W^T + b + (alpha / r) dropout(x) A^T B^T` with `W` frozen, `A [r, in]`
//! seeded and `B [out, r]` zero at the start, so that tuning begins exactly at the base.
//!
//! While training, the two thin products stay explicit, so no gradient of the size of `W` ever exists. For serving, [`Adapter::merge`] adds
//! `(alpha / r) B A` to a copy of the weights. Adapters stay unmerged until promoted (METRICS.md section 7).
//!
//! Tensor names in files are those of peft (`base_model.model.<module>.lora_A.weight`), so that other tools read them.
//!
//! [`Adapter`] is what any method leaves: pairs of one rank (LoRA), of several ([`crate::adalora`]), or whole weights (full fine-tuning).

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{Device, Tensor, Var};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use crate::error::{LearnError, Result};

/// Which linear layers of an adapted layer get an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Targets {
    /// Query and value, as in the paper.
    QueryValue,
    /// All six linear layers.
    AllLinear,
}

impl Targets {
    /// Module names inside a layer, in the order of the graph.
    #[must_use]
    pub fn modules(self) -> &'static [&'static str] {
        match self {
            Self::QueryValue => &["attention.self.query", "attention.self.value"],
            Self::AllLinear => &[
                "attention.self.query",
                "attention.self.key",
                "attention.self.value",
                "attention.output.dense",
                "intermediate.dense",
                "output.dense",
            ],
        }
    }
}

/// Size and place of the adapters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoraOptions {
    /// Rank r, 1 to 256.
    pub rank: usize,
    /// The product is scaled by alpha / r.
    pub alpha: f64,
    /// Share of input values dropped on the adapter's path, 0 to below 1.
    pub dropout: f64,
    /// Which linear layers.
    pub targets: Targets,
}

impl Default for LoraOptions {
    fn default() -> Self {
        Self { rank: 8, alpha: 16.0, dropout: 0.05, targets: Targets::QueryValue }
    }
}

/// What a tuned adapter carries besides its tensors; stored in the file's metadata.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdapterMeta {
    /// Version of this record.
    pub format: u32,
    /// alpha / r: the factor in front of `B A`.
    pub scale: f64,
    /// Highest rank of a pair; 0 where there is none.
    pub rank: usize,
    /// Fingerprint of the base weights ([`crate::graph::fingerprint`]); callers compare it before merging.
    pub base: String,
    /// Optimiser steps taken so far, over all runs that led here.
    pub steps: u64,
}

/// Present version of [`AdapterMeta`].
pub const ADAPTER_FORMAT: u32 = 1;

/// What tuning changed in a base.
#[derive(Debug, Clone)]
pub struct Adapter {
    /// Scale, rank, base and age.
    pub meta: AdapterMeta,
    /// The low-rank change of some linear layers, by module name (`encoder.layer.11.attention.self.query`), sorted: f32 `(A [r, in],
    /// B [out, r])`, where modules may differ in r.
    pub pairs: BTreeMap<String, (Tensor, Tensor)>,
    /// Weights that replace those of the base, by Hugging Face name.
    pub weights: BTreeMap<String, Tensor>,
}

const PREFIX: &str = "base_model.model.";

/// Name of a trainable tensor of an adapter.
pub(crate) fn var_name(module: &str, side: char) -> String {
    format!("{PREFIX}{module}.lora_{side}.weight")
}

/// Module of a trainable `A`.
pub(crate) fn module_of(name: &str) -> Option<&str> {
    name.strip_prefix(PREFIX)?.strip_suffix(".lora_A.weight")
}

/// Seeded start of one pair: `A` uniform in `±1/sqrt(in)` (peft's choice), `B` zero. The stream depends on seed and module, not on order.
pub(crate) fn start(
    module: &str,
    rank: usize,
    shape: (usize, usize),
    seed: u64,
    device: &Device,
) -> Result<(Var, Var)> {
    let (out, inner) = shape;
    let key = blake3::hash(format!("lora A {seed} {module}").as_bytes());
    let mut rng = ChaCha8Rng::from_seed(*key.as_bytes());
    let bound = 1.0 / (inner as f32).sqrt();
    let a: Vec<f32> = (0..rank * inner).map(|_| rng.random_range(-bound..bound)).collect();
    Ok((Var::from_vec(a, (rank, inner), device)?, Var::zeros((out, rank), candle_core::DType::F32, device)?))
}

fn is_finite(t: &Tensor) -> Result<bool> {
    Ok(t.sqr()?.sum_all()?.to_scalar::<f32>()?.is_finite())
}

impl Adapter {
    /// The change of one weight: `(alpha / r) B A`, `[out, in]`.
    ///
    /// # Errors
    /// When the tensor library fails.
    fn delta(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        Ok((b.matmul(a)? * self.meta.scale)?)
    }

    /// A copy of `base` with the adapter added in; only changed tensors are new, the others share memory with `base`.
    ///
    /// # Errors
    /// [`LearnError::TensorMissing`] and [`LearnError::TensorShape`] when the adapter belongs to another architecture.
    pub fn merge(&self, base: &HashMap<String, Tensor>) -> Result<HashMap<String, Tensor>> {
        let mut merged = base.clone();
        merged.extend(self.changed(base)?);
        Ok(merged)
    }

    /// Only the tensors that differ from `base`, by Hugging Face name.
    ///
    /// # Errors
    /// As [`Adapter::merge`].
    pub fn changed(&self, base: &HashMap<String, Tensor>) -> Result<HashMap<String, Tensor>> {
        let mut changed = HashMap::new();
        let of_base = |name: &str, expected: &[usize]| {
            let w = base.get(name).ok_or_else(|| LearnError::TensorMissing { name: name.to_owned() })?;
            if w.dims() != expected {
                let (name, expected) = (name.to_owned(), expected.to_vec());
                return Err(LearnError::TensorShape { name, expected, found: w.dims().to_vec() });
            }
            Ok(w)
        };
        for (module, (a, b)) in &self.pairs {
            let name = format!("{module}.weight");
            let w = of_base(&name, &[b.dim(0)?, a.dim(1)?])?;
            let delta = self.delta(&a.to_device(w.device())?, &b.to_device(w.device())?)?;
            let sum = (w.to_dtype(candle_core::DType::F32)? + delta)?;
            changed.insert(name, sum.to_dtype(w.dtype())?);
        }
        for (name, new) in &self.weights {
            let w = of_base(name, new.dims())?;
            changed.insert(name.clone(), new.to_device(w.device())?.to_dtype(w.dtype())?);
        }
        Ok(changed)
    }

    /// The file's bytes: safetensors with peft's names and one metadata entry, the same bytes for the same adapter.
    ///
    /// # Errors
    /// When the tensors cannot be read back from their device.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut tensors = Vec::with_capacity(2 * self.pairs.len() + self.weights.len());
        for (name, weight) in &self.weights {
            tensors.push((format!("{PREFIX}{name}"), weight.to_device(&Device::Cpu)?));
        }
        for (module, (a, b)) in &self.pairs {
            tensors.push((var_name(module, 'A'), a.to_device(&Device::Cpu)?));
            tensors.push((var_name(module, 'B'), b.to_device(&Device::Cpu)?));
        }
        let meta = serde_json::to_string(&self.meta).map_err(candle_core::Error::wrap)?;
        // One entry only: the format stores a map, and the order of several would differ from run to run.
        let info = HashMap::from([("mercer_lora".to_owned(), meta)]);
        Ok(safetensors::serialize(tensors, Some(info)).map_err(candle_core::Error::wrap)?)
    }

    /// Reads [`Adapter::to_bytes`].
    ///
    /// # Errors
    /// [`LearnError::Broken`] naming `origin` when the bytes are not a whole adapter of a known format or hold a value that is not finite.
    pub fn from_bytes(bytes: &[u8], origin: &Path, device: &Device) -> Result<Self> {
        let fail = |why: String| LearnError::Broken { path: origin.to_owned(), why };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| fail(e.to_string()))?;
        let text = header
            .metadata()
            .as_ref()
            .and_then(|m| m.get("mercer_lora"))
            .ok_or_else(|| fail("no mercer_lora metadata".to_owned()))?;
        let meta: AdapterMeta = serde_json::from_str(text).map_err(|e| fail(e.to_string()))?;
        if meta.format != ADAPTER_FORMAT {
            return Err(fail(format!("adapter format {}, this version reads {ADAPTER_FORMAT}", meta.format)));
        }
        let mut all = candle_core::safetensors::load_buffer(bytes, device).map_err(|e| fail(e.to_string()))?;
        let mut pairs = BTreeMap::new();
        let mut modules: Vec<String> = all.keys().filter_map(|n| module_of(n)).map(str::to_owned).collect();
        modules.sort();
        for module in modules {
            let (Some(a), Some(b)) = (all.remove(&var_name(&module, 'A')), all.remove(&var_name(&module, 'B'))) else {
                return Err(fail(format!("{module}: half of the pair is missing")));
            };
            let (ra, rb) = (a.dims2().map(|d| d.0).ok(), b.dims2().map(|d| d.1).ok());
            if ra != rb || ra.is_none_or(|r| r == 0 || r > meta.rank) {
                return Err(fail(format!(
                    "{module}: shapes {:?} and {:?} do not fit rank {}",
                    a.dims(),
                    b.dims(),
                    meta.rank
                )));
            }
            if !(is_finite(&a)? && is_finite(&b)?) {
                return Err(fail(format!("{module}: a value is not finite")));
            }
            pairs.insert(module, (a, b));
        }
        let mut weights = BTreeMap::new();
        for (name, weight) in all {
            let Some(of_base) = name.strip_prefix(PREFIX).filter(|name| !name.contains(".lora_")) else {
                return Err(fail(format!("unknown tensor {name}")));
            };
            if !is_finite(&weight)? {
                return Err(fail(format!("{of_base}: a value is not finite")));
            }
            weights.insert(of_base.to_owned(), weight);
        }
        Ok(Self { meta, pairs, weights })
    }

    /// Writes the adapter so that a reader sees all of it or nothing.
    ///
    /// # Errors
    /// [`LearnError::Io`] when the directory cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        crate::files::write_atomic(path, &self.to_bytes()?)
    }

    /// Reads a file that [`Adapter::save`] wrote.
    ///
    /// # Errors
    /// [`LearnError::Io`] and those of [`Adapter::from_bytes`].
    pub fn load(path: &Path, device: &Device) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(LearnError::io(path))?;
        Self::from_bytes(&bytes, path, device)
    }
}
