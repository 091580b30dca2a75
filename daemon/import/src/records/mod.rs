//! Records of files: separated text, JSON, Parquet.

mod delimited;
mod documents;
mod fields;
mod header;
mod json;
mod opened;
mod parquet;
mod parquet_text;
mod quotes;
mod reader;
mod record;
mod sniff;

pub(crate) use delimited::PhysicalLines;
pub use documents::{BodyDocument, split_body};
pub(crate) use documents::{Document, Documents, Layout};
pub(crate) use fields::Fields;
pub(crate) use reader::Records;
pub(crate) use record::{RecordPlace, Step};
