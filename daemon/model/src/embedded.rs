//! The encoder embedded in the program, so that no download is needed. `data/encoder/README.md` documents its source and vocabulary.

use std::path::Path;

use crate::checkpoint::Checkpoint;
use crate::error::ModelError;

/// The packed file of `data/encoder`. A static: a constant would be copied into the metadata of the crate and into every unit that reads it.
pub static BYTES: &[u8] = include_bytes!("../../../data/encoder/multilingual-e5-small-latin-han.q4.gguf");

/// Reads the embedded encoder.
///
/// # Errors
/// Those of [`crate::packed::read`], only if the program file is damaged.
pub fn load() -> Result<Checkpoint, ModelError> {
    crate::packed::read(BYTES, Path::new("embedded encoder"))
}
