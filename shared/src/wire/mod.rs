//! The documents that travel over the socket. Field names here are the contract; OpenAPI is made from these types.

mod audit;
mod consent;
mod decisions;
mod encoders;
mod erasure;
mod evaluations;
mod events;
mod experiments;
mod explanations;
mod guardrails;
mod imports;
mod interactions;
mod interests;
mod items;
mod lists;
mod membership;
mod mitigations;
mod models;
mod pairs;
mod placements;
mod profiles;
mod records;
mod replays;
mod report_documents;
mod report_tables;
mod reports;
mod runs;
mod signatures;
mod status;
mod user_export;
mod users;
mod verdicts;

pub use audit::*;
pub use consent::*;
pub use decisions::*;
pub use encoders::*;
pub use erasure::*;
pub use evaluations::*;
pub use events::*;
pub use experiments::*;
pub use explanations::*;
pub use guardrails::*;
pub use imports::*;
pub use interactions::*;
pub use interests::*;
pub use items::*;
pub use lists::*;
pub use membership::*;
pub use mitigations::*;
pub use models::*;
pub use pairs::*;
pub use placements::*;
pub use profiles::*;
pub use records::*;
pub use replays::*;
pub use report_documents::*;
pub use report_tables::*;
pub use reports::*;
pub use runs::*;
pub use signatures::*;
pub use status::*;
pub use user_export::*;
pub use users::*;
pub use verdicts::*;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One page of a collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// This page, in the collection's order.
    pub items: Vec<T>,
    /// Give it as `cursor` to get the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// One line of the answer to an NDJSON batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LineResult {
    /// Line number in the batch, from 1.
    pub line: u64,
    /// What became of it.
    pub status: LineStatus,
    /// Why it was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<crate::problem::Code>,
    /// What was wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What became of one line of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LineStatus {
    /// Durable in the store.
    Accepted,
    /// Known already; nothing changed.
    Duplicate,
    /// Refused; nothing of it was kept.
    Rejected,
}

/// The last line of the answer to a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BatchSummary {
    /// Lines that are durable now.
    pub accepted: u64,
    /// Lines that were known already.
    pub duplicates: u64,
    /// Lines that were refused.
    pub rejected: u64,
}

/// The answer to an NDJSON batch: [`LineResult`]s, then one summary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum BatchLine {
    /// The last line.
    Summary {
        /// Counts over the whole batch.
        summary: BatchSummary,
    },
    /// One line of the batch.
    Line(LineResult),
}

/// One line of an export, and of an import in Mercer's own form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportLine {
    /// An item.
    Item(Item),
    /// The tombstone of a deleted item: an import deletes the item, and interactions with it stay importable.
    DeletedItem(DeletedItem),
    /// A user.
    User(User),
    /// An interaction.
    Interaction(Interaction),
}
