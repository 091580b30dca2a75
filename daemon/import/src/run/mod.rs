//! Runs imports, from the file to the report.

mod import;
mod job;
mod ndjson;
mod plan;
mod preset;

pub use import::{ImportFailure, run};
pub use plan::{Kind, Plan};
