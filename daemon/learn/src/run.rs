//! What every training run of this crate shares: checkpoint settings, hooks, step reports and the reasons why a run ends.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Instant;

use candle_core::Device;
use serde::Serialize;

use crate::error::{LearnError, Result};
use crate::optim::AdamOptions;

/// Where and how often a run is saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointOptions {
    /// Directory of this run, created if missing. A run that finds its own checkpoint here resumes from it.
    pub dir: PathBuf,
    /// Steps between checkpoints, at least 1. The run also writes one at its end and when it is stopped.
    pub every: usize,
    /// Number of checkpoints to keep, at least 1.
    pub keep: usize,
}

/// The settings that every run over pairs has and that need a check.
pub(crate) struct CommonOptions<'a> {
    pub(crate) adam: &'a AdamOptions,
    pub(crate) batch_pairs: usize,
    /// Least number of pairs that make a batch; the most is 4096.
    pub(crate) least_pairs: usize,
    pub(crate) epochs: f64,
    pub(crate) wall_seconds: Option<f64>,
    pub(crate) checkpoint: Option<&'a CheckpointOptions>,
}

impl CommonOptions<'_> {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// [`LearnError::Option`] for the first value out of range.
    pub(crate) fn check(&self) -> Result<()> {
        self.adam.check()?;
        check_range("batch_pairs", self.batch_pairs, self.least_pairs..=4096)?;
        if !(self.epochs > 0.0 && self.epochs <= 1e6) {
            let why = format!("{} is not between 0 and 1e6", self.epochs);
            return Err(LearnError::Option { name: "epochs", why });
        }
        if self.wall_seconds.is_some_and(|s| s.is_nan() || s < 0.0) {
            let why = "is negative or not a number".to_owned();
            return Err(LearnError::Option { name: "wall_seconds", why });
        }
        if self.checkpoint.is_some_and(|c| c.every == 0) {
            return Err(LearnError::Option { name: "checkpoint.every", why: "is 0".to_owned() });
        }
        Ok(())
    }
}

/// Checks that a setting is in its range, ends included.
///
/// # Errors
/// [`LearnError::Option`] with its name and range.
pub(crate) fn check_range<T: PartialOrd + Display>(
    name: &'static str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    let why = format!("{value} is not between {} and {}", range.start(), range.end());
    Err(LearnError::Option { name, why })
}

/// A finished run over pairs.
#[derive(Debug, Clone)]
pub struct RunOutcome<T> {
    /// What was trained; the initial one with [`StopReason::NothingToLearn`].
    pub learned: T,
    /// Why the run ended.
    pub stopped: StopReason,
    /// Steps taken, including those before a resume.
    pub steps: usize,
    /// Steps planned.
    pub total_steps: usize,
    /// Step of the checkpoint that the run resumed from.
    pub resumed_from: Option<usize>,
    /// Loss of each step, including those before a resume.
    pub losses: Vec<f32>,
    /// Seconds of this run.
    pub seconds: f64,
    /// Use of the frozen-layer cache.
    pub cache: CacheCounts,
}

/// Planned steps of a run: `epochs` times the batches of an epoch, at least 1, at most `max_steps`.
pub(crate) fn planned_steps(epochs: f64, batches_per_epoch: usize, max_steps: Option<usize>) -> usize {
    let all = (epochs * batches_per_epoch as f64).ceil().max(1.0) as usize;
    max_steps.map_or(all, |most| all.min(most))
}

/// One finished step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepReport {
    /// Steps taken, from 1.
    pub step: usize,
    /// Steps planned.
    pub total: usize,
    /// Loss of the step's batch in nats; with a teacher it includes the weighted margin loss. NaN in a private run, which shows none.
    pub loss: f32,
    /// Weighted penalties: distance to the base weights, and for AdaLoRA the distance from orthonormal. Not part of `loss`.
    pub pull: f32,
    /// Global gradient norm before clipping; of a private run the norm of the noisy gradient.
    pub grad_norm: f64,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// Examples per second since the run began or was resumed.
    pub items_per_second: f64,
    /// Seconds until the last planned step at that rate.
    pub eta_s: f64,
    /// `cpu`, `cuda:0`.
    pub device: String,
    /// Bytes of frozen-layer output in memory.
    pub cache_bytes: usize,
}

/// How a run talks to its surroundings. Every method has a default that does nothing, so `()` is a valid choice.
pub trait Hooks {
    /// Called after each step.
    fn on_step(&mut self, _report: &StepReport) {}

    /// Called between micro-batches; `true` ends the run before the step changes any weight.
    fn should_stop(&mut self) -> bool {
        false
    }

    /// Called between micro-batches, some tenths of a second apart on a CPU: the place to wait while serving needs the machine.
    fn yield_now(&mut self) {}

    /// A monotonic clock in seconds; only differences matter.
    fn seconds(&self) -> f64 {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed().as_secs_f64()
    }
}

impl Hooks for () {}

/// Why a run had nothing to learn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NothingToLearn {
    /// There is no pair.
    NoPairs,
    /// There is one pair, or all positives are one item: no negative exists.
    OneItem,
    /// All labels are equal.
    OneClass,
    /// No layer trains (`upper_layers` is 0) or no step is allowed (`max_steps` is 0).
    NothingTrains,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// All planned steps were taken.
    Finished,
    /// `wall_seconds` was used up.
    WallBudget,
    /// [`Hooks::should_stop`] returned true.
    Cancelled,
    /// The ledger of a private run booked no further step.
    PrivacySpent,
    /// No step was taken; the weights are those of the start.
    NothingToLearn(NothingToLearn),
}

/// Use of the frozen-layer cache during a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// Texts answered from memory.
    pub hits: u64,
    /// Texts that went through the frozen layers.
    pub computed: u64,
}

/// Speed of a run, measured from its first step after the start or a resume.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Throughput {
    first_step: usize,
    began: f64,
}

impl Throughput {
    /// Starts measuring after `step` steps, at `now` seconds.
    pub(crate) fn start(step: usize, now: f64) -> Self {
        Self { first_step: step, began: now }
    }

    /// Sets the speed and ETA of a report. `batch` is the number of examples of a step, `now` in seconds.
    pub(crate) fn fill(&self, report: &mut StepReport, batch: usize, now: f64) {
        let elapsed = (now - self.began).max(1e-9);
        let done = (report.step - self.first_step) as f64;
        report.items_per_second = done * batch as f64 / elapsed;
        report.eta_s = (report.total - report.step) as f64 * elapsed / done;
    }
}

/// Name of a device for reports: `cpu`, `cuda:0`, `metal:0`.
pub(crate) fn device_name(device: &Device) -> String {
    match device.location() {
        candle_core::DeviceLocation::Cpu => "cpu".to_owned(),
        candle_core::DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
        candle_core::DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
    }
}
