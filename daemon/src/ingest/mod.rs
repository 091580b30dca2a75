//! The write path: single documents, batches and imports.

pub mod audited;
pub mod compact;
pub mod consent;
pub mod erase;
#[cfg(test)]
mod erase_tests;
pub mod import;
mod import_sink;
pub mod interests;
mod lines;
pub(crate) mod redact;
pub mod retention;
pub mod users;
pub mod write;
