//! The error type of this crate.

use std::path::PathBuf;

/// Errors of training. Each message names what the caller has to change.
#[derive(Debug, thiserror::Error)]
pub enum LearnError {
    /// The tensor library failed (out of memory, device lost, shapes that do not fit).
    #[error("tensor computation: {0}")]
    Tensor(#[from] candle_core::Error),
    /// A file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The checkpoint to tune lacks a tensor.
    #[error("tensor {name} is missing")]
    TensorMissing {
        /// Hugging Face name.
        name: String,
    },
    /// A tensor has another shape than the configuration or the adapter asks for.
    #[error("tensor {name} has shape {found:?}, expected {expected:?}")]
    TensorShape {
        /// Hugging Face name.
        name: String,
        /// Shape asked for.
        expected: Vec<usize>,
        /// Shape found.
        found: Vec<usize>,
    },
    /// An option lies outside its range, or options contradict each other.
    #[error("option {name}: {why}")]
    Option {
        /// Name of the field.
        name: &'static str,
        /// One sentence.
        why: String,
    },
    /// A text cannot be encoded: empty, too long, or with a token outside the vocabulary.
    #[error("text {id}: {why}")]
    Text {
        /// Number of the text in its table.
        id: u32,
        /// One sentence.
        why: String,
    },
    /// Loss, gradient or weight became NaN or infinite. The last checkpoint holds finite weights.
    #[error("step {step}: {what} is not finite; lower the learning rate")]
    NotFinite {
        /// Step, counted from 1.
        step: usize,
        /// Loss, gradient norm or the name of a tensor.
        what: String,
    },
    /// An adapter or checkpoint file is truncated, altered or of another format.
    #[error("{path}: {why}", path = path.display())]
    Broken {
        /// The file or directory.
        path: PathBuf,
        /// One sentence.
        why: String,
    },
    /// A checkpoint belongs to other data, options or base weights, so it cannot be resumed as the same run.
    #[error("{path}: the checkpoint was made with other {what}", path = path.display())]
    Foreign {
        /// The checkpoint.
        path: PathBuf,
        /// What differs.
        what: &'static str,
    },
    /// A private step could not be booked, or the system gave no randomness for it: it was not taken.
    #[error("private training: {why}")]
    Ledger {
        /// One sentence.
        why: String,
    },
}

impl LearnError {
    pub(crate) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, LearnError>;
