//! What a caller sets before the network is trained.

use serde::{Deserialize, Serialize};

use super::baskets::Grouping;
use crate::error::{LearnError, Result};
use crate::optim::AdamOptions;
use crate::tune::CheckpointOptions;

/// Kinds of interaction that the network can tell apart.
pub const KINDS: usize = 16;

/// Settings of a network. All but `wall_seconds` and `checkpoint` decide the weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BehaviourOptions {
    /// Width of states, user vectors and item vectors; a multiple of `heads`.
    pub width: usize,
    /// Transformer layers.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Width inside the feed-forward part.
    pub inner: usize,
    /// Most interactions that a state looks back on; older ones reach it through the repeat term only.
    pub tokens: usize,
    /// Which interactions are one basket.
    pub grouping: Grouping,
    /// The kind that is predicted.
    pub target: u8,
    /// What a shopper takes within so many days of the moment asked about is to be predicted, the next basket always. 0: that basket alone.
    pub horizon_days: f64,
    /// A question counts half for every so many days before the cut-off: what a shop sells changes. 0: all count alike.
    pub recency_days: f64,
    /// Half-lives of popularity, days, shortest first.
    pub half_lives: [f64; 3],
    /// Most moments of one stretch of history that are asked about in one step; which ones is drawn anew each epoch.
    pub questions: usize,
    /// Most items that the repeat term looks at, those had last.
    pub had: usize,
    /// Stretches of history a step.
    pub batch: usize,
    /// Times that the history up to the first cut-off is gone through.
    pub epochs: f64,
    /// Times that what is new at a later cut-off is gone through.
    pub epochs_later: f64,
    /// Old stretches gone through again for each new one at a later cut-off.
    pub replay: f64,
    /// Most steps of one advance, whatever the epochs say.
    pub max_steps: Option<usize>,
    /// Most seconds of one advance; it then ends between two steps with what it has.
    #[serde(skip)]
    pub wall_seconds: Option<f64>,
    /// Share of states set to zero while training.
    pub dropout: f64,
    /// Share of items that have to do without their id residual in a step, so that text and prior learn to carry an item. Residuals learn by heart
    /// what sold when: high shares are what keeps that from deciding about tomorrow.
    pub id_dropout: f64,
    /// Catalogues up to so many items get the full softmax.
    pub full_softmax: usize,
    /// Items drawn for the sampled softmax above that.
    pub negatives: usize,
    /// Optimiser and schedule; the schedule runs once per advance.
    pub adam: AdamOptions,
    /// Seed of weights, order, moments, negatives and dropout.
    pub seed: u64,
    /// Where and how often an advance is saved; `None` saves nothing. Each cut-off needs a directory of its own.
    #[serde(skip)]
    pub checkpoint: Option<CheckpointOptions>,
}

impl Default for BehaviourOptions {
    fn default() -> Self {
        Self {
            width: 32,
            layers: 2,
            heads: 2,
            inner: 64,
            tokens: 96,
            grouping: Grouping::Moment,
            target: 0,
            horizon_days: 30.0,
            recency_days: 60.0,
            half_lives: [7.5, 30.0, 120.0],
            questions: 8,
            had: 512,
            batch: 32,
            epochs: 3.0,
            epochs_later: 2.0,
            replay: 1.0,
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

impl BehaviourOptions {
    /// The defaults for a shop whose lists are judged over so many days: every time in them is a multiple of that window. (The multiples, and the
    /// other defaults, were chosen on the validation window of a log with a window of 30 days.)
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
            ("questions", self.questions, 1, 4096),
            ("had", self.had, 1, 1 << 20),
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
            ("replay", self.replay, 0.0, 1e3),
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

    /// What decides weights and their meaning, as a hash.
    pub(crate) fn hash(&self) -> Result<String> {
        let json = serde_json::to_vec(self).map_err(candle_core::Error::wrap)?;
        Ok(blake3::hash(&json).to_hex().to_string())
    }
}
