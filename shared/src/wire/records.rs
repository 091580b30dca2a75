//! What is noted of a run so that it can be compared and repeated: configuration, data, code, curves, metrics.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{DataSnapshot, MetricValue};

/// What a run is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// A training cycle.
    #[default]
    Train,
    /// An evaluation against other methods.
    Evaluation,
    /// A search over a grid of settings.
    Sweep,
    /// One point of such a search.
    SweepPoint,
    /// A replay that asks whether fine-tuning pays.
    Replay,
    /// A membership test of a version.
    Membership,
}

/// The value of a setting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Setting {
    /// A switch.
    Flag(bool),
    /// A number.
    Number(f64),
    /// A word.
    Text(String),
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "{}", if *flag { "yes" } else { "no" }),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// What is noted of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct RunRecord {
    /// What it is for.
    pub kind: RunKind,
    /// Version of the program that made it; empty for runs of programs that did not note it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub code_version: String,
    /// The interactions it read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<DataSnapshot>,
    /// Every setting by its name, such as `ranker.hidden`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, Setting>,
    /// Loss curves by name, such as `ranker/new`, where a step is an epoch. The encoder's is in the run's `losses`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub curves: BTreeMap<String, Vec<LossPoint>>,
    /// What was measured.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<MetricValue>,
    /// The sweep that this is a point of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sweep: Option<String>,
}

/// A search over a grid of settings: each point trains a ranker on what was known one window before the gate's, and is judged on
/// the window that ends where the gate's begins.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SweepRequest {
    /// Values by name of the setting; the grid is their product. The settings as they are come first.
    pub set: BTreeMap<String, Vec<Setting>>,
    /// No further point is begun after so many seconds; 600 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget_seconds: Option<u64>,
    /// Seed; the configured one if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// One point of a loss curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LossPoint {
    /// Step.
    pub step: u64,
    /// Mean loss since the point before.
    pub loss: f64,
}
