//! Reads the logs of shops: files in, typed documents out, and an account of every line. No store, runtime or HTTP: the caller
//! brings a [`Sink`] that writes.

mod account;
pub mod document;
pub mod inbox;
mod mapping;
pub mod packed;
pub mod preset;
mod records;
mod run;
mod sink;
mod source;
mod table;
pub mod validate;

pub use account::Outcome;
pub use document::parse_line;
pub use preset::Preset;
pub use records::{BodyDocument, split_body};
pub use run::{ImportFailure, Kind, Plan, run};
pub use sink::{DryRun, Sink};
pub use table::{Column, table_bytes, write_table};
pub use validate::{Document, Refusal, validate_interaction, validate_item, validate_user};
