//! The packed form of an encoder: one GGUF file with 4-bit or 8-bit blocks for the matrices; configuration, rules and tokenizer in its metadata.
//!
//! Blocks are ggml's `Q4_0` (32 weights, one f16 scale, 18 bytes) and `Q8_0`; tables that are added rather than multiplied are f16, biases and
//! norms f32. Reading gives f32 tensors on the CPU.

use std::collections::HashMap;
use std::io::Cursor;
use std::path::Path;

use candle_core::quantized::gguf_file::{self, Content, Value};
use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{Device, Tensor};

use crate::checkpoint::{Checkpoint, Origin};
use crate::config::BertConfig;
use crate::error::ModelError;
use crate::hf::sha256_hex;
use crate::q4;
use crate::rules::TextRules;

/// Version of the metadata; readers refuse any other.
const FORMAT: u32 = 1;
const KEY_FORMAT: &str = "mercer.format";
const KEY_CONFIG: &str = "mercer.config";
const KEY_RULES: &str = "mercer.rules";
const KEY_TOKENIZER: &str = "mercer.tokenizer";
const KEY_NAME: &str = "general.name";
const KEY_LICENCE: &str = "general.license";
const KEY_SOURCE: &str = "general.source.url";

/// Bits per stored weight of a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bits {
    /// `Q4_0`: 4.5 bits per weight with the scale.
    Four,
    /// `Q8_0`: 8.5 bits per weight with the scale.
    Eight,
}

/// How exactly the stored blocks reproduce the weights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QuantisationLoss {
    /// Blocks of 32 weights written.
    pub blocks: usize,
    /// Blocks that read back bit for bit.
    pub exact: usize,
}

/// Reads a packed file.
///
/// # Errors
/// [`ModelError::Missing`], [`ModelError::Io`] and those of [`read`].
pub fn read_file(path: &Path) -> Result<Checkpoint, ModelError> {
    read(&crate::hf::read_bytes(path)?, path)
}

/// Reads a packed encoder from memory; `path` only names it in errors.
///
/// # Errors
/// [`ModelError::Weights`] for a broken or truncated file or another format version, and those of [`Checkpoint::assemble`].
pub fn read(bytes: &[u8], path: &Path) -> Result<Checkpoint, ModelError> {
    let fail = |why: String| ModelError::Weights { path: path.to_owned(), why };
    let mut reader = Cursor::new(bytes);
    let content = Content::read(&mut reader).map_err(|e| fail(first_line(&e)))?;
    let text = |key: &str| match content.metadata.get(key) {
        Some(Value::String(s)) => Ok(s.clone()),
        _ => Err(fail(format!("metadata {key} is missing"))),
    };
    match content.metadata.get(KEY_FORMAT) {
        Some(Value::U32(FORMAT)) => {}
        Some(other) => return Err(fail(format!("format {other:?}, this program reads {FORMAT}"))),
        None => return Err(fail(format!("metadata {KEY_FORMAT} is missing: not packed by Mercer"))),
    }
    let config = BertConfig::from_json(&text(KEY_CONFIG)?, path)?;
    let rules: TextRules =
        serde_json::from_str(&text(KEY_RULES)?).map_err(|e| fail(format!("metadata {KEY_RULES}: {e}")))?;
    let mut tensors = HashMap::new();
    for (name, _) in config.tensor_shapes() {
        if !content.tensor_infos.contains_key(&name) {
            return Err(ModelError::TensorMissing { name });
        }
        let stored = content
            .tensor(&mut reader, &name, &Device::Cpu)
            .map_err(|e| fail(format!("tensor {name}: {}", first_line(&e))))?;
        tensors.insert(name, stored.dequantize(&Device::Cpu)?);
    }
    let origin = Origin {
        name: text(KEY_NAME)?,
        licence: text(KEY_LICENCE)?,
        source: text(KEY_SOURCE)?,
        sha256: sha256_hex(bytes),
    };
    Checkpoint::assemble(config, tensors, text(KEY_TOKENIZER)?, rules, origin)
}

/// Packs a checkpoint into memory. The same checkpoint gives the same bytes.
///
/// # Errors
/// [`ModelError::Tensor`] and [`ModelError::Pack`].
pub fn write(checkpoint: &Checkpoint, bits: Bits) -> Result<(Vec<u8>, QuantisationLoss), ModelError> {
    let json = |e: serde_json::Error| ModelError::Pack(e.to_string());
    let id = &checkpoint.identity;
    let metadata = [
        ("general.architecture", Value::String("bert".to_owned())),
        (KEY_NAME, Value::String(id.name.clone())),
        (KEY_LICENCE, Value::String(id.licence.clone())),
        (KEY_SOURCE, Value::String(id.source.clone())),
        (KEY_FORMAT, Value::U32(FORMAT)),
        (KEY_CONFIG, Value::String(serde_json::to_string(&checkpoint.config).map_err(json)?)),
        (KEY_RULES, Value::String(serde_json::to_string(&checkpoint.rules).map_err(json)?)),
        (KEY_TOKENIZER, Value::String(checkpoint.tokenizer_json.to_string())),
    ];
    let mut loss = QuantisationLoss::default();
    let mut stored = Vec::new();
    for (name, shape) in checkpoint.config.tensor_shapes() {
        let tensor = checkpoint.tensors.get(&name).ok_or_else(|| ModelError::TensorMissing { name: name.clone() })?;
        let packed = store(&name, tensor, bits, &mut loss)?;
        debug_assert_eq!(packed.shape().dims(), shape);
        stored.push((name, packed));
    }
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(k, v)| (*k, v)).collect();
    let tensors: Vec<(&str, &QTensor)> = stored.iter().map(|(n, t)| (n.as_str(), t)).collect();
    let mut out = Cursor::new(Vec::new());
    gguf_file::write(&mut out, &metadata, &tensors)?;
    Ok((out.into_inner(), loss))
}

/// Chooses the storage of one tensor: blocks for matrices and word embeddings, f16 for the two small added tables, f32 for vectors.
fn store(name: &str, tensor: &Tensor, bits: Bits, loss: &mut QuantisationLoss) -> Result<QTensor, ModelError> {
    let columns = tensor.dims().last().copied().unwrap_or(0);
    if tensor.rank() < 2 {
        return Ok(QTensor::quantize(tensor, GgmlDType::F32)?);
    }
    let added = name.ends_with("position_embeddings.weight") || name.ends_with("token_type_embeddings.weight");
    if added || columns % q4::BLOCK != 0 {
        return Ok(QTensor::quantize(tensor, GgmlDType::F16)?);
    }
    let values = tensor.flatten_all()?.to_vec1::<f32>()?;
    let packed = match bits {
        Bits::Four => {
            let bytes = q4::encode(&values);
            QTensor::new(QStorage::from_data(bytes.into(), &Device::Cpu, GgmlDType::Q4_0)?, tensor.dims())?
        }
        Bits::Eight => QTensor::quantize(tensor, GgmlDType::Q8_0)?,
    };
    let back = packed.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
    for (a, b) in values.chunks_exact(q4::BLOCK).zip(back.chunks_exact(q4::BLOCK)) {
        loss.blocks += 1;
        loss.exact += usize::from(a == b);
    }
    Ok(packed)
}

/// Errors of the tensor library carry a backtrace below the first line.
fn first_line(e: &candle_core::Error) -> String {
    e.to_string().lines().next().unwrap_or_default().to_owned()
}
