//! What calls about reports take and give beside the documents of the wire.

use bytes::Bytes;
use serde::Serialize;

use crate::wire::{ExportFormat, ReportKind};

/// Which stored reports are listed.
#[derive(Debug, Clone, Default, Serialize)]
pub struct StoredReportsQuery {
    /// Of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<ReportKind>,
    /// Of this version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// From the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Entries of a page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// What is exported, and how.
#[derive(Debug, Clone, Serialize)]
pub struct ExportQuery {
    /// Format of the file.
    pub format: ExportFormat,
    /// Model version; the serving one if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// With the difference from this version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<String>,
    /// Exact counts.
    pub exact: bool,
}

/// An exported file.
#[derive(Debug, Clone)]
pub struct ExportedFile {
    /// Its bytes.
    pub bytes: Bytes,
    /// The signed statement that belongs beside it; none for JSON.
    pub statement: Option<String>,
}
