//! What a run learned, and its file: safetensors of the changed weights and the head, with one metadata entry.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use super::head::{BIAS, WEIGHT};
use super::{HeadKind, Join};
use crate::error::{LearnError, Result};

const FORMAT: u32 = 1;
const KEY: &str = "mercer_pair";

/// What the weights belong to and how they are used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PairMeta {
    /// Version of this record.
    pub format: u32,
    /// Fingerprint of the base weights ([`crate::graph::fingerprint`]).
    pub base: String,
    /// How many of the last layers see both sides.
    pub upper_layers: usize,
    /// Where the two sides meet.
    pub join: Join,
    /// What the linear layer reads.
    pub head: HeadKind,
    /// Longest pair in tokens.
    pub max_tokens: usize,
    /// Optimiser steps taken.
    pub steps: u64,
}

/// Weights that replace those of the base, and the head.
#[derive(Debug, Clone)]
pub struct PairWeights {
    /// What they belong to.
    pub meta: PairMeta,
    /// By Hugging Face name; adapters are merged.
    pub changed: BTreeMap<String, Tensor>,
    /// Weight `[1, width]` and bias `[1]`.
    pub head: (Tensor, Tensor),
}

impl PairMeta {
    pub(super) fn new(base: String, options: &super::PairOptions, steps: u64) -> Self {
        Self {
            format: FORMAT,
            base,
            upper_layers: options.upper_layers,
            join: options.join,
            head: options.head,
            max_tokens: options.max_tokens,
            steps,
        }
    }
}

impl PairWeights {
    /// The file's bytes, the same for the same weights.
    ///
    /// # Errors
    /// When the tensors cannot be read back from their device.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut tensors = Vec::with_capacity(self.changed.len() + 2);
        for (name, t) in &self.changed {
            tensors.push((name.clone(), t.to_device(&Device::Cpu)?));
        }
        tensors.push((WEIGHT.to_owned(), self.head.0.to_device(&Device::Cpu)?));
        tensors.push((BIAS.to_owned(), self.head.1.to_device(&Device::Cpu)?));
        let meta = serde_json::to_string(&self.meta).map_err(candle_core::Error::wrap)?;
        let info = HashMap::from([(KEY.to_owned(), meta)]);
        Ok(safetensors::serialize(tensors, Some(info)).map_err(candle_core::Error::wrap)?)
    }

    /// Reads [`PairWeights::to_bytes`].
    ///
    /// # Errors
    /// [`LearnError::Broken`] naming `origin` when the bytes are not a whole file of a known format or hold a value that is not finite.
    pub fn from_bytes(bytes: &[u8], origin: &Path, device: &Device) -> Result<Self> {
        let fail = |why: String| LearnError::Broken { path: origin.to_owned(), why };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| fail(e.to_string()))?;
        let text = header.metadata().as_ref().and_then(|m| m.get(KEY));
        let text = text.ok_or_else(|| fail(format!("no {KEY} metadata")))?;
        let meta: PairMeta = serde_json::from_str(text).map_err(|e| fail(e.to_string()))?;
        if meta.format != FORMAT {
            return Err(fail(format!("format {}, this version reads {FORMAT}", meta.format)));
        }
        let mut all = candle_core::safetensors::load_buffer(bytes, device).map_err(|e| fail(e.to_string()))?;
        for (name, t) in &all {
            if !t.sqr()?.sum_all()?.to_scalar::<f32>()?.is_finite() {
                return Err(fail(format!("{name}: a value is not finite")));
            }
        }
        let mut take = |name: &str| all.remove(name).ok_or_else(|| fail(format!("{name} is missing")));
        let head = (take(WEIGHT)?, take(BIAS)?);
        Ok(Self { meta, head, changed: all.into_iter().collect() })
    }
}
