//! Paths of a version's files: `$STATE/models/vNNNNNN`, a directory that never changes.

use std::path::{Path, PathBuf};

/// File of what tuning changed in the encoder, inside a version's directory.
pub const ADAPTER: &str = "adapter.safetensors";

/// Directory of a version.
#[must_use]
pub fn directory(state: &Path, version: &str) -> PathBuf {
    state.join("models").join(version)
}
