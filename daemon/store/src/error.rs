//! Errors of the store, and the row of the error table that each belongs to.

use std::path::PathBuf;

use mercer_shared::problem::Code;

/// The result of every call of this crate that can fail.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Why the store refused or failed. `Clone`, because one failed commit answers every line of its group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another process holds the store.
    #[error("{} is in use by another process", .0.display())]
    Locked(PathBuf),
    /// A newer Mercer wrote the store.
    #[error("the store has schema {found}, this program reads up to {supported}")]
    NewerSchema {
        /// Schema of the store.
        found: u32,
        /// Newest schema this program reads.
        supported: u32,
    },
    /// The store was created with another key, so that nothing in it can be found or read.
    #[error("the key does not belong to this store")]
    WrongKey,
    /// The key file cannot be used.
    #[error("key {}: {reason}", path.display())]
    BadKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The directory cannot be used: missing, read-only, no directory, unreadable.
    #[error("{}: {reason}", path.display())]
    BadState {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The store refuses writes; carries the reason that [`crate::Store::is_read_only`] gives.
    #[error("the store takes no writes: {0}")]
    ReadOnly(String),
    /// A record does not check or cannot be decoded.
    #[error("damaged record {key}: {reason}")]
    Corrupt {
        /// Kind and key of the record.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The user was erased; the store takes nothing of this user any more.
    #[error("the user was erased")]
    Erased,
    /// A value that cannot be stored, such as NaN.
    #[error("{0}")]
    Invalid(String),
    /// The store is being closed.
    #[error("the store is closed")]
    Closed,
    /// A page cursor that is not of this store.
    #[error("the cursor is not one of ours")]
    BadCursor,
    /// Reading or writing failed.
    #[error("storage failed: {0}")]
    Storage(String),
}

impl StoreError {
    /// The row of the error table.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Locked(_) => Code::Locked,
            Self::NewerSchema { .. } => Code::NewerSchema,
            Self::WrongKey | Self::BadKey { .. } | Self::BadState { .. } => Code::BadState,
            Self::ReadOnly(_) => Code::ReadOnly,
            Self::Erased => Code::Erased,
            Self::Invalid(_) => Code::BadNumber,
            Self::Closed => Code::Unavailable,
            Self::BadCursor => Code::BadCursor,
            Self::Corrupt { .. } | Self::Storage(_) => Code::Internal,
        }
    }

    /// A damaged record, named by its raw key.
    pub(crate) fn corrupt(key: &[u8], reason: impl Into<String>) -> Self {
        Self::Corrupt { key: crate::layout::describe(key), reason: reason.into() }
    }
}

impl From<sled::Error> for StoreError {
    fn from(error: sled::Error) -> Self {
        Self::Storage(error.to_string())
    }
}
