//! Options of the sequence model.

use serde::{Deserialize, Serialize};

use crate::error::{LearnError, Result};
use crate::optim::AdamOptions;
use crate::run::CheckpointOptions;

/// Number of interaction kinds that the model distinguishes.
pub const KINDS: usize = 16;

/// Which events form one basket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BasketGrouping {
    /// Events at the same time.
    Moment,
    /// Events of the same UTC day, for logs that know days only.
    Day,
}

/// Settings of a sequence model. All except `wall_seconds` and `checkpoint` affect the weights. Fields with a `rename` keep the name that stored
/// models use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SequenceOptions {
    /// Width of states, user vectors and item vectors; a multiple of `heads`.
    pub width: usize,
    /// Transformer layers.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Width of the feed-forward layer.
    pub inner: usize,
    /// Context length in tokens; older events have an effect through the repeat term only.
    pub tokens: usize,
    /// Which events form one basket.
    pub grouping: BasketGrouping,
    /// Kind of interaction to predict.
    pub target: u8,
    /// Days after a prediction point whose items are targets, besides the next basket. 0: the next basket alone.
    pub horizon_days: f64,
    /// Half-life in days of a prediction point's weight before the cut-off, because a shop's assortment changes. 0: equal weights.
    pub recency_days: f64,
    /// Half-lives of popularity in days, shortest first.
    pub half_lives: [f64; 3],
    /// Maximum number of prediction points per window and step, drawn anew in each epoch.
    #[serde(rename = "questions")]
    pub points: usize,
    /// Maximum number of items in the repeat term, the latest ones.
    #[serde(rename = "had")]
    pub repeat_items: usize,
    /// Training windows per step.
    pub batch: usize,
    /// Passes over the history up to the first cut-off.
    pub epochs: f64,
    /// Passes over the new events of a later cut-off.
    pub epochs_later: f64,
    /// Old training windows per new one at a later cut-off, against forgetting.
    #[serde(rename = "replay")]
    pub experience_replay: f64,
    /// Upper limit of steps per advance, whatever the epochs say.
    pub max_steps: Option<usize>,
    /// Time limit of one advance in seconds; it then ends between two steps.
    #[serde(skip)]
    pub wall_seconds: Option<f64>,
    /// Share of values that dropout sets to zero.
    pub dropout: f64,
    /// Share of items whose id residual is dropped in a step, so that text and prior learn to carry an item. Residuals memorise what sold when; a
    /// high share keeps that from deciding about later sales.
    pub id_dropout: f64,
    /// Maximum number of items for the full softmax.
    pub full_softmax: usize,
    /// Items drawn for the sampled softmax of larger catalogues.
    pub negatives: usize,
    /// Optimiser and learning-rate schedule; the schedule runs once per advance.
    pub adam: AdamOptions,
    /// Seed of weights, order, prediction points, negatives and dropout.
    pub seed: u64,
    /// Where and how often an advance is saved; `None` saves nothing. Each cut-off needs its own directory.
    #[serde(skip)]
    pub checkpoint: Option<CheckpointOptions>,
}

impl Default for SequenceOptions {
    fn default() -> Self {
        Self {
            width: 32,
            layers: 2,
            heads: 2,
            inner: 64,
            tokens: 96,
            grouping: BasketGrouping::Moment,
            target: 0,
            horizon_days: 30.0,
            recency_days: 60.0,
            half_lives: [7.5, 30.0, 120.0],
            points: 8,
            repeat_items: 512,
            batch: 32,
            epochs: 3.0,
            epochs_later: 2.0,
            experience_replay: 1.0,
            max_steps: None,
            wall_seconds: None,
            dropout: 0.2,
            id_dropout: 0.8,
            full_softmax: 20_000,
            negatives: 4_096,
            adam: AdamOptions { learning_rate: 2e-3, weight_decay: 0.02, floor: 0.05, ..AdamOptions::default() },
            seed: 0,
            checkpoint: None,
        }
    }
}

impl SequenceOptions {
    /// The defaults for lists judged over a window of `days`: all times are multiples of the window. The multiples and the other defaults were
    /// chosen on the validation window of a log with a window of 30 days.
    #[must_use]
    pub fn for_window(days: f64) -> Self {
        Self {
            horizon_days: days,
            recency_days: 2.0 * days,
            half_lives: [days / 4.0, days, 4.0 * days],
            ..Self::default()
        }
    }

    /// # Errors
    /// [`LearnError::Option`] for the first field out of range.
    pub(crate) fn check(&self) -> Result<()> {
        self.adam.check()?;
        let fail = |name, why: String| Err(LearnError::Option { name, why });
        let counts = [
            ("width", self.width, 4, 1024),
            ("layers", self.layers, 1, 16),
            ("heads", self.heads, 1, 64),
            ("inner", self.inner, 1, 8192),
            ("tokens", self.tokens, 2, 4096),
            ("points", self.points, 1, 4096),
            ("repeat_items", self.repeat_items, 1, 1 << 20),
            ("batch", self.batch, 1, 4096),
            ("negatives", self.negatives, 1, 1 << 20),
        ];
        for (name, value, low, high) in counts {
            if !(low..=high).contains(&value) {
                return fail(name, format!("{value} is not between {low} and {high}"));
            }
        }
        let shares = [
            ("horizon_days", self.horizon_days, 0.0, 3660.0),
            ("recency_days", self.recency_days, 0.0, 1e5),
            ("epochs", self.epochs, 0.0, 1e6),
            ("epochs_later", self.epochs_later, 0.0, 1e6),
            ("experience_replay", self.experience_replay, 0.0, 1e3),
            ("dropout", self.dropout, 0.0, 0.9),
            ("id_dropout", self.id_dropout, 0.0, 0.9),
            ("half_lives", self.half_lives[0], 0.01, 1e5),
            ("half_lives", self.half_lives[1], 0.01, 1e5),
            ("half_lives", self.half_lives[2], 0.01, 1e5),
        ];
        for (name, value, low, high) in shares {
            if !(low..=high).contains(&value) {
                return fail(name, format!("{value} is not between {low} and {high}"));
            }
        }
        if !self.width.is_multiple_of(self.heads) {
            return fail("heads", format!("{} do not divide a width of {}", self.heads, self.width));
        }
        if usize::from(self.target) >= KINDS {
            return fail("target", format!("{} is not below {KINDS}", self.target));
        }
        if self.checkpoint.as_ref().is_some_and(|c| c.every == 0) {
            return fail("checkpoint.every", "is 0".to_owned());
        }
        Ok(())
    }

    /// BLAKE3 of all settings that affect the weights.
    pub(crate) fn hash(&self) -> Result<String> {
        let json = serde_json::to_vec(self).map_err(candle_core::Error::wrap)?;
        Ok(blake3::hash(&json).to_hex().to_string())
    }
}
