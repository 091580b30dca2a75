//! What can go wrong in the store, and which row of the error table it is.

use std::path::PathBuf;

use mercer_shared::problem::Code;

/// Why the store refused or failed. Cloneable, because one failed commit answers every line of its group.
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
    /// The store was made with another key: nothing in it could be found or read.
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
    /// No writes are taken; carries the reason that [`crate::Store::is_read_only`] gives.
    #[error("the store takes no writes: {0}")]
    ReadOnly(String),
    /// A record does not check or cannot be decoded.
    #[error("damaged record {key}: {reason}")]
    Corrupt {
        /// Which one: kind and key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The user was erased; nothing of this user is taken again.
    #[error("the user was erased")]
    Erased,
    /// A value that cannot be kept, such as NaN.
    #[error("{0}")]
    Invalid(String),
    /// The queue of the committer is full.
    #[error("the commit queue is full")]
    Overloaded,
    /// The store is being closed.
    #[error("the store is closed")]
    Closed,
    /// A page cursor that this store did not give out.
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
            Self::Overloaded => Code::Overloaded,
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
