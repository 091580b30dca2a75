//! The write path: single documents, batches and imports.

pub mod import;
pub mod write;
