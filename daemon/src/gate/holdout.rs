//! Holds a fixed share of the users out of training and of gates, chosen by pseudonym; none in small shops. They are evaluated rarely,
//! because every evaluation makes their values less independent (METRICS.md section 2).

use mercer_rank::Log;
use mercer_shared::ids::UserId;
use mercer_shared::wire::MetricValue;
use mercer_store::{Setting, SettingDocument};
use serde::{Deserialize, Serialize};

use crate::gate::decide::metric;
use crate::gate::evaluate::Evaluated;
use crate::reports::window_lists::known;
use crate::runs::context::{RunContext, RunExit};
use crate::runs::plan::Plan;
use crate::state::app::App;
use crate::state::buckets;
use crate::state::problems::store_problem;
use crate::state::shop::{ShopState, Who};

/// Number of promotions so far.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Promotions(u64);

impl SettingDocument for Promotions {
    const SETTING: Setting = Setting::HoldoutPromotions;
}

fn is_held(app: &App, user: &UserId, share: f64) -> bool {
    buckets::place(&app.store, user, "mercer 2026-01 holdout shoppers") < share
}

/// The held-out share of this run: the configured one if there are enough users. A resumed run keeps its share.
pub(crate) fn share(app: &App, view: &ShopState, plan: &Plan) -> f64 {
    if plan.cursor > 0 {
        return plan.holdout;
    }
    let config = &app.config.gate;
    if view.user_index.len() >= config.holdout_shoppers { config.holdout } else { 0.0 }
}

/// The shop without consent to training of the held-out users: training and the gate both leave them out.
pub(crate) fn without(app: &App, view: &ShopState, share: f64) -> ShopState {
    let mut view = view.clone();
    if share > 0.0 {
        for number in 0..view.subjects.len() {
            let Some(subject) = view.subjects.get(number).filter(|subject| subject.consent.train) else { continue };
            if matches!(&subject.who, Who::User(id) if is_held(app, id, share)) {
                let mut subject = (**subject).clone();
                subject.consent.train = false;
                view.subjects.set(number, std::sync::Arc::new(subject));
            }
        }
    }
    view
}

/// The shop without consent to training of all but the held-out users: what [`without`] leaves out, and nobody else.
pub(crate) fn only(app: &App, view: &ShopState, share: f64) -> ShopState {
    let mut view = view.clone();
    for number in 0..view.subjects.len() {
        let Some(subject) = view.subjects.get(number).filter(|subject| subject.consent.train) else { continue };
        if !matches!(&subject.who, Who::User(id) if is_held(app, id, share)) {
            let mut subject = (**subject).clone();
            subject.consent.train = false;
            view.subjects.set(number, std::sync::Arc::new(subject));
        }
    }
    view
}

/// The log of the held-out users who agreed to training.
pub(crate) fn log(app: &App, view: &ShopState, share: f64) -> Log {
    let mut log = view.training_log();
    for (number, subject) in view.subjects.iter().enumerate() {
        if !matches!(&subject.who, Who::User(id) if is_held(app, id, share)) {
            log.erase(number as u32);
        }
    }
    log
}

/// Whether this cycle evaluates them: every few promotions, or on request.
pub(crate) fn due(app: &App, plan: &Plan, passed: bool) -> Result<bool, RunExit> {
    if plan.holdout <= 0.0 {
        return Ok(false);
    }
    let mut promotions: Promotions = app.store.get_setting().map_err(|e| store_problem(&e))?.unwrap_or_default();
    if passed {
        promotions.0 += 1;
        app.store.put_setting(&promotions).map_err(|e| store_problem(&e))?;
    }
    let every = app.config.gate.holdout_every;
    Ok(plan.request.holdout.unwrap_or(passed && every > 0 && promotions.0.is_multiple_of(every)))
}

/// What the held-out users are compared on.
pub(crate) struct HoldoutComparison<'a> {
    /// Of bootstrap and randomisation.
    pub(crate) seed: u64,
    /// Name of the serving version.
    pub(crate) incumbent: &'a str,
    /// Whether the serving version has learned from the window.
    pub(crate) incumbent_has_seen_window: bool,
    /// The candidate's lists.
    pub(crate) candidate: &'a Evaluated,
    /// The serving version's lists.
    pub(crate) incumbent_evaluated: &'a Evaluated,
}

/// The result for the held-out users: sentences for the run's log, numbers for the version.
pub(crate) fn report(context: &RunContext<'_>, comparison: &HoldoutComparison<'_>) -> Vec<MetricValue> {
    let &HoldoutComparison { seed, incumbent, candidate, incumbent_evaluated: theirs, .. } = comparison;
    let seen = comparison.incumbent_has_seen_window;
    let mut metrics = Vec::new();
    for (slice, mine, theirs) in
        [("holdout repeat", &candidate.all, &theirs.all), ("holdout new", &candidate.novel, &theirs.novel)]
    {
        if mine.users.is_empty() {
            context.note(format!("{slice}: none of the shoppers held out came back in the window"));
            continue;
        }
        let value = metric(slice, &mine.ndcg, seed);
        let paired = mercer_reports::compare_paired(&known(&mine.ndcg), &known(&theirs.ndcg), 0.025, 2_000, seed);
        let against = paired.map_or_else(
            |why| why.to_string(),
            |c| format!("{:+.4} [{:+.4}, {:+.4}]", c.difference, c.interval.low, c.interval.high),
        );
        let knows = if seen { ", which knows the window from others" } else { "" };
        context.note(format!(
            "{slice}: ndcg@10 {:.4} [{:.4}, {:.4}] on {} shoppers that no training and no gate has seen; against {incumbent}{knows}: \
             {against}",
            value.value.unwrap_or(f64::NAN),
            value.low.unwrap_or(f64::NAN),
            value.high.unwrap_or(f64::NAN),
            value.n
        ));
        metrics.push(value);
    }
    metrics
}
