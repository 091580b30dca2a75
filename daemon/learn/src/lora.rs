//! Low-rank adapters (LoRA, Hu et al., arXiv 2106.09685): `y = x W^T + b + (alpha / r) dropout(x) A^T B^T` with `W` frozen, `A [r, in]`
//! random and `B [out, r]` zero at the start, so that tuning starts exactly at the base.
//!
//! During training the two thin products stay separate, so no gradient of the size of `W` is ever formed. For serving,
//! [`Adapter::changed`] adds `(alpha / r) B A` to the weights. Adapters stay unmerged until promoted (METRICS.md section 7).
//!
//! Tensor names in files are those of peft (`base_model.model.<module>.lora_A.weight`), so that other tools can read them.
//!
//! [`Adapter`] holds the result of every method: pairs of one rank (LoRA), of several ranks ([`crate::adalora`]), or whole weights (full
//! fine-tuning).

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{Device, Tensor, Var};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use crate::error::{LearnError, Result};

/// Which linear layers of a transformer layer get an adapter.
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

/// Rank, scale, dropout and placement of the adapters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoraOptions {
    /// Rank r, 1 to 256.
    pub rank: usize,
    /// The product is scaled by alpha / r.
    pub alpha: f64,
    /// Share of the adapter's input values that dropout sets to zero, 0 to below 1.
    pub dropout: f64,
    /// Linear layers that get an adapter.
    pub targets: Targets,
}

impl Default for LoraOptions {
    fn default() -> Self {
        Self { rank: 8, alpha: 16.0, dropout: 0.05, targets: Targets::QueryValue }
    }
}

/// Metadata of an adapter, stored in the header of its file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdapterMeta {
    /// Version of this record.
    pub format: u32,
    /// alpha / r: the factor in front of `B A`.
    pub scale: f64,
    /// Highest rank of a pair; 0 if there is none.
    pub rank: usize,
    /// Fingerprint of the base weights ([`crate::graph::fingerprint`]); compare it before applying the adapter.
    pub base: String,
    /// Optimiser steps taken, over all runs that led to this adapter.
    pub steps: u64,
}

/// Current version of [`AdapterMeta`].
pub const ADAPTER_FORMAT: u32 = 1;

/// The low-rank change of one linear layer, f32.
#[derive(Debug, Clone)]
pub struct LowRankPair {
    /// `[r, in]`.
    pub a: Tensor,
    /// `[out, r]`.
    pub b: Tensor,
}

/// What tuning changed in a base encoder.
#[derive(Debug, Clone)]
pub struct Adapter {
    /// Scale, rank, base and age.
    pub meta: AdapterMeta,
    /// Low-rank changes by module name (`encoder.layer.11.attention.self.query`). Modules may differ in rank.
    pub pairs: BTreeMap<String, LowRankPair>,
    /// Weights that replace those of the base, by Hugging Face name.
    pub weights: BTreeMap<String, Tensor>,
}

/// Shape of a linear layer's weight, `[out, inner]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WeightShape {
    pub(crate) out: usize,
    pub(crate) inner: usize,
}

/// Trainable tensors of one adapter.
pub(crate) struct LowRankVars {
    /// `[r, in]`.
    pub(crate) a: Var,
    /// `[out, r]`.
    pub(crate) b: Var,
    /// Weight of each rank `[r]`, for AdaLoRA only.
    pub(crate) e: Option<Var>,
}

const PREFIX: &str = "base_model.model.";

/// Name of a trainable tensor of an adapter; `side` is `A`, `B` or `E`.
pub(crate) fn var_name(module: &str, side: char) -> String {
    format!("{PREFIX}{module}.lora_{side}.weight")
}

/// Module of an adapter's `A` by its name; `None` for any other name.
pub(crate) fn module_of(name: &str) -> Option<&str> {
    name.strip_prefix(PREFIX)?.strip_suffix(".lora_A.weight")
}

