//! One encoder in memory: architecture, f32 tensors, tokenizer and text rules.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::config::BertConfig;
use crate::error::ModelError;
use crate::rules::TextRules;
use crate::tokens::Tokens;

/// Name and content hash of an encoder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Display name, for example `multilingual-e5-small`.
    pub name: String,
    /// BLAKE3 (hex) over architecture, text rules, tokenizer and every weight. Two encoders with the same version give the
    /// same vectors. Never mix vectors of different versions in one index.
    pub version: String,
    /// SPDX identifier of the licence of the weights, empty when unknown.
    pub licence: String,
    /// Where the weights come from, empty when unknown.
    pub source: String,
    /// SHA-256 (hex) of the weights file, empty for weights that come from training.
    pub sha256: String,
}

/// Architecture, weights, tokenizer and text rules of one encoder. Cloning is cheap: tensors and tokenizer text are shared.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// Architecture.
    pub config: BertConfig,
    /// Weights by Hugging Face name (no `bert.` prefix), f32 on the CPU; exactly those of [`BertConfig::tensor_shapes`].
    pub tensors: Arc<HashMap<String, Tensor>>,
    /// The text of `tokenizer.json`.
    pub tokenizer_json: Arc<str>,
    /// Prefixes, case, pooling, length.
    pub rules: TextRules,
    /// Name and content hash.
    pub identity: Identity,
}

/// Origin of a checkpoint.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// Display name.
    pub name: String,
    /// SPDX identifier.
    pub licence: String,
    /// Where the weights come from.
    pub source: String,
    /// SHA-256 (hex) of the weights file.
    pub sha256: String,
}

impl Checkpoint {
    /// Assembles and checks a checkpoint: every tensor of the architecture is present, of the right shape and finite; the tokenizer is readable
    /// and inside the vocabulary. Tensors that the graph does not read are dropped.
    ///
    /// # Errors
    /// [`ModelError::TensorMissing`], [`ModelError::TensorShape`], [`ModelError::TensorNotFinite`], [`ModelError::Tokenizer`].
    pub fn assemble(
        config: BertConfig,
        mut tensors: HashMap<String, Tensor>,
        tokenizer_json: impl Into<Arc<str>>,
        rules: TextRules,
        origin: Origin,
    ) -> Result<Self, ModelError> {
        let tokenizer_json = tokenizer_json.into();
        let mut kept = HashMap::new();
        for (name, expected) in config.tensor_shapes() {
            let tensor = tensors.remove(&name).ok_or_else(|| ModelError::TensorMissing { name: name.clone() })?;
            if tensor.dims() != expected {
                return Err(ModelError::TensorShape { name, expected, found: tensor.dims().to_vec() });
            }
            let tensor = tensor.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.contiguous()?.detach();
            kept.insert(name, tensor);
        }
        Tokens::new(&tokenizer_json, &rules, &config)?;
        let version = fingerprint(&config, &kept, &tokenizer_json, &rules)?;
        let identity = Identity {
            name: origin.name,
            version,
            licence: origin.licence,
            source: origin.source,
            sha256: origin.sha256,
        };
        Ok(Self { config, tensors: Arc::new(kept), tokenizer_json, rules, identity })
    }

    /// A new checkpoint with some weights replaced (a merged adapter): same architecture, tokenizer and rules, new version.
    ///
    /// # Errors
    /// As [`Checkpoint::assemble`].
    pub fn with_tensors(&self, name: &str, changed: HashMap<String, Tensor>) -> Result<Self, ModelError> {
        let mut tensors = (*self.tensors).clone();
        tensors.extend(changed);
        let origin = Origin {
            name: name.to_owned(),
            licence: self.identity.licence.clone(),
            source: self.identity.source.clone(),
            sha256: String::new(),
        };
        Self::assemble(self.config.clone(), tensors, self.tokenizer_json.clone(), self.rules.clone(), origin)
    }

    /// The tokenizer with this checkpoint's rules.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`].
    pub fn tokens(&self) -> Result<Tokens, ModelError> {
        Tokens::new(&self.tokenizer_json, &self.rules, &self.config)
    }

    /// Number of weights.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.tensors.values().map(Tensor::elem_count).sum()
    }
}

/// BLAKE3 over everything that affects a vector: f32 in little-endian order, tensors in layer order. Refuses weights that are not finite.
fn fingerprint(
    config: &BertConfig,
    tensors: &HashMap<String, Tensor>,
    tokenizer: &str,
    rules: &TextRules,
) -> Result<String, ModelError> {
    let json = |what: &str, e: serde_json::Error| ModelError::Config { path: what.into(), why: e.to_string() };
    let mut hasher = blake3::Hasher::new_derive_key("mercer encoder version 1");
    for part in [
        serde_json::to_string(config).map_err(|e| json("config.json", e))?.as_str(),
        serde_json::to_string(rules).map_err(|e| json("mercer.json", e))?.as_str(),
        tokenizer,
    ] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut bytes = Vec::new();
    for (name, _) in config.tensor_shapes() {
        let tensor = tensors.get(&name).ok_or_else(|| ModelError::TensorMissing { name: name.clone() })?;
        let values = tensor.flatten_all()?.to_vec1::<f32>()?;
        if !values.iter().all(|v| v.is_finite()) {
            return Err(ModelError::TensorNotFinite { name });
        }
        hasher.update(name.as_bytes());
        // In blocks, so that hashing does not double the memory of the largest tensor.
        for piece in values.chunks(1 << 16) {
            bytes.clear();
            // Adding zero turns -0 into +0, because both give the same vectors.
            bytes.extend(piece.iter().flat_map(|v| (v + 0.0).to_le_bytes()));
            hasher.update(&bytes);
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}
