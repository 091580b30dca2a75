//! The replay: does fine-tuning the encoder help, or is it fresh data, or chance?

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::time::Timestamp;

/// What can be asked of a replay.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReplayRequest {
    /// Windows, 2 to 52; 8 if absent. A claim needs at least 8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub windows: Option<u32>,
    /// Steps of the encoder per window, 1 to 10,000; 40 if absent. Steps and not seconds, so that a replay repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u32>,
    /// Steps of the warm-up, and of each retraining from the base; four times the steps per window if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warm_steps: Option<u32>,
    /// Seeds, 1 to 20; 1 if absent. A claim needs at least 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seeds: Option<u32>,
    /// First seed; the configured one if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// A replay with its numbers. Modes are `repeat` and `new`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Replay {
    /// The run that made it.
    pub id: String,
    /// When it was made.
    pub created: Timestamp,
    /// Version of the program.
    pub code_version: String,
    /// Days of a window.
    pub window_days: u64,
    /// Steps per window.
    pub steps: u32,
    /// Steps of the warm-up and of retraining.
    pub warm_steps: u32,
    /// Seeds.
    pub seeds: Vec<u64>,
    /// Each arm: what it is, and its mean over windows by mode.
    pub arms: Vec<ReplayArm>,
    /// Window by window.
    pub windows: Vec<ReplayWindow>,
    /// Paired differences with intervals by user cluster and window block.
    pub differences: Vec<ReplayDifference>,
    /// The findings in words.
    pub verdict: Vec<String>,
    /// What a reader must know.
    pub notes: Vec<String>,
}

/// An arm of a replay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReplayArm {
    /// `F2` and the like.
    pub name: String,
    /// What it is.
    pub what: String,
    /// Steps of the encoder in all, per seed.
    pub steps: u64,
    /// Mean NDCG@10 over windows, by mode.
    pub ndcg: BTreeMap<String, f64>,
    /// What the last encoder makes of the first window less what the first encoder made of it, by mode: what was kept or forgotten.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub retention: BTreeMap<String, f64>,
}

/// A window of a replay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReplayWindow {
    /// Lists are as of this moment.
    pub from: Timestamp,
    /// End of the truth.
    pub to: Timestamp,
    /// Shoppers by mode.
    pub shoppers: BTreeMap<String, u64>,
    /// Mean NDCG@10 by mode and arm.
    pub ndcg: BTreeMap<String, BTreeMap<String, f64>>,
}

/// A paired difference of two arms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReplayDifference {
    /// Mode.
    pub mode: String,
    /// The first arm.
    pub first: String,
    /// The second arm.
    pub second: String,
    /// Mean over windows of the mean over shoppers.
    pub difference: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}
