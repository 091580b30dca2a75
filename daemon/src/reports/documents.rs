//! What the routes of reports ask for: a report with its difference, stored reports, trends, the public key, the main parameters.

use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{
    Language, Page, PublicKey, RankingParameters, ReportAnswer, ReportKind, ReportSummary, ReportTrend, SignedKind,
    StoredReport,
};

use crate::reports::report::compute_for;
use crate::reports::stored::{self, Filter};
use crate::reports::{difference, parameters};
use crate::state::app::App;
use crate::state::problems::Answer;
use crate::state::signing::{Purpose, Signer};

/// Entries where the request names no number.
const PAGE: u32 = 100;
/// Most entries.
const MOST: u32 = 1_000;

/// Which stored reports are asked for.
#[derive(Debug, Clone, Default)]
pub struct StoredQuery {
    /// Of this kind.
    pub kind: Option<ReportKind>,
    /// Of this version.
    pub model: Option<String>,
    /// From the page before.
    pub cursor: Option<String>,
    /// Entries of a page.
    pub limit: Option<u32>,
}

impl StoredQuery {
    fn filter(&self) -> Filter {
        Filter { kind: self.kind, model: self.model.clone() }
    }

    fn limit(&self) -> Answer<usize> {
        match self.limit.unwrap_or(PAGE) {
            limit @ 1..=MOST => Ok(limit as usize),
            limit => Err(Problem::new(Code::BadParameter, format!("limit is {limit}, it takes 1 to {MOST}"))),
        }
    }
}

/// A report, and its difference from another version if one is named.
///
/// # Errors
/// `not-found` for an unknown version, `different-windows`, `unavailable` while the daemon warms up.
pub fn answer(app: &App, kind: ReportKind, model: Option<&str>, against: Option<&str>) -> Answer<ReportAnswer> {
    let computed = compute_for(app, kind, model)?;
    let difference = against.map(|against| difference::of(app, &computed, against)).transpose()?;
    Ok(ReportAnswer { report: computed.report, difference })
}

/// A report of the serving version as it was stored.
///
/// # Errors
/// As [`answer`].
pub fn stored_answer(app: &App, kind: ReportKind) -> Answer<StoredReport> {
    stored::of(&app.store, &compute_for(app, kind, None)?.report)
}

/// Stored reports in short, newest first.
///
/// # Errors
/// `bad-parameter` for a limit out of range, `bad-cursor`.
pub fn list(app: &App, query: &StoredQuery) -> Answer<Page<ReportSummary>> {
    stored::list(&app.store, &query.filter(), query.cursor.as_deref(), query.limit()?)
}

/// A stored report.
///
/// # Errors
/// `not-found`.
pub fn show(app: &App, id: &str) -> Answer<StoredReport> {
    stored::show(&app.store, id)
}

/// One row over the stored reports.
///
/// # Errors
/// `not-found` where no stored report has it, `bad-parameter` for a limit out of range.
pub fn trend(app: &App, row: &str, query: &StoredQuery) -> Answer<ReportTrend> {
    stored::trend(&app.store, row, &query.filter(), query.limit()?)
}

/// The public key of exported reports or of receipts.
#[must_use]
pub fn key(app: &App, of: SignedKind) -> PublicKey {
    let purpose = match of {
        SignedKind::Report => Purpose::Report,
        SignedKind::Receipt => Purpose::Receipt,
    };
    Signer::new(&app.store, purpose).public_document()
}

/// The main ranking parameters in words.
///
/// # Errors
/// `bad-parameter` for an unknown language, `unavailable` while the daemon warms up.
pub fn parameters(app: &App, language: Option<&str>) -> Answer<RankingParameters> {
    let language: Language = language
        .map_or(Ok(Language::En), str::parse)
        .map_err(|error: String| Problem::new(Code::BadParameter, format!("language: {error}")))?;
    parameters::parameters(app, language)
}
