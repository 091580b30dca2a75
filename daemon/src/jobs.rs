//! Starts runs: chooses the function that executes a plan, for new runs and for resumed ones.

use std::sync::Arc;

use mercer_reports::rdp::SampledGaussian;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{
    EvaluationRequest, MembershipRequest, ReplayRequest, Run, RunCause, SweepRequest, TrainModel, TrainRequest, Tuning,
};

use crate::cross_encoder;
use crate::evaluation::{evaluate, membership, prequential, sweep};
use crate::runs::context::{RunContext, RunExit};
use crate::runs::lifecycle::{Enqueue, enqueue};
use crate::runs::plan::{Job, Plan};
use crate::state::app::App;
use crate::state::privacy_ledger::check_budget;
use crate::state::problems::Answer;
use crate::training::cycle;

/// Does what a run's plan says.
///
/// # Errors
/// Why it ended without a result.
pub(crate) fn execute(app: &App, plan: Plan, context: &RunContext<'_>) -> Result<(), RunExit> {
    match &plan.job {
        Job::Train => match plan.request.model.unwrap_or_default() {
            TrainModel::Ranker => cycle::run(app, plan, context),
            TrainModel::Pair => cross_encoder::train::run(app, plan, context),
        },
        Job::Evaluate(request) => evaluate::run(app, &plan, request, context),
        Job::Sweep(request) => sweep::run(app, &plan, request, context),
        Job::Replay(request) => prequential::run(app, &plan, request, context),
        Job::Membership(request) => membership::run(app, &plan, request, context),
    }
}

/// Starts a run.
///
/// # Errors
/// `training-runs` while one is in progress, `not-enough-data` for an empty log, `bad-parameter` for what does not go together, `read-only`.
pub fn start_training(app: &Arc<App>, request: &TrainRequest, cause: RunCause) -> Answer<Run> {
    app.writable()?;
    let of_cycle = request.encoder.is_some() || request.promote.is_some() || request.tuning.is_some();
    if request.model == Some(TrainModel::Pair) && of_cycle {
        let why = "`encoder`, `tuning` and `promote` belong to the whole cycle, not to the cross-encoder";
        return Err(Problem::new(Code::BadParameter, why));
    }
    if request.rebuild == Some(true) && (request.model == Some(TrainModel::Pair) || request.promote == Some(false)) {
        let why = "`rebuild` replaces versions of the whole cycle and promotes what it makes";
        return Err(Problem::new(Code::BadParameter, why));
    }
    if request.encoder == Some(false) && request.tuning.is_some() {
        return Err(Problem::new(
            Code::BadParameter,
            "`tuning` says how to fine-tune an encoder that is to be left alone",
        ));
    }
    let view = app.view();
    if view.rank.log.is_empty() {
        return Err(Problem::new(Code::NotEnoughData, "there is no interaction to learn from"));
    }
    if app.config.privacy.is_on() && request.model != Some(TrainModel::Pair) && request.encoder != Some(false) {
        check_private(app, request, cause, view.user_index.len())?;
    }
    let plan = Plan { request: request.clone(), ..Plan::default() };
    let seed = request.seed.unwrap_or(app.config.train.seed);
    enqueue(app, Enqueue { plan, seed, cursor: Some(view.last_seq), cause }, execute)
}

/// Whether a cycle can tune the encoder privately. The schedule's cycles run without when the budget is spent: they have more to renew than
/// the adapter.
fn check_private(app: &App, request: &TrainRequest, cause: RunCause, users: usize) -> Answer<()> {
    if request.tuning.is_some_and(|tuning| tuning != Tuning::Lora) {
        return Err(Problem::new(Code::BadParameter, "`tuning` other than lora cannot be private (privacy.epsilon)"));
    }
    if cause != RunCause::Operator {
        return Ok(());
    }
    let config = &app.config.privacy;
    check_budget(&app.store, config, SampledGaussian { noise: config.noise, sampling: config.rate_of(users) })
}

/// Starts an evaluation; it runs where training runs, one at a time.
///
/// # Errors
/// `training-runs` while something is in progress, `not-enough-data`, `bad-parameter`, `read-only`.
pub fn start_evaluation(app: &Arc<App>, request: &EvaluationRequest) -> Answer<Run> {
    enqueue(app, evaluate::prepare(app, request)?, execute)
}

/// Starts a sweep over settings.
///
/// # Errors
/// As [`start_evaluation`].
pub fn start_sweep(app: &Arc<App>, request: &SweepRequest) -> Answer<Run> {
    enqueue(app, sweep::prepare(app, request)?, execute)
}

/// Starts a membership test.
///
/// # Errors
/// As [`start_evaluation`]; `not-enough-data` for a version that held nobody out.
pub fn start_membership(app: &Arc<App>, request: &MembershipRequest) -> Answer<Run> {
    enqueue(app, membership::prepare(app, request)?, execute)
}

/// Starts a prequential experiment.
///
/// # Errors
/// As [`start_evaluation`].
pub fn start_prequential(app: &Arc<App>, request: &ReplayRequest) -> Answer<Run> {
    enqueue(app, prequential::prepare(app, request)?, execute)
}

#[cfg(test)]
mod tests {
    use mercer_shared::time::Timestamp;
    use mercer_shared::wire::{Interaction, Item};

    use super::*;
    use crate::ingest::consent::api_origin;
    use crate::ingest::write;
    use crate::state::config::{Config, PrivacyConfig};
    use crate::versions::test_app::TestApp;

    #[test]
    fn a_spent_privacy_budget_refuses_an_operator_and_not_the_schedule() {
        // A limit that not even one step fits into.
        let privacy = PrivacyConfig { epsilon: 0.001, ..PrivacyConfig::default() };
        let app = TestApp::with(Config { privacy, ..Config::default() });
        assert!(write::items(&app, vec![Item::new("i".parse().unwrap(), "lamp")]).remove(0).is_ok());
        let bought = serde_json::json!([{"user": "u", "type": "purchase", "item": "i", "at": Timestamp::at(1)}]);
        let lines: Vec<Interaction> = serde_json::from_value(bought).unwrap();
        assert!(write::interactions(&app, lines, &api_origin(None)).iter().all(Result::is_ok));
        app.publish();
        let refused = |request: &TrainRequest| start_training(&app, request, RunCause::Operator).unwrap_err().code;
        assert_eq!(refused(&TrainRequest::default()), Code::PrivacyBudgetSpent);
        let full = TrainRequest { tuning: Some(Tuning::Full), ..TrainRequest::default() };
        assert_eq!(refused(&full), Code::BadParameter);
        assert!(check_private(&app, &TrainRequest::default(), RunCause::Schedule, 1).is_ok());
        assert!(app.runs.current.lock().is_none(), "a refused run left something behind");
    }

    #[test]
    fn a_membership_test_needs_a_version_that_held_somebody_out() {
        let app = TestApp::new();
        let refused = |model: Option<&str>| {
            let request = MembershipRequest { model: model.map(str::to_owned), ..MembershipRequest::default() };
            start_membership(&app, &request).unwrap_err().code
        };
        assert_eq!(refused(None), Code::NotEnoughData);
        assert_eq!(refused(Some("v999999")), Code::NotFound);
    }
}
