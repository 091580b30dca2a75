//! The error type of this crate.

use std::path::PathBuf;
use std::time::Duration;

/// Errors of this crate. Each names the file or tensor concerned, so that an operator can act on the line alone.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file that every encoder needs is missing.
    #[error("{path}: not found; an encoder directory holds config.json, model.safetensors and tokenizer.json", path = path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Pickle files can run code when read; only safetensors are accepted.
    #[error("{path}: pickle files (.bin, .pt, .ckpt) can run code when read and are refused; convert the weights to model.safetensors", path = path.display())]
    Pickle {
        /// The file.
        path: PathBuf,
    },
    /// A configuration file is broken or describes an unsupported encoder.
    #[error("{path}: {why}", path = path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// One sentence.
        why: String,
    },
    /// A weights file is truncated or malformed.
    #[error("{path}: broken weights file: {why}", path = path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// One sentence.
        why: String,
    },
    /// A tensor that the configuration asks for is not in the file.
    #[error("tensor {name} is missing")]
    TensorMissing {
        /// Hugging Face name.
        name: String,
    },
    /// A tensor has another shape than the configuration asks for.
    #[error("tensor {name} has shape {found:?}, the configuration asks for {expected:?}")]
    TensorShape {
        /// Hugging Face name.
        name: String,
        /// Shape by the configuration.
        expected: Vec<usize>,
        /// Shape in the file.
        found: Vec<usize>,
    },
    /// A tensor holds NaN or infinity.
    #[error("tensor {name} holds a value that is not finite")]
    TensorNotFinite {
        /// Hugging Face name.
        name: String,
    },
    /// The tokenizer file is broken or does not fit the vocabulary.
    #[error("tokenizer: {0}")]
    Tokenizer(String),
    /// The checksum of a file is not the expected one.
    #[error("{path}: sha256 is {found}, expected {expected}", path = path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// Expected lower-case hexadecimal digest.
        expected: String,
        /// Digest of the bytes.
        found: String,
    },
    /// The packed file cannot be brought below the limit, or the checkpoint cannot be packed.
    #[error("pack: {0}")]
    Pack(String),
    /// A hub could not be reached or answered with an error.
    #[error("{url}: {why}")]
    Download {
        /// Address asked.
        url: String,
        /// One sentence.
        why: String,
    },
    /// The tensor library failed.
    #[error("tensor computation: {0}")]
    Tensor(#[from] candle_core::Error),
    /// The queue of the model thread is full; ask again later.
    #[error("the model is overloaded, try again in {} ms", retry_after.as_millis())]
    Overloaded {
        /// Expected time until the queue has been processed.
        retry_after: Duration,
    },
    /// The model thread has ended.
    #[error("the model thread has ended")]
    Stopped,
}
