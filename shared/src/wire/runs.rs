//! Training runs.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{GateReport, LossPoint, PairReport, RunRecord};
use crate::time::Timestamp;

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Waits for its turn.
    Queued,
    /// At work.
    Running,
    /// Interrupted with a checkpoint, to be resumed.
    Paused,
    /// Came to a verdict, whichever.
    Succeeded,
    /// Broke.
    Failed,
    /// Stopped by an operator.
    Cancelled,
}

impl RunState {
    /// Whether nothing more will happen.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// Why a run was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunCause {
    /// Somebody asked.
    Operator,
    /// The schedule.
    Schedule,
    /// Enough new interactions.
    NewData,
    /// Continued after a stop of the daemon.
    Resumed,
}

/// What a run does at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunPhase {
    /// Collects new interactions and a share of old ones.
    Examples,
    /// Fine-tunes the encoder, or trains the cross-encoder.
    Encoder,
    /// Embeds the catalogue with the candidate.
    Embedding,
    /// Refits collaborative index and blend.
    Memory,
    /// Trains the sequence model up to each cut-off of the ranker's training.
    Network,
    /// Makes lists at many cut-offs of the log and trains the ranker.
    Ranker,
    /// Ranks later interactions.
    Evaluation,
    /// Compares with the serving model and the baselines.
    Gate,
    /// Swaps the candidate in.
    Promotion,
    /// Nothing any more.
    Done,
}

/// A training run, live.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Run {
    /// `r000017`.
    pub id: String,
    /// Where it stands.
    pub state: RunState,
    /// Why it was started.
    pub cause: RunCause,
    /// What it does.
    pub phase: RunPhase,
    /// When it was asked for.
    pub created: Timestamp,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Step within the phase.
    pub step: u64,
    /// Steps of the phase.
    pub steps: u64,
    /// Latest training loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Training losses so far, thinned to at most 500 points.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<LossPoint>,
    /// Items (texts) a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items_per_second: Option<f64>,
    /// Seconds to the end of the phase, by the present rate of its steps. The budget may end the phase earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta_seconds: Option<f64>,
    /// When the budget ends the phase at the latest, whatever steps are left; absent where the phase has no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase_ends_by: Option<Timestamp>,
    /// Phases that are planned after this one, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases_ahead: Vec<RunPhase>,
    /// `cpu` or the GPU's name.
    pub device: String,
    /// Resident memory of the daemon in bytes, the highest seen during the run.
    pub memory_bytes: u64,
    /// What each phase that has ended took, in order; a phase may come more than once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<PhaseCost>,
    /// Interactions up to which this run learned (sequence number in the log).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<u64>,
    /// Seed of everything random in it.
    pub seed: u64,
    /// The gate's decision with its numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateReport>,
    /// The cross-encoder it trained, with its numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pair: Option<PairReport>,
    /// The model version it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What happened, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What it was made with and what came of it, for comparing runs.
    #[serde(default)]
    pub record: RunRecord,
}

/// What a phase took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PhaseCost {
    /// The phase.
    pub phase: RunPhase,
    /// Seconds on the clock.
    pub seconds: f64,
    /// Processor seconds of the whole daemon meanwhile, what it served included.
    pub cpu_seconds: f64,
}

/// What a run trains.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrainModel {
    /// The whole cycle: encoder, collaborative index and ranker, up to the gate.
    #[default]
    Ranker,
    /// The cross-encoder: behaviour and item to the probability of a click or purchase.
    Pair,
}

/// How the encoder is fine-tuned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tuning {
    /// Low-rank adapters of one rank (Hu et al., arXiv 2106.09685).
    #[default]
    Lora,
    /// Low-rank adapters whose ranks go to the layers where they matter (Zhang et al., arXiv 2303.10512).
    Adalora,
    /// All weights of the upper layers.
    Full,
}

/// What can be asked of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainRequest {
    /// What to train; the whole cycle if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<TrainModel>,
    /// Seconds that the whole cycle is planned to fit into, or that the cross-encoder may be trained; the configured budget if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget_seconds: Option<u64>,
    /// Seed; a fixed one if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Whether to fine-tune the encoder or only refit collaborative index and blend; yes if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoder: Option<bool>,
    /// How the encoder is fine-tuned; the configured way if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tuning: Option<Tuning>,
    /// Whether a passing candidate is promoted at once; the configured policy if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promote: Option<bool>,
    /// Whether to measure the candidate on the shoppers that are held out of training and gates; only every few promotions if
    /// absent, for each look wears them out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holdout: Option<bool>,
    /// Replaces the versions that know an erased shopper: what the cycle makes serves whatever the gate says, and they are deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rebuild: Option<bool>,
}
