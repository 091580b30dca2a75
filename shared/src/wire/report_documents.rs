//! Reports as documents: stored ones, trends, differences of two versions, exports, and the main parameters of ranking.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Report, ReportKind};
use crate::time::Timestamp;

/// Hashes of what a report was computed from, BLAKE3 in hexadecimal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportHashes {
    /// Of the data: interactions, consent, attributes and items, by pseudonyms. Two reports with the same one were computed from the same data.
    pub data: String,
    /// Of the model version: its document without its state, and every file of its directory.
    pub version: String,
}

/// A stored report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StoredReport {
    /// `p000042`.
    pub id: String,
    /// Form of the document; 2. Sizes and means of groups in older forms are rounded when they are read.
    pub form: u32,
    /// Hashes; absent for reports that were stored by an older program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hashes: Option<ReportHashes>,
    /// Shoppers who were erased after it was made; its numbers may count them.
    #[serde(default, skip_serializing_if = "is_none_erased")]
    pub erased_since: u64,
    /// The report.
    pub report: Report,
}

/// Whether nobody was erased since.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_none_erased(erased: &u64) -> bool {
    *erased == 0
}

impl StoredReport {
    /// The entry of a listing.
    #[must_use]
    pub fn summary(&self) -> ReportSummary {
        ReportSummary {
            id: self.id.clone(),
            kind: self.report.kind,
            model: self.report.model.clone(),
            created: self.report.created,
            from: self.report.from,
            to: self.report.to,
            users: self.report.users,
            hashes: self.hashes.clone(),
            erased_since: self.erased_since,
        }
    }
}

/// A stored report in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportSummary {
    /// `p000042`.
    pub id: String,
    /// Which report.
    pub kind: ReportKind,
    /// Of which version.
    pub model: String,
    /// When it was computed.
    pub created: Timestamp,
    /// Start of its window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// End of its window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Users evaluated.
    pub users: u64,
    /// Hashes of its data and version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hashes: Option<ReportHashes>,
    /// Shoppers who were erased after it was made; its numbers may count them.
    #[serde(default, skip_serializing_if = "is_none_erased")]
    pub erased_since: u64,
}

/// One number over the stored reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportTrend {
    /// Which report.
    pub kind: ReportKind,
    /// Name of the row.
    pub row: String,
    /// Oldest first. Reports of different windows and versions stand side by side: only a difference of two versions on one window is a
    /// comparison.
    pub points: Vec<TrendPoint>,
}

/// The number in one stored report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrendPoint {
    /// The stored report.
    pub id: String,
    /// Of which version.
    pub model: String,
    /// When it was computed.
    pub created: Timestamp,
    /// Value; absent where undefined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Lower end of the 95 % interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end of the 95 % interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

/// What a difference says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceWord {
    /// The interval lies above 0.
    Higher,
    /// The interval lies below 0.
    Lower,
    /// Both versions have the same value for every user.
    Same,
    /// The interval holds 0: a difference below the smallest detectable one cannot be measured with these users.
    NotMeasurable,
    /// There are no values per user, so there is no interval.
    NoInterval,
}

/// The same number of two versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DifferenceRow {
    /// Name of the row.
    pub name: String,
    /// For people.
    pub label: String,
    /// Value of `model`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Value of `against`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<f64>,
    /// `model` less `against`; mean of the paired differences where there are values per user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<f64>,
    /// Lower end of the 95 % interval of the difference: Poisson bootstrap over users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// Two-sided p by sign flips.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// Smallest difference that these users would show (two-sided 5 %, power 80 %).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_detectable: Option<f64>,
    /// Users with a value in both.
    pub n: u64,
    /// The word.
    pub verdict: DifferenceWord,
    /// Why there is no difference or no interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undefined: Option<String>,
}

/// A report of one version less that of another, on the same window and users.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportDifference {
    /// The version that the rows subtract.
    pub against: String,
    /// Rows, in the order of the report.
    pub rows: Vec<DifferenceRow>,
    /// What limits the report on `against`, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The answer to a question for a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportAnswer {
    /// The report.
    #[serde(flatten)]
    pub report: Report,
    /// Its difference from another version, where one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<ReportDifference>,
}

