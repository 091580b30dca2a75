//! Exports of reports: rendered here, signed, and protected unless exact numbers are asked for.

mod budget;
mod noise;
mod numbers;
mod page;
mod plots;
mod protect;

#[cfg(test)]
mod tests;

use mercer_shared::problem::{Code, Problem};
use mercer_shared::signatures::file_hash;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{ExportFormat, ExportedReport, FileStatement, Report, ReportKind, ReportTrend};
use serde_json::Value;

use crate::reports::export::page::{Beside, page};
use crate::reports::export::protect::protect;
use crate::reports::stored::{self, Filter};
use crate::reports::{difference, report};
use crate::state::app::App;
use crate::state::problems::{Answer, internal};
use crate::state::signing::{Purpose, Signer};

/// Form of exported documents.
const FORM: u32 = 1;
/// Rows of which the page shows the trend.
const TRENDS: usize = 3;
/// Stored reports in a trend.
const POINTS: usize = 60;

/// Which export is asked for.
#[derive(Debug, Clone)]
pub struct ExportRequest {
    /// Which report.
    pub kind: ReportKind,
    /// Of this version; the serving one if absent.
    pub model: Option<String>,
    /// With the difference from this version.
    pub against: Option<String>,
    /// In this format.
    pub format: ExportFormat,
    /// Without noise and thresholds.
    pub exact: bool,
}

/// An exported file.
#[derive(Debug, Clone)]
pub struct Export {
    /// The file.
    pub bytes: Vec<u8>,
    /// The signed statement that belongs beside it (`FILE.sig`); none for JSON, which holds its signature.
    pub statement: Option<Vec<u8>>,
    /// The stored report that it was made from.
    pub id: String,
    /// Epsilon that it cost.
    pub epsilon: Option<f64>,
}

/// The report with every control character in its texts replaced: names of sellers and groups come from the shop, and a page or a table is
/// read by programs that obey them.
fn printable(report: Report) -> Answer<Report> {
    fn clean(value: &mut Value) {
        match value {
            Value::String(text) => {
                if text.chars().any(char::is_control) {
                    *text =
                        text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect();
                }
            }
            Value::Array(values) => values.iter_mut().for_each(clean),
            Value::Object(members) => members.values_mut().for_each(clean),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut value = serde_json::to_value(report).map_err(|error| internal(&error))?;
    clean(&mut value);
    serde_json::from_value(value).map_err(|error| internal(&error))
}

/// Computes a report, protects it, renders it and signs it.
///
/// # Errors
/// As [`report::compute_for`], and those of the difference; `export-budget-spent` without `exact`; `bad-parameter` for a report of exact
/// counts without it.
pub fn export(app: &App, request: &ExportRequest) -> Answer<Export> {
    if !request.exact && matches!(request.kind, ReportKind::Privacy | ReportKind::Data) {
        let detail = format!(
            "the {} report is made of exact counts and shares: export it with exact=true",
            request.kind.as_str()
        );
        return Err(Problem::new(Code::BadParameter, detail));
    }
    let computed = report::compute_for(app, request.kind, request.model.as_deref())?;
    let stored = stored::of(&app.store, &computed.report)?;
    let difference = match &request.against {
        Some(against) => Some(difference::of(app, &computed, against)?),
        None => None,
    };
    let computed = report::Computed { report: printable(computed.report)?, ..computed };
    let reports = &app.config.reports;
    let (report, difference, privacy) = if request.exact {
        (computed.report, difference, protect::exact())
    } else {
        let spent =
            budget::spend(&app.store, reports.export_epsilon, reports.export_budget, Timestamp::now().millis())?;
        let protected = protect(computed.report, difference, &computed.groups, &|counts, cells| {
            noise::noised(counts, cells, reports.export_epsilon)
        })?;
        let mut privacy = protected.privacy;
        (privacy.spent_today, privacy.daily_budget) = (Some(spent.spent), Some(reports.export_budget));
        (protected.report, protected.difference, privacy)
    };
    let epsilon = privacy.epsilon;
    let document = ExportedReport {
        form: FORM,
        id: stored.id,
        hashes: stored.hashes.unwrap_or_default(),
        privacy,
        report,
        difference,
        code_version: crate::code_version(),
    };
    let signer = Signer::new(&app.store, Purpose::Report);
    let (bytes, statement) = match request.format {
        ExportFormat::Json => (signer.sign_document(&document)?, None),
        ExportFormat::Csv => with_statement(&signer, &document, request.format, numbers::csv(&document))?,
        ExportFormat::Parquet => with_statement(&signer, &document, request.format, numbers::parquet(&document)?)?,
        ExportFormat::Html => {
            let trends = trends(app, &document);
            let beside = Beside { trends: &trends, public_key: &signer.public_key() };
            with_statement(&signer, &document, request.format, page(&document, &beside).into_bytes())?
        }
    };
    Ok(Export { bytes, statement, id: document.id, epsilon })
}

/// A file with the signed statement that belongs beside it.
fn with_statement(
    signer: &Signer,
    document: &ExportedReport,
    format: ExportFormat,
    bytes: Vec<u8>,
) -> Answer<(Vec<u8>, Option<Vec<u8>>)> {
    let statement = FileStatement {
        form: FORM,
        format,
        bytes: bytes.len() as u64,
        blake3: file_hash(&bytes),
        id: document.id.clone(),
        kind: document.report.kind,
        model: document.report.model.clone(),
        hashes: document.hashes.clone(),
    };
    let statement = signer.sign_document(&statement)?;
    Ok((bytes, Some(statement)))
}

/// Trends of the first rows; a row that is new has none.
fn trends(app: &App, document: &ExportedReport) -> Vec<ReportTrend> {
    let filter = Filter { kind: Some(document.report.kind), model: None };
    let rows = document.report.rows.iter().take(TRENDS);
    rows.filter_map(|row| stored::trend(&app.store, &row.name, &filter, POINTS).ok()).collect()
}

/// The format that a request names.
///
/// # Errors
/// `bad-parameter`.
pub fn format(word: Option<&str>) -> Answer<ExportFormat> {
    let word = word.unwrap_or("json");
    word.parse().map_err(|error: String| Problem::new(Code::BadParameter, format!("format: {error}")))
}
