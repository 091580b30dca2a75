//! Tunes the upper layers of the encoder, in the background of serving, with checkpoints.

use std::time::{Duration, Instant};

use mercer_learn::losses::InfoNce;
use mercer_learn::{
    AdaLoraOptions, Adapter, BaseEncoder, CheckpointOptions, Hooks, LearnError, LoraOptions, Method, StepReport,
    StopReason, TrainingSet, TuneOptions, tune,
};
use mercer_model::{Checkpoint, ModelHandle};
use mercer_shared::wire::{PrivacyGuarantee, RunPhase, Tuning};

use crate::runs::context::{RunContext, RunExit, failed};
use crate::runs::curve::Curve;
use crate::runs::labelled_log::Scope;
use crate::runs::plan::Plan;
use crate::runs::plan::run_directory;
use crate::state::app::App;
use crate::state::config::PopularityDebias;
use crate::state::shop::ShopState;
use crate::training::contrastive_pairs::{Examples, gather};

/// How long training waits between two looks at the serving queue.
const YIELD: Duration = Duration::from_millis(5);
/// Longest wait for serving in one piece, so that a busy daemon still learns.
const LONGEST_YIELD: Duration = Duration::from_secs(2);

/// What training tells the run's document, and when it gives way.
pub(crate) struct Progress<'a, 'b> {
    context: &'a RunContext<'b>,
    model: ModelHandle,
    started: Instant,
    curve: Option<Curve>,
}

impl<'a, 'b> Progress<'a, 'b> {
    pub(crate) fn new(context: &'a RunContext<'b>, model: ModelHandle) -> Self {
        Self { context, model, started: Instant::now(), curve: None }
    }
}

impl Hooks for Progress<'_, '_> {
    fn on_step(&mut self, report: &StepReport) {
        let (step, loss) = (report.step as u64, f64::from(report.loss));
        let curve = &mut self.curve;
        self.context.update(|run| {
            (run.step, run.steps) = (step, report.total as u64);
            // Private training shows no loss.
            if loss.is_finite() {
                let curve = curve.get_or_insert_with(|| Curve::going_on(&run.losses, step));
                curve.push(step, loss);
                run.loss = Some(loss);
                curve.points().clone_into(&mut run.losses);
            }
            run.items_per_second = Some(report.items_per_second);
            run.eta_seconds = Some(report.eta_s);
        });
    }

    fn should_stop(&mut self) -> bool {
        self.context.check().is_err()
    }

    fn yield_now(&mut self) {
        let begun = Instant::now();
        while self.model.stats().serving_waiting > 0 && begun.elapsed() < LONGEST_YIELD {
            std::thread::sleep(YIELD);
        }
    }

    fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}

/// Trains. Starts over if the run's checkpoint was made with other data: a user was erased or withdrew consent, and the
/// weights would keep what they learned from that user.
pub(crate) fn or_anew<T>(
    app: &App,
    plan: &Plan,
    context: &RunContext<'_>,
    what_trains: &str,
    mut attempt: impl FnMut(&RunContext<'_>) -> mercer_learn::Result<T>,
) -> Result<T, RunExit> {
    let outcome = match attempt(context) {
        Err(LearnError::Foreign { what, .. }) => {
            context.note(format!("the checkpoint was made with other {what}: {what_trains} starts over"));
            std::fs::remove_dir_all(run_directory(app, &plan.run)).map_err(|e| failed(&e))?;
            attempt(context)
        }
        outcome => outcome,
    };
    outcome.map_err(|e| failed(&e))
}

/// The learner's method for a way of tuning, with its default sizes.
pub(crate) fn method(tuning: Tuning) -> Method {
    match tuning {
        Tuning::Lora => Method::Lora(LoraOptions::default()),
        Tuning::Adalora => Method::AdaLora(AdaLoraOptions::default()),
        Tuning::Full => Method::Full,
    }
}

/// The learner's loss with or without the correction for popularity.
fn loss(debias: PopularityDebias) -> InfoNce {
    InfoNce { log_q: debias == PopularityDebias::Logq, ..InfoNce::default() }
}

/// What an encoder is trained from and how.
pub(crate) struct EncoderTraining<'a> {
    /// The base encoder.
    pub(crate) base: &'a Checkpoint,
    /// The adapter to go on from.
    pub(crate) start: Option<&'a Adapter>,
    /// What is guaranteed about that adapter.
    pub(crate) guarantee: Option<PrivacyGuarantee>,
    /// What is tuned.
    pub(crate) method: Method,
    /// Decides everything random.
    pub(crate) seed: u64,
    /// Most seconds.
    pub(crate) seconds: f64,
}

