//! What a caller sets before tuning, hears while it runs and gets at the end.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::cache::CacheFormat;
use crate::error::{LearnError, Result};
use crate::graph::Method;
use crate::lora::{Adapter, LoraOptions};
use crate::losses::InfoNce;
use crate::optim::AdamOptions;

/// Settings of one run. All but `wall_seconds` and `checkpoint` decide the weights; two runs that agree in those and in the
/// data end, on the CPU of one machine, with the same bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TuneOptions {
    /// What trains in the upper layers.
    pub method: Method,
    /// How many of the last layers train; at most as many as the encoder has.
    pub upper_layers: usize,
    /// Pairs a step, 2 to 4096. More pairs are more negatives.
    pub batch_pairs: usize,
    /// Times that the pairs are gone through.
    pub epochs: f64,
    /// Most steps, whatever `epochs` says; the learning rate's schedule ends there.
    pub max_steps: Option<usize>,
    /// Most seconds by [`Hooks::seconds`]; the run then ends between two steps with what it has. The schedule does not shorten.
    #[serde(skip)]
    pub wall_seconds: Option<f64>,
    /// Optimiser and schedule.
    pub adam: AdamOptions,
    /// Loss.
    pub loss: InfoNce,
    /// Weight of the squared distance to the base (L2-SP) in the loss, 0 for none.
    pub pull: f64,
    /// Seed of adapters, order and dropout.
    pub seed: u64,
    /// Tokens that go through the graph in one piece: smaller pieces yield to serving more often, larger ones are a little faster.
    pub micro_tokens: usize,
    /// Bytes that the output of the frozen layers may take; what does not fit is computed again each time.
    pub cache_bytes: usize,
    /// Number format of that output.
    pub cache_format: CacheFormat,
    /// Where and how often the run is saved; `None` saves nothing.
    #[serde(skip)]
    pub checkpoint: Option<CheckpointOptions>,
}

/// Where and how often a run is saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointOptions {
    /// Directory of this run, made when missing. A run that finds its own checkpoint here goes on from it.
    pub dir: PathBuf,
    /// Steps between checkpoints, at least 1. One is also written at the end and when the run is stopped.
    pub every: usize,
    /// How many are kept, at least 1.
    pub keep: usize,
}

/// Checks what the options of every training have alike.
///
/// # Errors
/// [`LearnError::Option`] for the first that is out of range.
pub(crate) fn check_limits(
    epochs: f64,
    wall_seconds: Option<f64>,
    checkpoint: Option<&CheckpointOptions>,
) -> Result<()> {
    let fail = |name, why: String| Err(LearnError::Option { name, why });
    if !(epochs > 0.0 && epochs <= 1e6) {
        return fail("epochs", format!("{epochs} is not between 0 and 1e6"));
    }
    if wall_seconds.is_some_and(|s| s.is_nan() || s < 0.0) {
        return fail("wall_seconds", "is negative or not a number".to_owned());
    }
    if checkpoint.is_some_and(|c| c.every == 0) {
        return fail("checkpoint.every", "is 0".to_owned());
    }
    Ok(())
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
    /// The defaults for a method: whole weights take a tenth of the adapters' rate, as in the pair classifier.
    #[must_use]
    pub fn by(method: Method) -> Self {
        let usual = Self::default();
        let learning_rate = if method == Method::Full { 2e-5 } else { usual.adam.learning_rate };
        Self { method, adam: AdamOptions { learning_rate, ..usual.adam }, ..usual }
    }

    /// # Errors
    /// [`LearnError::Option`] for the first field out of range.
    pub(crate) fn check(&self) -> Result<()> {
        self.adam.check()?;
        self.loss.check()?;
        let fail = |name, why: String| Err(LearnError::Option { name, why });
        if !(2..=4096).contains(&self.batch_pairs) {
            return fail("batch_pairs", format!("{} is not between 2 and 4096", self.batch_pairs));
        }
        if !(0.0..=1e6).contains(&self.pull) {
            return fail("pull", format!("{} is not between 0 and 1e6", self.pull));
        }
        check_limits(self.epochs, self.wall_seconds, self.checkpoint.as_ref())
    }

    /// Steps for this number of batches an epoch.
    pub(crate) fn steps(&self, batches: usize) -> usize {
        let all = (self.epochs * batches as f64).ceil().max(1.0) as usize;
        self.max_steps.map_or(all, |most| all.min(most))
    }
}

/// One finished step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepReport {
    /// Steps taken, from 1.
    pub step: usize,
    /// Steps planned.
    pub total: usize,
    /// In-batch softmax of this step's pairs, nats; with a teacher the weighted margins as well.
    pub loss: f32,
    /// Penalties for the distance to the base and for ranks that are not at right angles, already weighted; not part of `loss`.
    pub pull: f32,
    /// Global gradient norm before clipping.
    pub grad_norm: f64,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// Pairs a second, over this run so far (resumed steps not counted).
    pub items_per_second: f64,
    /// Seconds to the last planned step at that rate.
    pub eta_s: f64,
    /// `cpu`, `cuda:0`.
    pub device: String,
    /// Bytes that the output of the frozen layers takes at present.
    pub cache_bytes: usize,
}

/// How a run talks to its surroundings. All methods have a default that does nothing, so `()` is a valid choice.
pub trait Hooks {
    /// After each step.
    fn on_step(&mut self, _report: &StepReport) {}

    /// Asked between pieces of a step; `true` ends the run before the step changes anything.
    fn should_stop(&mut self) -> bool {
        false
    }

    /// Called between pieces of a step, some tenths of a second apart on a CPU: the place to wait while serving needs the machine.
    fn yield_now(&mut self) {}

    /// A clock in seconds that never goes back; only differences matter.
    fn seconds(&self) -> f64 {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed().as_secs_f64()
    }
}

impl Hooks for () {}

/// Why there was nothing to learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Nothing {
    /// There is no pair.
    NoPairs,
    /// All positives are one item, or there is one pair: no negative exists.
    OneItem,
    /// All labels are alike.
    OneClass,
    /// No layer trains (`upper_layers` is 0) or no step is allowed (`max_steps` is 0).
    NothingTrains,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// All planned steps were taken.
    Finished,
    /// The time was used up.
    WallBudget,
    /// [`Hooks::should_stop`] said so.
    Cancelled,
    /// The weights are those of the start.
    NothingToLearn(Nothing),
}

/// A finished run.
#[derive(Debug, Clone)]
pub struct TuneOutcome {
    /// What was learned; with [`Stopped::NothingToLearn`] the start.
    pub learned: Adapter,
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
