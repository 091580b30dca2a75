//! The fields of a document.

/// Fields of a document, in the order of every per-field array.
pub const FIELDS: usize = 5;
