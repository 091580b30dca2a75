//! Guardrails of the gate: whether a candidate harms a group of shoppers or the variety of what is shown.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What happens to a candidate that passes the gate and does harm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnHarm {
    /// It is rejected.
    Refuse,
    /// It waits for the operator to promote it.
    #[default]
    Ask,
}

/// What a guardrail says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GuardrailVerdict {
    /// The loss, if there is one, is smaller than the margin.
    NoHarm,
    /// It may be larger than the margin, but chance explains it.
    WithinNoise,
    /// Worse beyond chance, and not shown to be smaller than the margin.
    Harm,
    /// Too few users to tell.
    InsufficientData,
}

/// One guardrail with its numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GateGuardrail {
    /// What shoppers are grouped by: `history`, or a declared attribute. Absent for diversity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    /// The group, or the measure of diversity.
    pub name: String,
    /// The metric with its slice, such as `ndcg@10/repeat`.
    pub metric: String,
    /// Users compared; absent where a group is so small that its size is not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u64>,
    /// The candidate's value; absent with too little data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<f64>,
    /// The serving version's value for the same users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<f64>,
    /// Candidate minus other for a group; for diversity that difference as a share of the other. Below 0 is worse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<f64>,
    /// Lower end of the 95 % interval of the change, from resampling users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end of the 95 % interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// The loss that is tolerated, in the unit of the change.
    pub margin: f64,
    /// The word.
    pub verdict: GuardrailVerdict,
    /// Why there are no numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undefined: Option<String>,
}
