//! Options and result of a fine-tuning run.

use serde::{Deserialize, Serialize};

use crate::cache::CacheFormat;
use crate::error::Result;
use crate::graph::Method;
use crate::lora::{Adapter, LoraOptions};
use crate::losses::InfoNce;
use crate::optim::AdamOptions;
use crate::run::{CheckpointOptions, CommonOptions, RunOutcome, check_range};

/// Settings of one run. All except `wall_seconds` and `checkpoint` affect the weights: two runs with equal settings and data give the same
/// bits on the CPU of one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TuneOptions {
    /// How the upper layers train.
    pub method: Method,
    /// Number of last layers that train; capped at the layers of the encoder.
    pub upper_layers: usize,
    /// Pairs per step, 2 to 4096. More pairs give more in-batch negatives.
    pub batch_pairs: usize,
    /// Passes over the pairs.
    pub epochs: f64,
    /// Upper limit of steps, whatever `epochs` says; the learning-rate schedule ends there.
    pub max_steps: Option<usize>,
    /// Time limit in seconds by [`crate::Hooks::seconds`]; the run then ends between two steps. The learning-rate schedule is not shortened.
    #[serde(skip)]
    pub wall_seconds: Option<f64>,
    /// Optimiser and learning-rate schedule.
    pub adam: AdamOptions,
    /// Loss.
    pub loss: InfoNce,
    /// Weight of the squared distance to the base (L2-SP) in the loss, 0 for none.
    pub pull: f64,
    /// Seed of adapters, batch order and dropout.
    pub seed: u64,
    /// Tokens of a micro-batch: smaller ones yield to serving more often, larger ones are a little faster.
    pub micro_tokens: usize,
    /// Memory for the output of the frozen layers, bytes; texts beyond it are computed again in each step.
    pub cache_bytes: usize,
    /// Number format of the cached output.
    pub cache_format: CacheFormat,
    /// Where and how often the run is saved; `None` saves nothing.
    #[serde(skip)]
    pub checkpoint: Option<CheckpointOptions>,
}

impl Default for TuneOptions {
    fn default() -> Self {
        Self {
            method: Method::Lora(LoraOptions::default()),
            upper_layers: 4,
            batch_pairs: 32,
            epochs: 2.0,
            max_steps: None,
            wall_seconds: None,
            adam: AdamOptions::default(),
            loss: InfoNce::default(),
            pull: 1e-3,
            seed: 0,
            micro_tokens: 512,
            cache_bytes: 512 << 20,
            cache_format: CacheFormat::F16,
            checkpoint: None,
        }
    }
}

impl TuneOptions {
    /// The defaults for a method: [`Method::Full`] takes a tenth of the adapters' learning rate, as the cross-encoder does.
    #[must_use]
    pub fn for_method(method: Method) -> Self {
        let usual = Self::default();
        let learning_rate = if method == Method::Full { 2e-5 } else { usual.adam.learning_rate };
        Self { method, adam: AdamOptions { learning_rate, ..usual.adam }, ..usual }
    }

    /// # Errors
    /// [`crate::LearnError::Option`] for the first field out of range.
    pub(crate) fn check(&self) -> Result<()> {
        CommonOptions {
            adam: &self.adam,
            batch_pairs: self.batch_pairs,
            least_pairs: 2,
            epochs: self.epochs,
            wall_seconds: self.wall_seconds,
            checkpoint: self.checkpoint.as_ref(),
        }
        .check()?;
        self.loss.check()?;
        check_range("pull", self.pull, 0.0..=1e6)
    }
}

/// A finished fine-tuning run: the adapter.
pub type TuneOutcome = RunOutcome<Adapter>;
