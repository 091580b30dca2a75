//! The cross-encoder, `pair` on the wire: the numbers of its training.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Comparison, MetricValue};
use crate::time::Timestamp;

/// Source of the rows that a cross-encoder is trained and evaluated on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PairSource {
    /// Impressions: those that led to an engagement against those that led to nothing.
    Impressions,
    /// What was taken, against drawn items that were not.
    Sampled,
}

/// Rows of one part of the log.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PairPart {
    /// Rows.
    pub rows: u64,
    /// Shoppers they belong to.
    pub users: u64,
    /// Share of positives among them.
    pub positives: f64,
    /// The earliest moment of a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// The latest moment of a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
}

/// Whether re-scoring the head of lists pays on later events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PairCheck {
    /// Rows of a list that are scored anew.
    pub head: u32,
    /// What ordered the lists before.
    pub list: String,
    /// NDCG@10 with re-scoring (`candidate`) against the list as it was (`other`), with the paired interval; absent with too few shoppers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// Whether serving may re-score.
    pub serves: bool,
    /// Why, or why not, in a sentence.
    pub reason: String,
}

/// A trained cross-encoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PairReport {
    /// Name of the weights in the state directory, such as `pair-r000017`; absent where nothing was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What trained and how.
    pub method: String,
    /// Where rows come from.
    pub source: PairSource,
    /// The negatives in words, with their ratio.
    pub negatives: String,
    /// Rows that were learned from.
    pub train: PairPart,
    /// Rows that chose threshold and calibration: the last of the training window, not learned from.
    pub validation: PairPart,
    /// Rows that the metrics are of: later than the cut-off, never seen.
    pub later: PairPart,
    /// Nothing later than this was learned from or chosen by.
    pub cut: Timestamp,
    /// Steps taken.
    pub steps: u64,
    /// Seconds of training.
    pub seconds: f64,
    /// Milliseconds to score a pair, measured while judging.
    pub ms_per_pair: f64,
    /// How scores became probabilities: `platt` or `isotonic`, fitted on the validation rows; absent where they were too few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<String>,
    /// Rows are called positive from this probability on: the best F1 on the validation rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// On later rows: `precision`, `recall`, `f1`, `auc`, `gauc` (per shopper, weighted by rows), `log_loss`, `brier`,
    /// `predicted/observed`, `ece` (15 bins of equal mass, without what chance adds), `ece_plain` (as other tools print it),
    /// `ece_chance` (what a perfectly calibrated model would show), `ece_width` (10 bins of equal width) and `mce`; slices `later`,
    /// `later new`, `later repeat`, and `untrained` for the same model before its first step.
    pub metrics: Vec<MetricValue>,
    /// Whether it re-scores lists.
    pub check: PairCheck,
}
