//! Options and result of training a cross-encoder.

use serde::{Deserialize, Serialize};

use super::head::HeadKind;
use super::layout::Join;
use super::weights::CrossEncoderWeights;
use crate::cache::CacheFormat;
use crate::error::{LearnError, Result};
use crate::graph::Method;
use crate::optim::AdamOptions;
use crate::run::{CheckpointOptions, CommonOptions, RunOutcome, check_range};

/// Settings of one run. All except `wall_seconds` and `checkpoint` affect the weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CrossEncoderOptions {
    /// How the upper layers train: LoRA or in full.
    pub method: Method,
    /// Number of last layers that train and see both sides.
    pub upper_layers: usize,
    /// Where the two sides meet.
    pub join: Join,
    /// What the linear layer reads.
    pub head: HeadKind,
    /// Maximum number of tokens of a pair; [`super::PairTemplate`] keeps to it.
    pub max_tokens: usize,
    /// Pairs per step, 1 to 4096.
    pub batch_pairs: usize,
    /// Passes over the pairs.
    pub epochs: f64,
    /// Upper limit of steps, whatever `epochs` says; the learning-rate schedule ends there.
    pub max_steps: Option<usize>,
    /// Time limit in seconds by [`crate::Hooks::seconds`].
    #[serde(skip)]
    pub wall_seconds: Option<f64>,
    /// Optimiser and learning-rate schedule.
    pub adam: AdamOptions,
    /// Share of values that dropout sets to zero before the linear layer.
    pub dropout: f64,
    /// Seed of adapters, head, batch order and dropout.
    pub seed: u64,
    /// Tokens of a micro-batch.
    pub micro_tokens: usize,
    /// Memory for the output of the frozen layers, bytes.
    pub cache_bytes: usize,
    /// Number format of the cached output.
    pub cache_format: CacheFormat,
    /// Where and how often the run is saved.
    #[serde(skip)]
    pub checkpoint: Option<CheckpointOptions>,
}

impl Default for CrossEncoderOptions {
    /// The usual settings of cross-encoders (AdamW 2e-5, batches of 16, 5 epochs, dropout 0.1, 128 tokens) on all weights of the last four
    /// layers: two cores can train four of twelve layers in minutes. The short warm-up and the floor of the learning rate let a run that
    /// reaches its time limit early still learn at full rate.
    fn default() -> Self {
        Self {
            method: Method::Full,
            upper_layers: 4,
            join: Join::Upper,
            head: HeadKind::Pooled,
            max_tokens: 128,
            batch_pairs: 16,
            epochs: 5.0,
            max_steps: None,
            wall_seconds: None,
            adam: AdamOptions {
                learning_rate: 2e-5,
                weight_decay: 0.01,
                warmup: 0.05,
                floor: 0.1,
                ..AdamOptions::default()
            },
            dropout: 0.1,
            seed: 0,
            micro_tokens: 1024,
            cache_bytes: 512 << 20,
            cache_format: CacheFormat::F16,
            checkpoint: None,
        }
    }
}

impl CrossEncoderOptions {
    /// # Errors
    /// [`LearnError::Option`] for the first field out of range.
    pub(super) fn check(&self) -> Result<()> {
        CommonOptions {
            adam: &self.adam,
            batch_pairs: self.batch_pairs,
            least_pairs: 1,
            epochs: self.epochs,
            wall_seconds: self.wall_seconds,
            checkpoint: self.checkpoint.as_ref(),
        }
        .check()?;
        if matches!(self.method, Method::AdaLora(_)) {
            let why = "the cross-encoder trains by LoRA or in full".to_owned();
            return Err(LearnError::Option { name: "method", why });
        }
        check_range("dropout", self.dropout, 0.0..=0.9)
    }
}

/// A finished run: the trained weights.
pub type CrossEncoderOutcome = RunOutcome<CrossEncoderWeights>;
