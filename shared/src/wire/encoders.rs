//! Encoders that are installed.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks for an encoder to be checked and installed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddEncoder {
    /// An absolute directory on the daemon's machine, or a hub repository `owner/name`.
    pub source: String,
    /// Whether new model versions shall be built on it.
    #[serde(default)]
    pub activate: bool,
}

/// An installed encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EncoderInfo {
    /// Its name.
    pub name: String,
    /// SHA-256 of its weights.
    pub sha256: String,
    /// Components of a vector.
    pub dim: u32,
    /// Transformer layers.
    pub layers: u32,
    /// Pieces of its vocabulary.
    pub vocabulary: u32,
    /// Bytes on disk.
    pub bytes: u64,
    /// Whether new model versions are built on it.
    pub active: bool,
    /// Whether it came with the program.
    pub embedded: bool,
}
