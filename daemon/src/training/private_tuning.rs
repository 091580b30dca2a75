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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use mercer_shared::wire::{Interaction, Item, Tuning};

    use super::*;
    use crate::ingest::consent::api_origin;
    use crate::ingest::write;
    use crate::state::config::{Config, PrivacyConfig};
    use crate::state::privacy_ledger::Ledger;
    use crate::training::encoder_tuning::method;
    use crate::versions::encoders::{self, ActiveEncoder};
    use crate::versions::test_app::TestApp;

    /// Six users who buy some of twelve items on four days.
    fn app() -> TestApp {
        let privacy = PrivacyConfig {
            epsilon: 8.0,
            noise: 2.0,
            rate: 1.0,
            expected_batch: 4.0,
            steps: 2,
            pairs_per_user: 1,
            ..PrivacyConfig::default()
        };
        let app = TestApp::with(Config { privacy, ..Config::default() });
        let items = (0..12).map(|n| Item::new(format!("i{n}").parse().unwrap(), format!("thing number {n}"))).collect();
        assert!(write::items(&app, items).iter().all(Result::is_ok));
        let lines: Vec<serde_json::Value> = (0..24)
            .map(|n| {
                let (user, day) = (n % 6, n / 6);
                let item = format!("i{}", (user * 2 + day * 5) % 12);
                let at = Timestamp::at((1 + day) * mercer_rank::DAY_MS);
                serde_json::json!({"user": format!("u{user}"), "type": "purchase", "item": item, "at": at})
            })
            .collect();
        let lines: Vec<Interaction> = serde_json::from_value(lines.into()).unwrap();
        assert!(write::interactions(&app, lines, &api_origin(None)).iter().all(Result::is_ok));
        app.publish();
        app
    }

    #[test]
    fn runs_book_their_steps_and_keep_the_adapter_once_the_budget_is_spent() {
        let app = app();
        let view = app.view();
        let ActiveEncoder { name, sha256 } = encoders::active_encoder(&app.store).unwrap();
        let base = encoders::base(&app.config.state, &name, &sha256).unwrap();
        let context = RunContext::new(&app, Arc::new(AtomicBool::new(false)), 600);
        let (mut last, mut booked): (Option<Tuned>, Vec<u64>) = (None, Vec::new());
        for number in 1..6 {
            let plan =
                Plan { run: format!("r{number}"), cursor: view.last_seq, cutoff: view.last_event, ..Plan::default() };
            let training = EncoderTraining {
                base: &base,
                start: last.as_ref().map(|tuned| &tuned.adapter),
                guarantee: last.as_ref().and_then(|tuned| tuned.privacy.clone()),
                method: method(Tuning::Lora),
                seed: 1,
                seconds: 600.0,
            };
            let tuned = train(&app, &view, &plan, &training, &context).unwrap().unwrap();
            let ledger = Ledger::load(&app.store).unwrap();
            let guarantee = tuned.privacy.clone().unwrap();
            assert!(ledger.epsilon(guarantee.delta).unwrap() <= guarantee.limit);
            assert_eq!(ledger.epsilon(guarantee.delta).unwrap(), guarantee.epsilon_total);
            let steps = ledger.entries().iter().map(|entry| entry.steps).sum::<u64>();
            let before = last.as_ref().map(|tuned| tuned.adapter.to_bytes().unwrap());
            let spent = booked.last() == Some(&steps);
            assert_eq!(before.as_ref() == Some(&tuned.adapter.to_bytes().unwrap()), spent, "trained without booking");
            booked.push(steps);
            last = Some(tuned);
            if spent {
                break;
            }
        }
        assert!(booked.len() > 2 && booked[0] == 2, "{booked:?}");
        assert_eq!(booked[booked.len() - 1], booked[booked.len() - 2], "the limit was never reached: {booked:?}");
    }
}
