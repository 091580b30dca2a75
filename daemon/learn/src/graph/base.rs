//! The base encoder: frozen weights and architecture, with a fingerprint.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use mercer_model::{BertConfig, Pooling};

use crate::error::{LearnError, Result};
use crate::ops::with_slice;

/// The checkpoint that an adapter sits on: borrowed, never changed.
#[derive(Debug, Clone, Copy)]
pub struct BaseEncoder<'a> {
    /// Architecture.
    pub config: &'a BertConfig,
    /// How token states are pooled to a vector.
    pub pooling: Pooling,
    /// Weights by Hugging Face name without a `bert.` prefix; any float type.
    pub tensors: &'a HashMap<String, Tensor>,
}

impl BaseEncoder<'_> {
    /// A weight in f32 on `device`, with the shape that the configuration asks for.
    pub(super) fn tensor(&self, name: &str, shape: &[usize], device: &Device) -> Result<Tensor> {
        let t = self.tensors.get(name).ok_or_else(|| LearnError::TensorMissing { name: name.to_owned() })?;
        if t.dims() != shape {
            return Err(LearnError::TensorShape {
                name: name.to_owned(),
                expected: shape.to_vec(),
                found: t.dims().to_vec(),
            });
        }
        Ok(t.detach().to_device(device)?.to_dtype(DType::F32)?.contiguous()?)
    }
}

/// BLAKE3 of all weights and of the architecture, in lower-case hexadecimal. An adapter fits only the base with its fingerprint.
///
/// # Errors
/// [`LearnError::TensorMissing`] when the checkpoint is incomplete.
pub fn fingerprint(base: BaseEncoder<'_>) -> Result<String> {
    let mut hash = blake3::Hasher::new();
    hash.update(&serde_json::to_vec(base.config).map_err(candle_core::Error::wrap)?);
    for (name, shape) in base.config.tensor_shapes() {
        let t = base.tensor(&name, &shape, &Device::Cpu)?;
        hash.update(name.as_bytes());
        with_slice(&t, |values| {
            let mut bytes = Vec::with_capacity(1 << 16);
            for block in values.chunks(1 << 14) {
                bytes.clear();
                bytes.extend(block.iter().flat_map(|v| v.to_le_bytes()));
                hash.update(&bytes);
            }
            Ok(())
        })?;
    }
    Ok(hash.finalize().to_hex().to_string())
}
