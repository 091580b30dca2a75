//! Model versions and the gate.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::time::Timestamp;
use crate::wire::GateGuardrail;

/// What a version is at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ModelState {
    /// Answers requests.
    Serving,
    /// Passed the gate and waits for promotion.
    Candidate,
    /// Passed the gate and answers a share of the shoppers, watched, before it serves everybody.
    Canary,
    /// Served before; can be rolled back to.
    Retired,
    /// Did not pass the gate, or the gate had too little data to decide: its verdict says which. Can be promoted by hand.
    Rejected,
}

/// A model version; immutable but for its state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelVersion {
    /// `v000042`.
    pub version: String,
    /// What it is at the moment.
    pub state: ModelState,
    /// Kept when old versions are deleted.
    pub pinned: bool,
    /// The version it was trained from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last promoted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promoted: Option<Timestamp>,
    /// The run that made it; none for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The encoder under it.
    pub encoder: EncoderRef,
    /// Weights of the blend, by head (`repeat`, `new`) and source.
    pub blend: BTreeMap<String, BTreeMap<String, f64>>,
    /// Measured on its evaluation window.
    pub metrics: Vec<MetricValue>,
    /// The gate's decision with its numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateReport>,
    /// What it was made from.
    pub data: DataSnapshot,
    /// What is guaranteed about its adapter; absent for an encoder that was tuned without noise or not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub privacy: Option<PrivacyGuarantee>,
    /// Seeds of everything random in its making.
    pub seed: u64,
    /// Version of the program that made it.
    pub code_version: String,
    /// Bytes on disk.
    pub bytes: u64,
}

/// The encoder of a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EncoderRef {
    /// Name of the base.
    pub name: String,
    /// SHA-256 of the base's weights, in hexadecimal.
    pub sha256: String,
    /// Hash of the file with what fine-tuning changed, if it changed anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// Components of a vector.
    pub dim: u32,
}

/// What a version was made from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DataSnapshot {
    /// Interactions in the log when it was made.
    pub interactions: u64,
    /// Sequence number of the last one used.
    pub cursor: u64,
    /// Moment of the first interaction used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Moment of the last interaction used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// Which shoppers were left out, in words.
    pub consent_rule: String,
    /// Share of the shoppers that were held out of it, chosen by pseudonym.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub held_out: f64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(share: &f64) -> bool {
    *share == 0.0
}

/// The guarantee of an adapter that was trained privately: whoever sees it learns about any one user at most what (epsilon, delta)
/// differential privacy allows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PrivacyGuarantee {
    /// Whose data it hides: `user`, all events together. A session without a user is a user of its own.
    pub unit: String,
    /// What it covers and what not, in words.
    pub covers: String,
    /// Noise multiplier: standard deviation of the noise over `clip`.
    pub noise: f64,
    /// Probability with which a step draws each user.
    pub rate: f64,
    /// Largest norm of a user's gradient.
    pub clip: f64,
    /// Constant by which the noisy sum is divided.
    pub expected_batch: f64,
    /// Steps that its run booked.
    pub steps: u64,
    /// Delta.
    pub delta: f64,
    /// How users were drawn.
    pub sampler: String,
    /// How epsilon was computed.
    pub accountant: String,
    /// Epsilon of its run alone.
    pub epsilon: f64,
    /// Epsilon of all runs up to it, for a user who was there from the first on.
    pub epsilon_total: f64,
    /// Most that may be spent.
    pub limit: f64,
}

/// What private training has spent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PrivacySpending {
    /// Epsilon of all runs together, for a user who was there from the first on.
    pub epsilon: f64,
    /// Most that may be spent; 0 where private training is off.
    pub limit: f64,
    /// Delta at which both are meant.
    pub delta: f64,
    /// Whose data it is about.
    pub unit: String,
    /// How epsilon was computed.
    pub accountant: String,
    /// Runs that spent something.
    pub runs: u64,
    /// Their steps.
    pub steps: u64,
}

/// A measured value with its interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MetricValue {
    /// Name, such as `ndcg@10`.
    pub name: String,
    /// The slice, such as `repeat` or `new`.
    pub slice: String,
    /// Value; absent where undefined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Lower end of the 95 % interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end of the 95 % interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// Users it rests on.
    pub n: u64,
}

/// The gate's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateVerdict {
    /// Better than the serving model, not worse than any baseline.
    Promote,
    /// Not better, or worse on a guardrail.
    Reject,
    /// Too few users to tell.
    InsufficientData,
}

/// The gate's decision with its numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GateReport {
    /// The word.
    pub verdict: GateVerdict,
    /// Why, in a sentence.
    pub reason: String,
    /// Start of the evaluation window: training saw nothing after it.
    pub from: Timestamp,
    /// End of the evaluation window.
    pub to: Timestamp,
    /// Users with later interactions.
    pub users: u64,
    /// Alpha this gate spent (one-sided); 0 where it could not promote.
    pub alpha: f64,
    /// Smallest effect that could have been seen with 80 % power.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_detectable: Option<f64>,
    /// Paired comparisons, the deciding one first.
    pub comparisons: Vec<Comparison>,
    /// What all gates of the period have spent, this one included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spending: Option<AlphaSpending>,
    /// What the candidate could be better at, most traffic first. Empty in reports of older versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objectives: Vec<GateObjective>,
    /// Whether groups of shoppers or the variety of what is shown would be harmed. Empty where the candidate was not compared with the
    /// serving version's lists, and in reports of older versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guardrails: Vec<GateGuardrail>,
    /// Whether the candidate passed and does harm, so that it waits for the operator.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks: bool,
}

/// An objective of the gate: a slice of the shop's traffic in which the candidate may be better than the serving version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GateObjective {
    /// `repeat` (lists of all items), `new` (lists of items that are new to the user) or `search`.
    pub slice: String,
    /// Share of the traffic, by what users engaged with in the evaluation window.
    pub share: f64,
    /// Users it was measured on.
    pub users: u64,
    /// One-sided error at which the candidate had to be better here; absent where it could not be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f64>,
    /// Whether the candidate was shown to be better here.
    pub better: bool,
    /// Why the objective did not count; absent where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
}

/// How much of a period's alpha its gates have spent: over all of them, the chance of even one false promotion is at most `total`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlphaSpending {
    /// Begin of the period.
    pub from: Timestamp,
    /// When a new period begins, with nothing spent.
    pub until: Timestamp,
    /// Gates held.
    pub gates: u32,
    /// Spent so far.
    pub spent: f64,
    /// Most that may be spent.
    pub total: f64,
}

/// One paired comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Comparison {
    /// What it was compared with: a version or a baseline.
    pub against: String,
    /// Metric.
    pub metric: String,
    /// The slice.
    pub slice: String,
    /// Value of the candidate.
    pub candidate: f64,
    /// Value of the other.
    pub other: f64,
    /// Mean of the paired differences.
    pub difference: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Sign-flip p.
    pub p: f64,
    /// Users.
    pub n: u64,
    /// What was asked of it: `better` or `not worse than MARGIN`.
    pub rule: String,
    /// Whether it held.
    pub passed: bool,
}
