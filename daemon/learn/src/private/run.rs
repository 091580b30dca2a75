//! The private fine-tuning run: checks, resume, booked steps, checkpoints, result.

use std::collections::BTreeMap;

use candle_core::Device;

use super::options::{PrivacyLedger, PrivateOptions};
use super::random::PrivateRng;
use super::set::PrivateSet;
use super::step::PrivateStepper;
use crate::checkpoint::{RunCheckpoints, RunIdentity};
use crate::error::{LearnError, Result};
use crate::graph::{self, BaseEncoder, Method, TunableEncoder};
use crate::lora::Adapter;
use crate::run::{CacheCounts, Hooks, NothingToLearn, StopReason, Throughput};
use crate::tune::TuneOutcome;

/// Fine-tunes an adapter on `base` so that the adapter, and every checkpoint on the way, is differentially private for each user of `set`;
/// what the run costs is what `ledger` booked. `start` is an adapter to continue from: the guarantee holds for its users only if it was
/// made privately too, under the same ledger.
///
/// The outcome has no losses: a loss would tell about the data without noise. If the options name a checkpoint directory with a checkpoint
/// of this run, it resumes from there, with fresh randomness; the steps after the checkpoint were booked already and are booked again.
///
/// # Errors
/// As [`crate::tune()`]; [`LearnError::Ledger`] when a step cannot be booked.
pub fn tune_privately(
    base: BaseEncoder<'_>,
    set: PrivateSet<'_>,
    start: Option<&Adapter>,
    options: &PrivateOptions,
    device: &Device,
    ledger: &mut dyn PrivacyLedger,
    hooks: &mut dyn Hooks,
) -> Result<TuneOutcome> {
    options.check()?;
    set.check(base.config)?;
    let began = hooks.seconds();
    let method = Method::Lora(options.lora.clone());
    if let Some(why) = start.and_then(|start| method.incompatibility(start)) {
        return Err(LearnError::Option { name: "start", why });
    }
    let upper = options.upper_layers.min(base.config.num_hidden_layers);
    let encoder = TunableEncoder::new(base, &method, upper, options.seed, start, device)?;
    let identity = RunIdentity {
        base: graph::fingerprint(base)?,
        data: set.hash(start)?,
        options: blake3::hash(&serde_json::to_vec(options).map_err(candle_core::Error::wrap)?).to_hex().to_string(),
    };
    if start.is_some_and(|start| start.meta.base != identity.base) {
        return Err(LearnError::Option { name: "start", why: "was made for other base weights".to_owned() });
    }
    let steps_before = start.map_or(0, |start| start.meta.steps);
    let mut outcome = TuneOutcome {
        learned: encoder.learned(identity.base.clone(), steps_before)?,
        stopped: StopReason::Finished,
        steps: 0,
        total_steps: options.steps,
        resumed_from: None,
        losses: Vec::new(),
        seconds: 0.0,
        cache: CacheCounts::default(),
    };
    let idle = encoder.vars().is_empty().then_some(NothingToLearn::NothingTrains);
    if let Some(why) = set.nothing_to_learn().or(idle) {
        (outcome.stopped, outcome.total_steps) = (StopReason::NothingToLearn(why), 0);
        outcome.seconds = hooks.seconds() - began;
        return Ok(outcome);
    }
    let checkpoints =
        RunCheckpoints { options: options.checkpoint.as_ref(), identity: &identity, vars: encoder.vars() };
    let mut stepper = PrivateStepper::new(&encoder, set, options, PrivateRng::from_os()?)?;
    outcome.resumed_from = checkpoints.resume(&mut stepper.adam, device)?.map(|saved| saved.step);
    let mut run = Run { stepper, checkpoints, options, written: outcome.resumed_from };
    outcome.stopped = run.steps(began, ledger, hooks)?;
    outcome.steps = run.stepper.adam.step;
    outcome.cache = run.stepper.cache.counts();
    outcome.learned = encoder.learned(identity.base.clone(), steps_before + outcome.steps as u64)?;
    outcome.seconds = hooks.seconds() - began;
    Ok(outcome)
}

/// State of the step loop.
struct Run<'a> {
    stepper: PrivateStepper<'a>,
    checkpoints: RunCheckpoints<'a>,
    options: &'a PrivateOptions,
    /// Step of the latest checkpoint.
    written: Option<usize>,
}

impl Run<'_> {
    /// Takes the remaining steps, each booked before; returns why they ended.
    fn steps(&mut self, began: f64, ledger: &mut dyn PrivacyLedger, hooks: &mut dyn Hooks) -> Result<StopReason> {
        let throughput = Throughput::start(self.stepper.adam.step, hooks.seconds());
        let stopped = loop {
            if self.stepper.adam.step >= self.options.steps {
                break StopReason::Finished;
            }
            if hooks.should_stop() {
                break StopReason::Cancelled;
            }
            if self.options.wall_seconds.is_some_and(|most| hooks.seconds() - began >= most) {
                break StopReason::WallBudget;
            }
            if !ledger.book()? {
                break StopReason::PrivacySpent;
            }
            let Some(mut report) = self.stepper.step(hooks)? else { break StopReason::Cancelled };
            throughput.fill(&mut report, self.options.expected_batch as usize, hooks.seconds());
            hooks.on_step(&report);
            if self.checkpoints.is_due(report.step) {
                self.save()?;
            }
        };
        let step = self.stepper.adam.step;
        if self.written != Some(step) && step > 0 {
            self.save()?;
        }
        Ok(stopped)
    }

    fn save(&mut self) -> Result<()> {
        self.written = Some(self.stepper.adam.step);
        self.checkpoints.save(&self.stepper.adam, BTreeMap::new(), &[])
    }
}