/// A tuned encoder.
pub(crate) struct Tuned {
    /// The base with the adapter applied.
    pub(crate) checkpoint: Checkpoint,
    /// The adapter.
    pub(crate) adapter: Adapter,
    /// What is guaranteed about it, where it was trained privately.
    pub(crate) privacy: Option<PrivacyGuarantee>,
}

/// Fine-tunes an encoder on the log up to the cut-off. `None` if there was nothing to learn.
pub(crate) fn train(
    app: &App,
    view: &ShopState,
    plan: &Plan,
    training: EncoderTraining<'_>,
    context: &RunContext<'_>,
) -> Result<Option<Tuned>, RunExit> {
    let EncoderTraining { base, start, method, seed, seconds, .. } = training;
    let scope = Scope { cursor: plan.cursor, after: i64::MIN, until: plan.cutoff };
    let Examples { texts, pairs, known, fresh, balanced } = gather(app, view, base, scope, plan.since, seed)?;
    context.note(format!(
        "{} pairs of texts up to the cut-off: from {fresh} that came since the last cycle, and replay; thinned if many",
        pairs.len()
    ));
    balanced.into_iter().for_each(|what| context.note(what));
    if fresh == 0 {
        context.note("no new pair: the encoder stays as it is");
        return Ok(None);
    }
    context.phase(RunPhase::Encoder, 0);
    context.limit_phase(seconds);
    let options = TuneOptions {
        epochs: 1.0,
        wall_seconds: Some(seconds),
        seed,
        checkpoint: Some(CheckpointOptions {
            dir: run_directory(app, &plan.run),
            every: app.config.train.checkpoint_steps.max(1) as usize,
            keep: 2,
        }),
        loss: loss(app.config.train.popularity_debias),
        ..TuneOptions::for_method(method)
    };
    crate::runs::record::tuning(context, &options);
    let base_ref = BaseEncoder { config: &base.config, pooling: base.rules.pooling, tensors: &base.tensors };
    let set = TrainingSet { texts: &texts, pairs: &pairs, known: &known, teacher: None };
    let device = mercer_model::device::pick();
    let attempt = |context: &RunContext<'_>| {
        let mut hooks = Progress::new(context, app.model.clone());
        tune(base_ref, set, start, &options, &device, &mut hooks)
    };
    let outcome = or_anew(app, plan, context, "the encoder's part", attempt)?;
    context.check()?;
    if let Some(step) = outcome.resumed_from {
        context.note(format!("the encoder went on from step {step}"));
    }
    context.note(format!(
        "encoder: {} after {} of {} steps in {:.0} s",
        ending(&outcome.stopped),
        outcome.steps,
        outcome.total_steps,
        outcome.seconds
    ));
    if matches!(outcome.stopped, StopReason::NothingToLearn(_)) || outcome.steps == 0 {
        return Ok(None);
    }
    let changed = outcome.learned.changed(&base.tensors).map_err(|e| failed(&e))?;
    let adapter = outcome.learned;
    let checkpoint = base.with_tensors(&base.identity.name, changed).map_err(|e| failed(&e))?;
    Ok(Some(Tuned { checkpoint, adapter, privacy: None }))
}

pub(crate) const fn ending(stopped: &StopReason) -> &'static str {
    match stopped {
        StopReason::Finished => "finished",
        StopReason::WallBudget => "time used up (another machine may come further, to other weights)",
        StopReason::Cancelled => "stopped",
        StopReason::PrivacySpent => "the privacy budget is spent",
        StopReason::NothingToLearn(_) => "nothing to learn",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_is_corrected_for_popularity_only_if_asked() {
        assert_eq!(loss(PopularityDebias::None), InfoNce::default());
        assert!(!InfoNce::default().log_q && loss(PopularityDebias::Logq).log_q);
    }
}
