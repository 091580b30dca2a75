//! Options of private fine-tuning, and the ledger that it books its steps in.

use serde::{Deserialize, Serialize};

use crate::cache::CacheFormat;
use crate::error::{LearnError, Result};
use crate::lora::LoraOptions;
use crate::optim::AdamOptions;
use crate::run::{CheckpointOptions, CommonOptions, check_range};

/// Settings of one private run. `noise`, `clip`, `rate` and `steps` make its privacy cost; all but `wall_seconds` and `checkpoint` affect
/// the weights. Two runs never give the same weights: the noise is not repeatable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PrivateOptions {
    /// Rank, scale, dropout and placement of the adapters. Nothing else can be trained privately.
    pub lora: LoraOptions,
    /// Number of last layers that train; capped at the layers of the encoder.
    pub upper_layers: usize,
    /// Steps planned, at least 1; the learning-rate schedule ends there.
    pub steps: usize,
    /// Largest Euclidean norm of a user's gradient over all trainable parameters, above 0.
    pub clip: f64,
    /// Noise multiplier: the standard deviation of the noise on the sum of gradients is `noise * clip`. 0 gives no privacy at all.
    pub noise: f64,
    /// Probability with which a step draws each user, above 0 to 1.
    pub rate: f64,
    /// Divisor of the noisy sum, at least 1: a public constant, about `rate` times the usual number of users.
    pub expected_batch: f64,
    /// Pairs of a drawn user that make its gradient, at least 1; drawn anew each step from those it has.
    pub pairs_per_user: usize,
    /// Negatives per step, at least 1, drawn evenly from the catalogue, the same for all users. Their vectors are constants of the loss.
    pub negatives: usize,
    /// Further negatives of each user, drawn evenly from the catalogue. The gradient goes through them too: without any, items would be
    /// drawn together and never pushed apart. They cost as much as texts of the user.
    pub trained_negatives: usize,
    /// Divisor of the cosines, 0.001 to 10.
    pub temperature: f64,
    /// Weight of the squared distance to the base (L2-SP), 0 for none. It depends on the weights alone and costs no privacy.
    pub pull: f64,
    /// Optimiser and learning-rate schedule. Its `clip_norm` is not used: what it would clip is noisy already.
    pub adam: AdamOptions,
    /// Seed of the adapters and of dropout, which need no secrecy. Sampling and noise never come from it.
    pub seed: u64,
    /// Memory for the output of the frozen layers, bytes.
    pub cache_bytes: usize,
    /// Number format of the cached output.
    pub cache_format: CacheFormat,
    /// Time limit in seconds by [`crate::Hooks::seconds`].
    #[serde(skip)]
    pub wall_seconds: Option<f64>,
    /// Where and how often the run is saved; `None` saves nothing.
    #[serde(skip)]
    pub checkpoint: Option<CheckpointOptions>,
}

impl Default for PrivateOptions {
    fn default() -> Self {
        Self {
            lora: LoraOptions { dropout: 0.0, ..LoraOptions::default() },
            upper_layers: 4,
            steps: 100,
            clip: 1.0,
            noise: 1.0,
            rate: 0.01,
            expected_batch: 64.0,
            pairs_per_user: 2,
            negatives: 64,
            trained_negatives: 8,
            temperature: 0.05,
            pull: 1e-3,
            adam: AdamOptions { learning_rate: 1e-3, clip_norm: 0.0, ..AdamOptions::default() },
            seed: 0,
            cache_bytes: 512 << 20,
            cache_format: CacheFormat::F16,
            wall_seconds: None,
            checkpoint: None,
        }
    }
}

impl PrivateOptions {
    /// # Errors
    /// [`LearnError::Option`] for the first field out of range.
    pub(super) fn check(&self) -> Result<()> {
        CommonOptions {
            adam: &self.adam,
            batch_pairs: self.pairs_per_user,
            least_pairs: 1,
            epochs: 1.0,
            wall_seconds: self.wall_seconds,
            checkpoint: self.checkpoint.as_ref(),
        }
        .check()?;
        check_range("steps", self.steps, 1..=10_000_000)?;
        check_range("noise", self.noise, 0.0..=1e4)?;
        check_range("expected_batch", self.expected_batch, 1.0..=1e9)?;
        check_range("negatives", self.negatives, 1..=65_536)?;
        check_range("trained_negatives", self.trained_negatives, 0..=4_096)?;
        check_range("temperature", self.temperature, 0.001..=10.0)?;
        check_range("pull", self.pull, 0.0..=1e6)?;
        let above = |name: &'static str, value: f64, most: f64| {
            let why = format!("{value} is not above 0 and at most {most}");
            if value > 0.0 && value <= most { Ok(()) } else { Err(LearnError::Option { name, why }) }
        };
        above("rate", self.rate, 1.0)?;
        above("clip", self.clip, f64::INFINITY)
    }
}

/// Where private steps are booked. A booked step counts as taken, whatever becomes of it.
pub trait PrivacyLedger {
    /// Books one more step and returns once that is durable; `false` if the budget does not allow it, with nothing booked.
    ///
    /// # Errors
    /// [`LearnError::Ledger`] when it cannot be written; the step is then not taken.
    fn book(&mut self) -> Result<bool>;
}
