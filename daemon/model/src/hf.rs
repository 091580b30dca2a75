//! Encoders in Hugging Face layout: `config.json`, `model.safetensors`, `tokenizer.json` and the optional files of sentence-transformers.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

use crate::checkpoint::{Checkpoint, Origin};
use crate::config::BertConfig;
use crate::error::ModelError;
use crate::rules::{Overrides, TextRules, read_json};

/// Files that every encoder directory holds.
pub const REQUIRED: [&str; 3] = ["config.json", "model.safetensors", "tokenizer.json"];
/// Files with text rules; each may be missing.
pub const OPTIONAL: [&str; 7] = [
    "mercer.json",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "tokenizer_config.json",
    "1_Pooling/config.json",
    "README.md",
];
/// Extensions of weights files that can run code when read.
const PICKLES: [&str; 5] = ["bin", "pt", "pth", "ckpt", "pkl"];
/// Prefixes of tensor names in checkpoints that were saved with a task head.
const PREFIXES: [&str; 3] = ["bert.", "roberta.", "model."];

/// Reads and checks an encoder directory.
///
/// # Errors
/// [`ModelError::Missing`] (or [`ModelError::Pickle`] when there are only pickled weights), [`ModelError::Config`],
/// [`ModelError::Weights`] for truncated or malformed safetensors, and the tensor and tokenizer errors of [`Checkpoint::assemble`].
pub fn load(dir: &Path) -> Result<Checkpoint, ModelError> {
    let config_path = dir.join("config.json");
    let config = BertConfig::from_json(&read_text(&config_path)?, &config_path)?;
    let overrides = match read_json(&dir.join("mercer.json"))? {
        Some(v) => serde_json::from_value(v)
            .map_err(|e| ModelError::Config { path: dir.join("mercer.json"), why: e.to_string() })?,
        None => Overrides::default(),
    };
    let rules = TextRules::from_dir(dir, &config, &overrides)?;
    let tokenizer = read_text(&dir.join("tokenizer.json"))?;
    let weights_path = dir.join("model.safetensors");
    if !weights_path.exists()
        && let Some(pickle) = first_pickle(dir)
    {
        return Err(ModelError::Pickle { path: pickle });
    }
    let bytes = read_bytes(&weights_path)?;
    let tensors = tensors_from_safetensors(&bytes, &weights_path)?;
    let origin = Origin {
        name: overrides.name.unwrap_or_else(|| name_of(dir)),
        licence: overrides.licence.unwrap_or_default(),
        source: overrides.source.unwrap_or_default(),
        sha256: sha256_hex(&bytes),
    };
    drop(bytes);
    Checkpoint::assemble(config, tensors, tokenizer, rules, origin)
}

/// Writes a checkpoint as a Hugging Face directory (f32) with a `mercer.json` that fixes rules, name and licence. Reading it back gives the same
/// version.
///
/// # Errors
/// [`ModelError::Io`] and [`ModelError::Tensor`].
pub fn save(checkpoint: &Checkpoint, dir: &Path) -> Result<(), ModelError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| ModelError::Io { path, source }
    };
    std::fs::create_dir_all(dir).map_err(io(dir))?;
    let id = &checkpoint.identity;
    let pinned = Overrides::pinning(&checkpoint.rules, &id.name, &id.licence, &id.source);
    let json = |e: serde_json::Error| ModelError::Config { path: dir.to_owned(), why: e.to_string() };
    let texts = [
        ("config.json", serde_json::to_string_pretty(&checkpoint.config).map_err(json)?),
        ("mercer.json", serde_json::to_string_pretty(&pinned).map_err(json)?),
        ("tokenizer.json", checkpoint.tokenizer_json.to_string()),
    ];
    for (name, text) in texts {
        let path = dir.join(name);
        std::fs::write(&path, text).map_err(io(&path))?;
    }
    candle_core::safetensors::save(&checkpoint.tensors, dir.join("model.safetensors"))?;
    Ok(())
}

fn tensors_from_safetensors(bytes: &[u8], path: &Path) -> Result<HashMap<String, Tensor>, ModelError> {
    let fail = |why: String| ModelError::Weights { path: path.to_owned(), why };
    let file = SafeTensors::deserialize(bytes).map_err(|e| fail(e.to_string()))?;
    let mut all = HashMap::new();
    for (name, view) in file.iter() {
        let dtype = match view.dtype() {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            Dtype::F64 => DType::F64,
            // `embeddings.position_ids`, a buffer of whole numbers in older checkpoints.
            Dtype::I64 | Dtype::I32 => continue,
            other => {
                return Err(fail(format!("tensor {name} has type {other:?}; only floating point weights are read")));
            }
        };
        let tensor = Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu)?.to_dtype(DType::F32)?;
        let short = PREFIXES.iter().find_map(|p| name.strip_prefix(p)).unwrap_or(name);
        all.insert(short.to_owned(), tensor);
    }
    Ok(all)
}

/// Name of an encoder from its path: `org/name` for a hub cache (`models--org--name`), else the last component.
fn name_of(dir: &Path) -> String {
    let parts: Vec<String> = dir.components().map(|c| c.as_os_str().to_string_lossy().into_owned()).collect();
    let hub = parts.iter().rev().find_map(|p| p.strip_prefix("models--")).map(|p| p.replace("--", "/"));
    hub.or_else(|| parts.last().cloned()).unwrap_or_else(|| "encoder".to_owned())
}

pub(crate) fn first_pickle(dir: &Path) -> Option<std::path::PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .ok()?
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| {
            p.extension().and_then(|e| e.to_str()).is_some_and(|e| PICKLES.contains(&e.to_ascii_lowercase().as_str()))
        })
        .collect();
    found.sort();
    found.into_iter().next()
}

fn read_text(path: &Path) -> Result<String, ModelError> {
    String::from_utf8(read_bytes(path)?)
        .map_err(|_| ModelError::Config { path: path.to_owned(), why: "not UTF-8".to_owned() })
}

pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, ModelError> {
    std::fs::read(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => ModelError::Missing { path: path.to_owned() },
        _ => ModelError::Io { path: path.to_owned(), source },
    })
}

/// Lower-case hexadecimal SHA-256.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