/// Initial tensors of one adapter: `A` uniform in `±1/sqrt(in)` (as in peft), `B` zero. The random stream depends on seed and module only,
/// not on the order of calls.
pub(crate) fn init(module: &str, rank: usize, shape: WeightShape, seed: u64, device: &Device) -> Result<LowRankVars> {
    let WeightShape { out, inner } = shape;
    let key = blake3::hash(format!("lora A {seed} {module}").as_bytes());
    let mut rng = ChaCha8Rng::from_seed(*key.as_bytes());
    let bound = 1.0 / (inner as f32).sqrt();
    let a: Vec<f32> = (0..rank * inner).map(|_| rng.random_range(-bound..bound)).collect();
    Ok(LowRankVars {
        a: Var::from_vec(a, (rank, inner), device)?,
        b: Var::zeros((out, rank), candle_core::DType::F32, device)?,
        e: None,
    })
}

fn is_finite(t: &Tensor) -> Result<bool> {
    Ok(t.sqr()?.sum_all()?.to_scalar::<f32>()?.is_finite())
}

/// Checks a pair read from a file: equal ranks from 1 to `most`, finite values.
fn check_pair(module: &str, pair: &LowRankPair, most: usize, fail: impl Fn(String) -> LearnError) -> Result<()> {
    let LowRankPair { a, b } = pair;
    let (ra, rb) = (a.dims2().map(|d| d.0).ok(), b.dims2().map(|d| d.1).ok());
    if ra != rb || ra.is_none_or(|r| r == 0 || r > most) {
        return Err(fail(format!("{module}: shapes {:?} and {:?} do not fit rank {most}", a.dims(), b.dims())));
    }
    if !(is_finite(a)? && is_finite(b)?) {
        return Err(fail(format!("{module}: a value is not finite")));
    }
    Ok(())
}

impl Adapter {
    /// The change of one weight, `(alpha / r) B A`, `[out, in]`, on `device`.
    fn delta(&self, pair: &LowRankPair, device: &Device) -> Result<Tensor> {
        Ok((pair.b.to_device(device)?.matmul(&pair.a.to_device(device)?)? * self.meta.scale)?)
    }

    /// The tensors of `base` that the adapter changes, with the change applied, by Hugging Face name.
    ///
    /// # Errors
    /// [`LearnError::TensorMissing`] and [`LearnError::TensorShape`] when the adapter belongs to another architecture.
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
        for (module, pair) in &self.pairs {
            let name = format!("{module}.weight");
            let w = of_base(&name, &[pair.b.dim(0)?, pair.a.dim(1)?])?;
            let delta = self.delta(pair, w.device())?;
            let sum = (w.to_dtype(candle_core::DType::F32)? + delta)?;
            changed.insert(name, sum.to_dtype(w.dtype())?);
        }
        for (name, new) in &self.weights {
            let w = of_base(name, new.dims())?;
            changed.insert(name.clone(), new.to_device(w.device())?.to_dtype(w.dtype())?);
        }
        Ok(changed)
    }

    /// Serializes the adapter: safetensors with peft's names and one metadata entry. The same adapter gives the same bytes.
    ///
    /// # Errors
    /// When the tensors cannot be read back from their device.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut tensors = Vec::with_capacity(2 * self.pairs.len() + self.weights.len());
        for (name, weight) in &self.weights {
            tensors.push((format!("{PREFIX}{name}"), weight.to_device(&Device::Cpu)?));
        }
        for (module, LowRankPair { a, b }) in &self.pairs {
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
    /// [`LearnError::Broken`] naming `origin` when the bytes are truncated, of another format, or hold a value that is not finite.
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
        let mut modules: Vec<String> = all.keys().filter_map(|n| module_of(n)).map(str::to_owned).collect();
        modules.sort();
        let mut pairs = BTreeMap::new();
        for module in modules {
            let (Some(a), Some(b)) = (all.remove(&var_name(&module, 'A')), all.remove(&var_name(&module, 'B'))) else {
                return Err(fail(format!("{module}: half of the pair is missing")));
            };
            let pair = LowRankPair { a, b };
            check_pair(&module, &pair, meta.rank, fail)?;
            pairs.insert(module, pair);
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

    /// Writes the adapter atomically: a reader sees the whole file or none.
    ///
    /// # Errors
    /// [`LearnError::Io`] when the directory cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        crate::files::write_atomic(path, &self.to_bytes()?)
    }

    /// Reads a file written by [`Adapter::save`].
    ///
    /// # Errors
    /// [`LearnError::Io`] and those of [`Adapter::from_bytes`].
    pub fn load(path: &Path, device: &Device) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(LearnError::io(path))?;
        Self::from_bytes(&bytes, path, device)
    }
}
