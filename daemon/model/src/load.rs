//! Loads a checkpoint from a directory or a packed file.

use std::path::Path;

use crate::checkpoint::Checkpoint;
use crate::error::ModelError;
use crate::{hf, packed};

impl Checkpoint {
    /// Reads an encoder from a Hugging Face directory or from a packed `.gguf` file.
    ///
    /// # Errors
    /// As [`hf::load`] and [`packed::read_file`].
    pub fn load(path: &Path) -> Result<Self, ModelError> {
        if path.is_dir() { hf::load(path) } else { packed::read_file(path) }
    }
}
