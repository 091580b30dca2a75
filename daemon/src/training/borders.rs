//! Fixes the borders of a run: the cut-off, the end of its window, and the part of the log that the serving adapter has
//! learned from.

use mercer_rank::Log;

use crate::reports::window_lists::window;
use crate::runs::context::RunExit;
use crate::runs::plan::Plan;
use crate::state::app::App;
use crate::state::problems::store_problem;
use crate::state::shop::ShopState;

/// Completes the plan with its borders and returns the number of users who returned in the window. A plan that has
/// borders keeps them. A run without an evaluation window ends, because nothing could be evaluated.
pub(crate) fn bordered(view: &ShopState, log: &Log, mut plan: Plan) -> Result<(Plan, usize), RunExit> {
    let nothing = |why: &str| RunExit::Nothing(format!("{why}: nothing could be judged, so nothing is trained"));
    let (cutoff, to) = window(log, view.last_event).ok_or_else(|| nothing("the log is shorter than two windows"))?;
    let back = came_back(log, cutoff, to);
    if back == 0 {
        return Err(nothing("no shopper who had bought before came back in the last window"));
    }
    let serving = &view.model.meta;
    let learned = serving.gate.as_ref().filter(|_| serving.encoder.adapter.is_some());
    plan.cursor = view.last_seq;
    (plan.cutoff, plan.to) = (cutoff, to);
    plan.since = learned.map_or(i64::MIN, |gate| gate.from.millis());
    plan.parent.clone_from(&serving.version);
    Ok((plan, back))
}

pub(crate) fn written(app: &App, plan: Plan) -> Result<Plan, RunExit> {
    app.store.put_setting(&plan).map_err(|e| store_problem(&e))?;
    Ok(plan)
}

/// The borders of a run, written down before anything is computed.
pub(crate) fn borders(app: &App, view: &ShopState, log: &Log, plan: Plan) -> Result<Plan, RunExit> {
    if plan.cursor > 0 { Ok(plan) } else { written(app, bordered(view, log, plan)?.0) }
}

/// Users with interactions of the target kind both before the cut-off and in the window after it.
fn came_back(log: &Log, cutoff: i64, to: i64) -> usize {
    let target = log.summary(cutoff).target;
    let took = |events: &[mercer_rank::Event]| events.iter().any(|event| event.kind == target);
    let users = 0..log.users() as u32;
    users.filter(|&user| took(log.until(user, cutoff)) && took(log.between(user, cutoff, to))).count()
}
