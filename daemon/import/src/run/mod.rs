//! An import from its file to its report.

mod import;
mod job;
mod ndjson;
mod plan;
mod preset;

pub use import::{ImportFailure, run};
pub use plan::{Kind, Plan};
