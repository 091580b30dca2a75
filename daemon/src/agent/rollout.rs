//! Watches versions on trial: canaries, which answer a share of the shoppers, and versions that were promoted in the
//! last hours. A broken guardrail takes a version back; otherwise it stays when its time has passed. Both outcomes are
//! recorded.

use mercer_shared::problem::Problem;

use crate::agent::decisions::record;
use crate::state::app::App;
use crate::state::guardrails::{Against, breach};
use crate::state::problems::Answer;
use crate::versions::canary;
use crate::versions::promote;
use crate::versions::trial;
use trial::Trial;

/// Kind of the alarm about a version that was taken back.
const ALARM: &str = "rolled-back";

/// One look at what is on trial.
pub(crate) fn look(app: &App) {
    if let Err(problem) = watch_canary(app).and_then(|()| watch_first_hours(app)) {
        tracing::error!(%problem, "a version on trial could not be dealt with");
    }
}

fn watch_canary(app: &App) -> Answer<()> {
    let Some(trial) = trial::current(app)? else { return Ok(()) };
    if app.view().canary.is_none() && app.shop.lock().view().canary.is_none() {
        return take_up(app, &trial);
    }
    canary::catch_up(app)?;
    // Only the operator ends an interleaving: it is an experiment, no rollout.
    if trial.interleave {
        return Ok(());
    }
    let (mine, theirs) = (app.guardrails.tally(&trial.version), app.guardrails.tally(&trial.other));
    let Some(mine) = mine else { return Ok(()) };
    let words = |what: &str| format!("{} on trial for {:.2} h: {what}; {}", trial.version, trial.hours(), mine.words());
    if let Some(why) = breach(&mine, theirs.as_ref().map(|theirs| (theirs, Against::Beside))) {
        canary::failed(app, &trial)?;
        taken_back(app, &trial.version, &trial.other, words(&why), "a guardrail of the canary broke");
    } else if trial.hours() >= app.config.serve.canary_hours {
        canary::passed(app, &trial)?;
        app.audit(None, "promote", &trial.version, "the canary kept within its guardrails");
        let rule = format!("no guardrail broke in {} h", app.config.serve.canary_hours);
        record(app, words("no guardrail broke"), rule, format!("{} serves everybody", trial.version), None);
    }
    Ok(())
}

/// After a start of the daemon. A canary that cannot be loaded has failed.
fn take_up(app: &App, trial: &Trial) -> Answer<()> {
    match canary::resume(app, trial) {
        Ok(()) => tracing::info!(version = trial.version, "the canary goes on"),
        Err(_) if app.is_stopping() => {}
        Err(problem) => {
            canary::failed(app, trial)?;
            let saw = format!("{} cannot be loaded: {problem}", trial.version);
            taken_back(app, &trial.version, &trial.other, saw, "a canary must be loadable");
        }
    }
    Ok(())
}

fn watch_first_hours(app: &App) -> Answer<()> {
    let Some(trial) = trial::grace(app)? else { return Ok(()) };
    let serving = app.view().model.meta.version.clone();
    if serving != trial.version || trial.hours() >= app.config.serve.grace_hours {
        // Somebody has chosen another version, or it has served long enough.
        return trial::end_grace(app);
    }
    let Some(mine) = app.guardrails.tally(&trial.version) else { return Ok(()) };
    // After a start of the daemon nothing is known of the version before: the rules without a comparison hold.
    let before = app.guardrails.tally(&trial.other);
    let Some(why) = breach(&mine, before.as_ref().map(|before| (before, Against::Before))) else { return Ok(()) };
    trial::end_grace(app)?;
    let saw = format!("{} serves for {:.2} h: {why}; {}", trial.version, trial.hours(), mine.words());
    let rule = format!("a guardrail broke within {} h of the promotion", app.config.serve.grace_hours);
    match promote::rollback(app) {
        Ok(before) => taken_back(app, &trial.version, &before.version, saw, &rule),
        Err(problem) => could_not(app, saw, rule, &problem),
    }
    Ok(())
}

fn taken_back(app: &App, version: &str, serves: &str, saw: String, rule: &str) {
    app.raise(ALARM, saw.clone());
    app.audit(None, "rollback", version, saw.clone());
    record(app, saw, rule.to_owned(), format!("took {version} back; {serves} serves"), None);
}

fn could_not(app: &App, saw: String, rule: String, problem: &Problem) {
    app.raise(ALARM, format!("{saw}; it could not be taken back: {problem}"));
    record(app, saw, rule, format!("could not take it back: {problem}"), None);
}
