//! Reports: computed, stored, compared, exported.

use serde::Serialize;

use super::Client;
use super::calls::{Answer, segment, with_query};
use super::report_queries::{ExportQuery, ExportedFile, StoredReportsQuery};
use crate::wire::{
    KeyQuery, Language, Page, PublicKey, RankingParameters, Report, ReportAnswer, ReportKind, ReportSummary,
    ReportTrend, STATEMENT_HEADER, SignedKind, StoredReport,
};

#[derive(Serialize)]
struct Versions<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<&'a str>,
}

/// Every method fails with the daemon's problem document, or with `not-running`.
#[allow(clippy::missing_errors_doc, reason = "said once, above")]
impl Client {
    /// `GET /v1/reports/{kind}` of the serving model, or of the one named.
    pub async fn report(&self, kind: ReportKind, model: Option<&str>) -> Answer<Report> {
        let query = Versions { model, against: None };
        self.get(&with_query(&format!("/v1/reports/{}", kind.as_str()), &query)?).await
    }

    /// The same with the difference from another version.
    pub async fn report_against(&self, kind: ReportKind, model: Option<&str>, against: &str) -> Answer<ReportAnswer> {
        let query = Versions { model, against: Some(against) };
        self.get(&with_query(&format!("/v1/reports/{}", kind.as_str()), &query)?).await
    }

    /// `GET /v1/reports`: stored reports, newest first.
    pub async fn stored_reports(&self, query: &StoredReportsQuery) -> Answer<Page<ReportSummary>> {
        self.get(&with_query("/v1/reports", query)?).await
    }

    /// `GET /v1/reports/stored/{id}`.
    pub async fn stored_report(&self, id: &str) -> Answer<StoredReport> {
        self.get(&format!("/v1/reports/stored/{}", segment(id))).await
    }

    /// `GET /v1/reports/{kind}/trend`: one row over the stored reports.
    pub async fn report_trend(&self, kind: ReportKind, row: &str, model: Option<&str>) -> Answer<ReportTrend> {
        #[derive(Serialize)]
        struct Row<'a> {
            row: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            model: Option<&'a str>,
        }
        self.get(&with_query(&format!("/v1/reports/{}/trend", kind.as_str()), &Row { row, model })?).await
    }

    /// `GET /v1/reports/{kind}/export`.
    pub async fn export_report(&self, kind: ReportKind, query: &ExportQuery) -> Answer<ExportedFile> {
        let path = with_query(&format!("/v1/reports/{}/export", kind.as_str()), query)?;
        let (bytes, statement) = self.get_file(&path, STATEMENT_HEADER).await?;
        Ok(ExportedFile { bytes, statement })
    }

    /// `GET /v1/reports/key`: the public key by which exported reports or receipts of erasures are checked.
    pub async fn report_key(&self, of: SignedKind) -> Answer<PublicKey> {
        self.get(&with_query("/v1/reports/key", &KeyQuery { of })?).await
    }

    /// `GET /v1/reports/parameters`: the main ranking parameters in words.
    pub async fn ranking_parameters(&self, language: Language) -> Answer<RankingParameters> {
        #[derive(Serialize)]
        struct In {
            language: Language,
        }
        self.get(&with_query("/v1/reports/parameters", &In { language })?).await
    }
}
