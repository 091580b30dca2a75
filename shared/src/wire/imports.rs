//! Imports of files: what can be asked, how it goes, and a report that adds up.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::problem::{Code, Problem};

/// How the bytes that follow are to be read. The file is the body of the request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// Name of the file, for the report and to tell format and compression.
    pub file: String,
    /// Preset; one of `preset` and `format` is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// `ndjson`: Mercer's own documents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// For `ndjson`: `items`, `users`, `interactions`, or `export` for lines that say themselves what they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Only tell what would happen.
    pub dry_run: bool,
}

/// What an import does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportPhase {
    /// Reads the whole file once, for rules that need it (most frequent title).
    Scanning,
    /// Writes.
    Writing,
    /// Done.
    Done,
}

/// How far an import is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ImportProgress {
    /// The file.
    pub file: String,
    /// What it does.
    pub phase: ImportPhase,
    /// Lines read in this phase.
    pub lines: u64,
    /// Bytes of the file read in this phase (compressed, if it is).
    pub bytes: u64,
    /// Bytes of the file.
    pub total_bytes: u64,
    /// Interactions kept so far.
    pub accepted: u64,
}

/// Lines that a rule left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RuleCount {
    /// Name of the rule in the preset.
    pub rule: String,
    /// Lines.
    pub count: u64,
    /// The first five.
    pub first_lines: Vec<u64>,
}

/// Lines that were refused for one reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReasonCount {
    /// Stable code.
    pub code: Code,
    /// The reason in words (the first such line's).
    pub reason: String,
    /// Lines.
    pub count: u64,
    /// The first five.
    pub first_lines: Vec<u64>,
}

/// What an import did. `lines = accepted + duplicates + sum(skipped) + sum(rejected)`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ImportReport {
    /// The file.
    pub file: String,
    /// How it was read, such as `preset online-retail, csv, gzip`.
    pub format: String,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Lines (records) read, without the header.
    pub lines: u64,
    /// Lines that are in the store now and were not before.
    pub accepted: u64,
    /// Lines that were there already.
    pub duplicates: u64,
    /// Lines left out by rule.
    pub skipped: Vec<RuleCount>,
    /// Lines refused.
    pub rejected: Vec<ReasonCount>,
    /// Items written or changed.
    pub items: u64,
    /// Users written or changed.
    pub users: u64,
    /// Shoppers for whom the file asks for a use of their data that they withdrew themselves. That stays off; the rest of their documents
    /// counts.
    #[serde(default)]
    pub consent_kept: u64,
    /// Interactions added, by type.
    pub interactions: std::collections::BTreeMap<String, u64>,
    /// Wall time in seconds.
    pub seconds: f64,
    /// What else is worth knowing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl ImportReport {
    /// Whether every line is accounted for.
    #[must_use]
    pub fn adds_up(&self) -> bool {
        let skipped: u64 = self.skipped.iter().map(|rule| rule.count).sum();
        let rejected: u64 = self.rejected.iter().map(|reason| reason.count).sum();
        self.lines == self.accepted + self.duplicates + skipped + rejected
    }
}

/// One line of the answer to an import: progress now and then, a report or a problem last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImportEvent {
    /// It moves.
    Progress(ImportProgress),
    /// It ended.
    Report(Box<ImportReport>),
    /// It broke; what was written before stays, and the report of that comes along.
    Failed {
        /// Why.
        problem: Problem,
        /// What was done until then.
        report: Box<ImportReport>,
    },
}

/// A preset that ships with Mercer or lies in the configured directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PresetInfo {
    /// Its name.
    pub name: String,
    /// What it reads.
    pub description: String,
    /// Columns it needs.
    pub columns: Vec<String>,
}
