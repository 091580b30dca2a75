//! Trained weights of a cross-encoder and their file: safetensors of the changed weights and the head, with one metadata entry.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use super::head::{BIAS, HeadKind, HeadWeights, WEIGHT};
use super::layout::Join;
use crate::error::{LearnError, Result};

/// Current version of [`CrossEncoderMeta`].
pub(super) const FORMAT: u32 = 1;
/// Key of the metadata in stored files; an older name of the cross-encoder.
const KEY: &str = "mercer_pair";

/// Metadata of trained weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CrossEncoderMeta {
    /// Version of this record.
    pub format: u32,
    /// Fingerprint of the base weights ([`crate::graph::fingerprint`]).
    pub base: String,
    /// Number of last layers that see both sides.
    pub upper_layers: usize,
    /// Where the two sides meet.
    pub join: Join,
    /// What the linear layer reads.
    pub head: HeadKind,
    /// Maximum number of tokens of a pair.
    pub max_tokens: usize,
    /// Optimiser steps taken.
    pub steps: u64,
}

/// Weights that replace those of the base, and the head.
#[derive(Debug, Clone)]
pub struct CrossEncoderWeights {
    /// Base, shape and training steps.
    pub meta: CrossEncoderMeta,
    /// By Hugging Face name, adapters merged.
    pub changed: BTreeMap<String, Tensor>,
    /// The linear layer on top.
    pub head: HeadWeights,
}

impl CrossEncoderWeights {
    /// Serializes the weights. The same weights give the same bytes.
    ///
    /// # Errors
    /// When the tensors cannot be read back from their device.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut tensors = Vec::with_capacity(self.changed.len() + 2);
        for (name, t) in &self.changed {
            tensors.push((name.clone(), t.to_device(&Device::Cpu)?));
        }
        tensors.push((WEIGHT.to_owned(), self.head.weight.to_device(&Device::Cpu)?));
        tensors.push((BIAS.to_owned(), self.head.bias.to_device(&Device::Cpu)?));
        let meta = serde_json::to_string(&self.meta).map_err(candle_core::Error::wrap)?;
        let info = HashMap::from([(KEY.to_owned(), meta)]);
        Ok(safetensors::serialize(tensors, Some(info)).map_err(candle_core::Error::wrap)?)
    }

    /// Reads [`CrossEncoderWeights::to_bytes`].
    ///
    /// # Errors
    /// [`LearnError::Broken`] naming `origin` when the bytes are truncated, of another format, or hold a value that is not finite.
    pub fn from_bytes(bytes: &[u8], origin: &Path, device: &Device) -> Result<Self> {
        let fail = |why: String| LearnError::Broken { path: origin.to_owned(), why };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| fail(e.to_string()))?;
        let text = header.metadata().as_ref().and_then(|m| m.get(KEY));
        let text = text.ok_or_else(|| fail(format!("no {KEY} metadata")))?;
        let meta: CrossEncoderMeta = serde_json::from_str(text).map_err(|e| fail(e.to_string()))?;
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
        let head = HeadWeights { weight: take(WEIGHT)?, bias: take(BIAS)? };
        Ok(Self { meta, head, changed: all.into_iter().collect() })
    }
}
