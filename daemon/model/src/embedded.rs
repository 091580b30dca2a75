//! The encoder that the program carries, so that nothing needs a download. `data/encoder/README.md` says where it comes from and what it keeps.

use std::path::Path;

use crate::checkpoint::Checkpoint;
use crate::error::ModelError;

/// The packed file as it stands in `data/encoder`.
pub const BYTES: &[u8] = include_bytes!("../../../data/encoder/multilingual-e5-small-latin-han.q4.gguf");

/// Reads the embedded encoder.
///
/// # Errors
/// None but a damaged program: those of [`crate::packed::read`].
pub fn load() -> Result<Checkpoint, ModelError> {
    crate::packed::read(BYTES, Path::new("embedded encoder"))
}