/// Form of an exported report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// The whole report, with its signature.
    Json,
    /// One line for each number.
    Csv,
    /// One row for each number.
    Parquet,
    /// One page without external parts, with plots.
    Html,
}

impl ExportFormat {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Json, Self::Csv, Self::Parquet, Self::Html];

    /// The word on the wire, and the ending of a file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Html => "html",
        }
    }

    /// Media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Html => "text/html; charset=utf-8",
        }
    }
}

impl std::str::FromStr for ExportFormat {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == word)
            .ok_or_else(|| format!("`{word}` is none of json, csv, parquet, html"))
    }
}

/// What was done to an exported report so that it tells less about single users.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExportPrivacy {
    /// Whether the numbers are exact; nothing below applies then.
    pub exact: bool,
    /// Epsilon of the counts of this export together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epsilon: Option<f64>,
    /// What one unit of the guarantee is: `user`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Counts that one user can be part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cells_per_user: Option<u64>,
    /// The mechanism: `discrete Laplace`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mechanism: Option<String>,
    /// Scale of the noise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// Groups with a smaller noised count are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<u64>,
    /// Groups that were left out for it.
    #[serde(default)]
    pub suppressed: u64,
    /// Epsilon that this installation spent on exports of this day, this one included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent_today: Option<f64>,
    /// Epsilon that may be spent in a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daily_budget: Option<f64>,
    /// What was noised and what was not, in words.
    pub notes: Vec<String>,
}

/// An exported report as JSON. The member `signature` is added when it is signed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExportedReport {
    /// Form of the document; 1.
    pub form: u32,
    /// The stored report that it was made from.
    pub id: String,
    /// Hashes of its data and version.
    pub hashes: ReportHashes,
    /// What was done to the numbers.
    pub privacy: ExportPrivacy,
    /// The report.
    pub report: Report,
    /// The difference from another version, where one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<ReportDifference>,
    /// Version of the program.
    pub code_version: String,
}

/// The file beside an exported CSV, Parquet or HTML file (`FILE.sig`). The member `signature` is added when it is signed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FileStatement {
    /// Form of the document; 1.
    pub form: u32,
    /// Format of the file.
    pub format: ExportFormat,
    /// Bytes of the file.
    pub bytes: u64,
    /// BLAKE3 of the file, in hexadecimal.
    pub blake3: String,
    /// The stored report that it was made from.
    pub id: String,
    /// Which report.
    pub kind: ReportKind,
    /// Of which version.
    pub model: String,
    /// Hashes of its data and version.
    pub hashes: ReportHashes,
}

/// Language of a text for the public.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Chinese.
    Zh,
}

impl std::str::FromStr for Language {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "en" => Ok(Self::En),
            "zh" => Ok(Self::Zh),
            other => Err(format!("`{other}` is none of en, zh")),
        }
    }
}

/// The main parameters of ranking, in words for a shop's public page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RankingParameters {
    /// Of which version.
    pub model: String,
    /// Language of the texts.
    pub language: Language,
    /// When it was computed.
    pub created: Timestamp,
    /// Start of the window that was measured on; absent where nothing could be measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// End of the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Users measured on.
    pub users: u64,
    /// NDCG@10 with all sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ndcg: Option<f64>,
    /// Paragraphs before the parameters.
    pub introduction: Vec<String>,
    /// The parameters, the weightiest first.
    pub parameters: Vec<RankingParameter>,
    /// Paragraphs after them: settings in force, choices of the shopper, limits of the measurement.
    pub closing: Vec<String>,
}

/// One main parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RankingParameter {
    /// Stable name of the source, such as `own`.
    pub source: String,
    /// What it is, in words.
    pub text: String,
    /// Weight in the blend; absent where a trained ranker weighs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// Change of NDCG@10 when it is left out, in points of NDCG: negative where lists get worse without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<f64>,
    /// Lower end of its 95 % interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// Share of the lists whose items or order change without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lists_changed: Option<f64>,
}
