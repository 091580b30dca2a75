//! Tunes the encoder's adapter privately, within the budget of the ledger.

use mercer_learn::private::PrivateOptions;
use mercer_learn::{Adapter, BaseEncoder, CheckpointOptions, LearnError, PrivacyLedger, StopReason, tune_privately};
use mercer_model::Checkpoint;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{PrivacyGuarantee, RunPhase};

use crate::runs::context::{RunContext, RunExit, failed};
use crate::runs::labelled_log::Scope;
use crate::runs::plan::{Plan, run_directory};
use crate::runs::record;
use crate::state::app::App;
use crate::state::privacy_ledger::{Entry, RunBudget};
use crate::state::shop::ShopState;
use crate::training::encoder_tuning::{EncoderTraining, Progress, Tuned, ending, or_anew};
use crate::training::private_pairs::{PrivateExamples, gather};

/// Lets the learner book its steps in the store.
struct Booking<'a, 'b>(&'a mut RunBudget<'b>);

impl PrivacyLedger for Booking<'_, '_> {
    fn book(&mut self) -> mercer_learn::Result<bool> {
        self.0.book().map_err(|problem| LearnError::Ledger { why: problem.to_string() })
    }
}

/// Fine-tunes the adapter on the log up to the cut-off. Where the budget allows no step, the adapter to start from stays as it is. `None` if
/// there was nothing to learn and nothing to keep.
pub(crate) fn train(
    app: &App,
    view: &ShopState,
    plan: &Plan,
    training: &EncoderTraining<'_>,
    context: &RunContext<'_>,
) -> Result<Option<Tuned>, RunExit> {
    let EncoderTraining { base, start, seed, seconds, .. } = *training;
    let scope = Scope { cursor: plan.cursor, after: i64::MIN, until: plan.cutoff };
    let examples = gather(app, view, base, scope)?;
    let config = &app.config.privacy;
    let mut options = PrivateOptions {
        steps: config.steps as usize,
        clip: config.clip,
        noise: config.noise,
        rate: config.rate_of(examples.users.len()),
        expected_batch: config.expected_batch,
        pairs_per_user: config.pairs_per_user,
        seed,
        wall_seconds: Some(seconds),
        checkpoint: Some(CheckpointOptions {
            dir: run_directory(app, &plan.run),
            every: app.config.train.checkpoint_steps.max(1) as usize,
            keep: 2,
        }),
        ..PrivateOptions::default()
    };
    options.adam.learning_rate = config.learning_rate;
    let entry = entry(&plan.run, plan.cutoff, &options);
    let mut budget = RunBudget::open(&app.store, config, entry)?;
    let left = usize::try_from(budget.steps_left()).unwrap_or(usize::MAX);
    if left == 0 {
        let spent = budget.epsilon()?;
        context.note(format!(
            "the privacy budget is spent: epsilon {spent:.4} of {} at delta {}; the adapter stays as it is",
            config.epsilon, config.delta
        ));
        return start.map(|adapter| with_adapter(base, adapter, training.guarantee.clone())).transpose();
    }
    if left < options.steps {
        context.note(format!("{left} of {} private steps are left in the budget", options.steps));
    }
    context.phase(RunPhase::Encoder, 0);
    context.limit_phase(seconds);
    record::private_tuning(context, &options);
    let outcome = attempt(app, plan, training, &examples, &options, &mut budget, context)?;
    context.check()?;
    let guarantee = budget.guarantee()?;
    context.note(format!(
        "encoder, privately: {} after {} of {} steps in {:.0} s on {} pairs of {} shoppers; epsilon {:.4} for this run, {:.4} of {} in \
         all, at delta {} per shopper",
        ending(&outcome.stopped),
        outcome.steps,
        outcome.total_steps,
        outcome.seconds,
        examples.pairs(),
        examples.users.len(),
        guarantee.epsilon,
        guarantee.epsilon_total,
        guarantee.limit,
        guarantee.delta
    ));
    if matches!(outcome.stopped, StopReason::NothingToLearn(_)) || outcome.steps == 0 {
        return Ok(None);
    }
    with_adapter(base, &outcome.learned, Some(guarantee)).map(Some)
}

/// Trains, anew where a checkpoint has other data.
fn attempt(
    app: &App,
    plan: &Plan,
    training: &EncoderTraining<'_>,
    examples: &PrivateExamples,
    options: &PrivateOptions,
    budget: &mut RunBudget<'_>,
    context: &RunContext<'_>,
) -> Result<mercer_learn::TuneOutcome, RunExit> {
    let base = training.base;
    let of_base = BaseEncoder { config: &base.config, pooling: base.rules.pooling, tensors: &base.tensors };
    let device = mercer_model::device::pick();
    or_anew(app, plan, context, "the encoder's part", |context: &RunContext<'_>| {
        let mut hooks = Progress::new(context, app.model.clone());
        let mut ledger = Booking(budget);
        tune_privately(of_base, examples.set(), training.start, options, &device, &mut ledger, &mut hooks)
    })
}

/// What a step of this run is, for the ledger.
fn entry(run: &str, until: i64, options: &PrivateOptions) -> Entry {
    Entry {
        run: run.to_owned(),
        at: Timestamp::now(),
        until: Timestamp::at(until),
        noise: options.noise,
        rate: options.rate,
        clip: options.clip,
        expected_batch: options.expected_batch,
        steps: 0,
    }
}

/// The encoder with an adapter.
fn with_adapter(base: &Checkpoint, adapter: &Adapter, privacy: Option<PrivacyGuarantee>) -> Result<Tuned, RunExit> {
    let changed = adapter.changed(&base.tensors).map_err(|e| failed(&e))?;
    let checkpoint = base.with_tensors(&base.identity.name, changed).map_err(|e| failed(&e))?;
    Ok(Tuned { checkpoint, adapter: adapter.clone(), privacy })
}
