//! Where the files of a version lie: `$STATE/models/vNNNNNN`, a directory that never changes.

use std::path::{Path, PathBuf};

/// File of what tuning changed in the encoder, inside a version's directory.
pub const ADAPTER: &str = "adapter.safetensors";
/// File of the learned ranker.
pub const RANKER: &str = "ranker.json";
/// File of fitted blend weights.
pub const BLEND: &str = "blend.json";
/// File of the ranker that the gate judged: trained on nothing later than the gate's cut-off.
pub const JUDGED: &str = "judged.json";
/// Files of the behaviour network beside the ranker: its weights, and the ids of its items in the order of its numbers.
pub const NETWORK: (&str, &str) = ("network.safetensors", "network-items.json");
/// The same of the ranker that the gate judged.
pub const JUDGED_NETWORK: (&str, &str) = ("judged-network.safetensors", "judged-network-items.json");
/// File of the calibration of the ranker's probabilities.
pub const PROBABILITIES: &str = "probabilities.json";
/// File of how the encoder's vectors are whitened.
pub const WHITENING: &str = "whitening.json";

/// Directory of a version.
#[must_use]
pub fn directory(state: &Path, version: &str) -> PathBuf {
    state.join("models").join(version)
}
