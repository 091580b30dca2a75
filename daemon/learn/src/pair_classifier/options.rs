//! What a caller sets before training and gets at the end.

use serde::{Deserialize, Serialize};

use super::{HeadKind, Join, PairWeights};
use crate::cache::CacheFormat;
use crate::error::{LearnError, Result};
use crate::graph::Method;
use crate::optim::AdamOptions;
use crate::tune::{CheckpointOptions, Stopped, check_limits};

/// Settings of one run. All but `wall_seconds` and `checkpoint` decide the weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PairOptions {
    /// What trains in the upper layers.
    pub method: Method,
    /// How many of the last layers train and see both sides.
    pub upper_layers: usize,
    /// Where the two sides meet.
    pub join: Join,
    /// What the linear layer reads.
    pub head: HeadKind,
    /// Longest pair in tokens; what makes the tokens ([`super::Form`]) keeps to it.
    pub max_tokens: usize,
    /// Pairs a step, 1 to 4096.
    pub batch_pairs: usize,
    /// Times that the pairs are gone through.
    pub epochs: f64,
    /// Most steps, whatever `epochs` says; the learning rate's schedule ends there.
    pub max_steps: Option<usize>,
    /// Most seconds by [`crate::Hooks::seconds`].
    #[serde(skip)]
    pub wall_seconds: Option<f64>,
    /// Optimiser and schedule.
    pub adam: AdamOptions,
    /// Share of values dropped before the linear layer.
    pub dropout: f64,
    /// Seed of adapters, head, order and dropout.
    pub seed: u64,
    /// Tokens that go through the graph in one piece.
    pub micro_tokens: usize,
    /// Bytes that the output of the frozen layers may take.
    pub cache_bytes: usize,
    /// Number format of that output.
    pub cache_format: CacheFormat,
    /// Where and how often the run is saved.
    #[serde(skip)]
    pub checkpoint: Option<CheckpointOptions>,
}

impl Default for PairOptions {
    /// The customary settings of cross-encoders (AdamW 2e-5, batches of 16, 5 epochs, dropout 0.1, 128 tokens) on all weights of the last
    /// four layers: that rate is one for whole weights, and four of twelve layers are what two cores train in minutes. A short warm-up and a
    /// floor under the rate, so that a run whose time is used up before its steps has still learned at full rate.
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

impl PairOptions {
    /// # Errors
    /// [`LearnError::Option`] for the first field out of range.
    pub(super) fn check(&self) -> Result<()> {
        self.adam.check()?;
        let fail = |name, why: String| Err(LearnError::Option { name, why });
        if !(1..=4096).contains(&self.batch_pairs) {
            return fail("batch_pairs", format!("{} is not between 1 and 4096", self.batch_pairs));
        }
        if matches!(self.method, Method::AdaLora(_)) {
            return fail("method", "the pair classifier trains by LoRA or in full".to_owned());
        }
        if !(0.0..=0.9).contains(&self.dropout) {
            return fail("dropout", format!("{} is not between 0 and 0.9", self.dropout));
        }
        check_limits(self.epochs, self.wall_seconds, self.checkpoint.as_ref())
    }
}

/// A finished run.
#[derive(Debug, Clone)]
pub struct PairOutcome {
    /// What was learned; with [`Stopped::NothingToLearn`] the start.
    pub weights: PairWeights,
    /// How the run ended.
    pub stopped: Stopped,
    /// Steps taken, those before a resume included.
    pub steps: usize,
    /// Steps planned.
    pub total_steps: usize,
    /// The step that the run went on from.
    pub resumed_from: Option<usize>,
    /// Loss of each step, those before a resume included.
    pub losses: Vec<f32>,
    /// Seconds of this run.
    pub seconds: f64,
    /// Texts answered from the cache of the frozen layers, and texts that went through them.
    pub cache: (u64, u64),
}
