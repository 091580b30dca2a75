//! Reports on quality, diversity and fairness of a model version, and on bias in the data that it learns from.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::time::Timestamp;

/// Which report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    /// Accuracy on later interactions.
    Quality,
    /// Coverage, concentration, monotony.
    Diversity,
    /// Who is served how well.
    Fairness,
    /// Consent, erasures, what private training has spent, and whether members can be told from others.
    Privacy,
    /// Bias in the log that models learn from.
    Data,
}

impl ReportKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Quality, Self::Diversity, Self::Fairness, Self::Privacy, Self::Data];

    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quality => "quality",
            Self::Diversity => "diversity",
            Self::Fairness => "fairness",
            Self::Privacy => "privacy",
            Self::Data => "data",
        }
    }
}

impl std::str::FromStr for ReportKind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or_else(|| format!("`{word}` is none of {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}

/// A verdict word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No difference beyond what chance makes.
    WithinNoise,
    /// A difference beyond what chance makes.
    AboveNoise,
    /// Too few users to tell.
    InsufficientData,
}

/// A report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// Which.
    pub kind: ReportKind,
    /// Of which model version.
    pub model: String,
    /// When it was computed.
    pub created: Timestamp,
    /// Start of the evaluation window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// End of the evaluation window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Users evaluated.
    pub users: u64,
    /// The numbers.
    pub rows: Vec<ReportRow>,
    /// Per declared attribute, for fairness.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupTable>,
    /// What limits the report, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Curves of the report, such as how exposure is shared among the items.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curves: Vec<ReportCurve>,
}

/// A curve of a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportCurve {
    /// Stable name, such as `exposure`.
    pub name: String,
    /// For people: what the axes are.
    pub label: String,
    /// Its points, ascending.
    pub points: Vec<CurvePoint>,
}

/// A point of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CurvePoint {
    /// Across.
    pub x: f64,
    /// Up.
    pub y: f64,
}

/// One number with everything that is needed to read it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportRow {
    /// Stable name, such as `ndcg@10`.
    pub name: String,
    /// For people.
    pub label: String,
    /// Value; absent where undefined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Why there is no value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undefined: Option<String>,
    /// Lower end of the 95 % interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end of the 95 % interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// Units (users, lists, items) it rests on.
    pub n: u64,
    /// The same number for the popularity baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<f64>,
    /// Formula and convention.
    pub formula: String,
    /// The verdict, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
}

/// One declared attribute and its groups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GroupTable {
    /// Attribute, such as `gender`.
    pub attribute: String,
    /// Metric compared.
    pub metric: String,
    /// Its groups, `unknown` among them.
    pub groups: Vec<GroupRow>,
    /// Largest difference between groups that are large enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<f64>,
    /// 95th percentile of that gap with no true difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise_floor: Option<f64>,
    /// Permutation p of the gap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p: Option<f64>,
    /// The same after Holm over all attributes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_holm: Option<f64>,
    /// The group served worst.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst: Option<String>,
    /// The word.
    pub verdict: Verdict,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GroupRow {
    /// Its declared value, or `unknown`.
    pub group: String,
    /// Users.
    pub n: u64,
    /// Share of all users.
    pub share: f64,
    /// Whether it is too small to be shown (n < 10).
    pub suppressed: bool,
    /// Mean; absent if suppressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// Lower end of the 95 % interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end of the 95 % interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}
