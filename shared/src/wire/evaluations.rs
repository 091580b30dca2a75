//! Evaluations: what shoppers took after a moment, against lists made as of that moment by Mercer and by what a shop could pick
//! instead.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::time::Timestamp;

/// What can be asked of an evaluation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationRequest {
    /// The cut-off: lists are made from what was known at that moment. The beginning of the last window if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Length of the lists, 1 to 100; 10 if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub k: Option<u32>,
    /// Seed of intervals and of whatever is trained for it; the configured one if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// What an evaluation found, in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EvaluationSummary {
    /// The run that made it.
    pub id: String,
    /// When it was made.
    pub created: Timestamp,
    /// The version that served.
    pub model: String,
    /// The cut-off.
    pub at: Timestamp,
    /// End of the window of truth.
    pub to: Timestamp,
    /// Length of the lists.
    pub k: u32,
    /// Shoppers with something to find.
    pub shoppers: u64,
    /// The findings in words.
    pub verdict: Vec<String>,
}

/// An evaluation with every number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Evaluation {
    /// The run that made it.
    pub id: String,
    /// When it was made.
    pub created: Timestamp,
    /// The version that served.
    pub model: String,
    /// Version of the program.
    pub code_version: String,
    /// The cut-off: nothing later was known to any arm.
    pub at: Timestamp,
    /// End of the window of truth, which begins at the cut-off.
    pub to: Timestamp,
    /// Beginning of the window on which arms were tuned; it ends at the cut-off. Absent where the log was too short for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuned_from: Option<Timestamp>,
    /// Length of the lists.
    pub k: u32,
    /// Seed of intervals and training.
    pub seed: u64,
    /// Shoppers with something to find.
    pub shoppers: u64,
    /// A shopper with at most so many baskets before the cut-off is light, with more heavy.
    pub light_baskets: u32,
    /// Who competes; the first is Mercer.
    pub arms: Vec<EvaluatedArm>,
    /// What was measured, by slice.
    pub slices: Vec<EvaluatedSlice>,
    /// The findings in words, a sentence each.
    pub verdict: Vec<String>,
    /// What a reader must know to check the numbers.
    pub notes: Vec<String>,
    /// The metrics' conventions.
    pub conventions: BTreeMap<String, String>,
}

/// One arm of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EvaluatedArm {
    /// Name.
    pub name: String,
    /// Its setting for lists with repeats and for new items, by mode.
    pub settings: BTreeMap<String, String>,
    /// NDCG of the chosen setting on the window it was chosen on, by mode; empty where nothing was tuned.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tuned: BTreeMap<String, f64>,
    /// Settings tried.
    #[serde(default)]
    pub tried: u32,
    /// Seconds it took to tune and to fit.
    pub seconds: f64,
}

/// A part of the lists: which items may appear, and whose lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EvaluatedSlice {
    /// Name, such as `repeat-warm`.
    pub name: String,
    /// What it is, in words.
    pub what: String,
    /// Shoppers in it.
    pub n: u64,
    /// Why its numbers decide nothing, where they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insufficient: Option<String>,
    /// Values of each arm; empty for a slice with hardly anybody in it.
    pub arms: Vec<ArmValues>,
    /// Mercer against each other arm, by NDCG.
    pub against: Vec<ArmDifference>,
}

/// Values of an arm on a slice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ArmValues {
    /// The arm.
    pub arm: String,
    /// Share of lists that cut through a tie: their NDCG is the expectation over the orders of what is tied.
    pub tied: f64,
    /// Metrics, NDCG first.
    pub values: Vec<Measured>,
}

/// A mean over shoppers with its 95 % interval (Poisson bootstrap over shoppers).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Measured {
    /// Such as `ndcg@10`.
    pub metric: String,
    /// The mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Lower end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

/// The word on a paired difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceVerdict {
    /// The interval lies above 0.
    Better,
    /// The interval holds 0.
    NoDifferenceShown,
    /// The interval lies below 0.
    Worse,
    /// Too few shoppers to say.
    Insufficient,
}

/// Mercer against an arm, shopper by shopper.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ArmDifference {
    /// The other arm.
    pub arm: String,
    /// Mean of Mercer's NDCG less the arm's.
    pub difference: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Sign-flip p.
    pub p: f64,
    /// Smallest true difference that would have shown with 80 % power.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detectable: Option<f64>,
    /// The word.
    pub verdict: DifferenceVerdict,
}
