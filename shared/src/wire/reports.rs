//! Reports on quality, diversity and fairness of a model version.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::report_tables::{GroupTable, ItemTable};
use super::verdicts::Verdict;
use crate::time::Timestamp;

/// Which report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    /// Accuracy on later interactions.
    Quality,
    /// Coverage, concentration, monotony.
    Diversity,
    /// Who is served how well, and which goods are shown how much.
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
    /// The 12 numbers for operators, of which each report computes its own; the quality report has all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub summary: Vec<ReportRow>,
    /// Whether number 12, the health of the report, is so bad that the other numbers are to be read with reserve (shown grey).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unreliable: bool,
    /// Groups of items, for fairness: by seller, brand, category, price band and popularity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<ItemTable>,
    /// Curves of the report, such as how exposure is shared among the items.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curves: Vec<ReportCurve>,
}

impl Report {
    /// A report without numbers.
    #[must_use]
    pub fn new(kind: ReportKind, model: impl Into<String>, created: Timestamp) -> Self {
        Self {
            kind,
            model: model.into(),
            created,
            from: None,
            to: None,
            users: 0,
            rows: Vec::new(),
            groups: Vec::new(),
            notes: Vec::new(),
            summary: Vec::new(),
            unreliable: false,
            items: Vec::new(),
            curves: Vec::new(),
        }
    }
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
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
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
    /// Its place among the 12 numbers for operators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u8>,
    /// Units that it could have rested on: those beyond `n` have no defined value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_total: Option<u64>,
    /// What to read the value against, such as the dissimilarity of random pairs of items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// The same number of the version before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousValue>,
    /// The number in earlier reports, oldest first: over versions and time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trend: Vec<RowTrend>,
}

/// A value to read another one against.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reference {
    /// What it is.
    pub label: String,
    /// The value.
    pub value: f64,
}

/// A number of the version before.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PreviousValue {
    /// The version.
    pub model: String,
    /// Its value.
    pub value: f64,
    /// Whether it was measured on the window of this report. If not, the two may differ for other reasons than the version.
    pub same_window: bool,
    /// Whether the change is beyond noise; only on the same window, and where the number has an interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
}

/// A number of an earlier report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RowTrend {
    /// Of which version.
    pub model: String,
    /// When it was computed.
    pub created: Timestamp,
    /// The value.
    pub value: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::GroupRow;

    #[test]
    fn a_report_of_an_older_program_is_read() {
        let old = r#"{"kind":"fairness","model":"v000001","created":"2026-01-01T00:00:00Z","users":8,
            "rows":[{"name":"gap/region","label":"gap","value":0.1,"n":8,"formula":"f","verdict":"within_noise"}],
            "groups":[{"attribute":"region","metric":"ndcg@10","verdict":"insufficient_data",
                "groups":[{"group":"x","n":0,"share":0.0,"suppressed":true},{"group":"y","n":8,"share":1.0,"suppressed":false}]}]}"#;
        let report: Report = serde_json::from_str(old).unwrap();
        assert_eq!((report.summary.len(), report.items.len(), report.unreliable), (0, 0, false));
        assert_eq!(report.groups[0].groups[1].n, Some(8));
        assert_eq!((report.groups[0].groups[1].compared, report.rows[0].number), (None, None));
    }

    #[test]
    fn a_suppressed_group_has_no_number_on_the_wire() {
        let row = GroupRow { group: "x".to_owned(), suppressed: true, ..GroupRow::default() };
        let text = serde_json::to_string(&row).unwrap();
        assert_eq!(text, r#"{"group":"x","suppressed":true,"finding":"not_tested"}"#);
        assert!(ReportKind::ALL.iter().all(|kind| kind.as_str().parse() == Ok(*kind)));
    }
}
