//! The fine-tuning run: checks, resume, steps, checkpoints, result.

use std::collections::BTreeMap;

use candle_core::Device;

use super::options::{TuneOptions, TuneOutcome};
use super::step::Stepper;
use super::training_set::TrainingSet;
use crate::checkpoint::{RunCheckpoints, RunIdentity};
use crate::error::{LearnError, Result};
use crate::graph::{self, BaseEncoder, TunableEncoder};
use crate::lora::Adapter;
use crate::run::{CacheCounts, Hooks, NothingToLearn, StopReason, Throughput, planned_steps};
use crate::sampler::Sampler;

/// Fine-tunes the encoder `base` on `set`. `start` is an adapter to continue from (same rank and targets); the base is never changed. If
/// the options name a checkpoint directory that holds a checkpoint of this run, the run resumes from it.
///
/// # Errors
/// [`LearnError::Option`], [`LearnError::Text`], [`LearnError::TensorMissing`] and [`LearnError::TensorShape`] for input that does not fit;
/// [`LearnError::NotFinite`] when the loss becomes NaN or infinite; [`LearnError::Foreign`] when the checkpoint directory belongs to another
/// run; [`LearnError::Io`] when it cannot be written.
pub fn tune(
    base: BaseEncoder<'_>,
    set: TrainingSet<'_>,
    start: Option<&Adapter>,
    options: &TuneOptions,
    device: &Device,
    hooks: &mut dyn Hooks,
) -> Result<TuneOutcome> {
    options.check()?;
    set.check(base.config)?;
    let began = hooks.seconds();
    let upper = options.upper_layers.min(base.config.num_hidden_layers);
    if let Some(why) = start.and_then(|start| options.method.incompatibility(start)) {
        return Err(LearnError::Option { name: "start", why });
    }
    let encoder = TunableEncoder::new(base, &options.method, upper, options.seed, start, device)?;
    let identity = RunIdentity {
        base: graph::fingerprint(base)?,
        data: set.hash(start)?,
        options: blake3::hash(&serde_json::to_vec(options).map_err(candle_core::Error::wrap)?).to_hex().to_string(),
    };
    if start.is_some_and(|a| a.meta.base != identity.base) {
        return Err(LearnError::Option { name: "start", why: "was made for other base weights".to_owned() });
    }
    let steps_before = start.map_or(0, |s| s.meta.steps);
    let sampler = Sampler::new(set.pairs.len(), options.batch_pairs, options.seed);
    let total = planned_steps(options.epochs, sampler.batches_per_epoch(), options.max_steps);
    let mut outcome = TuneOutcome {
        learned: encoder.learned(identity.base.clone(), steps_before)?,
        stopped: StopReason::Finished,
        steps: 0,
        total_steps: total,
        resumed_from: None,
        losses: Vec::new(),
        seconds: 0.0,
        cache: CacheCounts::default(),
    };
    let idle = (total == 0 || encoder.vars().is_empty()).then_some(NothingToLearn::NothingTrains);
    if let Some(why) = set.nothing_to_learn().or(idle) {
        outcome.stopped = StopReason::NothingToLearn(why);
        outcome.total_steps = 0;
        outcome.seconds = hooks.seconds() - began;
        return Ok(outcome);
    }
    let checkpoints =
        RunCheckpoints { options: options.checkpoint.as_ref(), identity: &identity, vars: encoder.vars() };
    let mut run = Run { stepper: Stepper::new(base, &encoder, set, options, total)?, sampler, checkpoints, total };
    run.resume(&mut outcome, device)?;
    run.stepper.plan_cache(&mut run.sampler);
    outcome.stopped = run.steps(&mut outcome, began, options.wall_seconds, hooks)?;
    outcome.steps = run.stepper.adam.step;
    outcome.cache = run.stepper.cache.counts();
    outcome.learned = encoder.learned(identity.base.clone(), steps_before + outcome.steps as u64)?;
    outcome.seconds = hooks.seconds() - began;
    Ok(outcome)
}

/// State of the step loop.
struct Run<'a> {
    stepper: Stepper<'a>,
    sampler: Sampler,
    checkpoints: RunCheckpoints<'a>,
    total: usize,
}

impl Run<'_> {
    /// Restores variables, moments, ranks and losses from the latest checkpoint of this run, if there is one.
    fn resume(&mut self, outcome: &mut TuneOutcome, device: &Device) -> Result<()> {
        let Some(resumed) = self.checkpoints.resume(&mut self.stepper.adam, device)? else { return Ok(()) };
        tracing::info!(step = resumed.step, total = self.total, "resuming from a checkpoint");
        if let Some(ranks) = &mut self.stepper.ranks {
            ranks.restore(&resumed.moments, device)?;
        }
        (outcome.resumed_from, outcome.losses) = (Some(resumed.step), resumed.losses);
        Ok(())
    }

    fn save(&self, losses: &[f32]) -> Result<()> {
        let ranks = self.stepper.ranks.as_ref();
        let extra = ranks.map_or_else(BTreeMap::new, |ranks| ranks.state());
        self.checkpoints.save(&self.stepper.adam, extra, losses)
    }

    /// Takes the remaining steps; returns why they ended.
    fn steps(
        &mut self,
        outcome: &mut TuneOutcome,
        began: f64,
        wall_seconds: Option<f64>,
        hooks: &mut dyn Hooks,
    ) -> Result<StopReason> {
        let throughput = Throughput::start(self.stepper.adam.step, hooks.seconds());
        let mut written = outcome.resumed_from;
        let mut stopped = StopReason::Finished;
        while self.stepper.adam.step < self.total {
            if hooks.should_stop() {
                stopped = StopReason::Cancelled;
                break;
            }
            if wall_seconds.is_some_and(|most| hooks.seconds() - began >= most) {
                stopped = StopReason::WallBudget;
                break;
            }
            let batch = self.sampler.batch(self.stepper.adam.step).to_vec();
            let Some(mut report) = self.stepper.step(&batch, hooks)? else {
                stopped = StopReason::Cancelled;
                break;
            };
            outcome.losses.push(report.loss);
            throughput.fill(&mut report, batch.len(), hooks.seconds());
            hooks.on_step(&report);
            if self.checkpoints.is_due(report.step) {
                self.save(&outcome.losses)?;
                written = Some(report.step);
            }
        }
        let step = self.stepper.adam.step;
        if written != Some(step) && step > 0 {
            self.save(&outcome.losses)?;
        }
        Ok(stopped)
    }
}
