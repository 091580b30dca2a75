//! Canaries: a version that passed the gate first answers a sticky share of the users, beside the serving one. The agent watches its
//! guardrails and lets it serve everybody or takes it back.

use std::sync::Arc;

use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{EventKind, ModelState, ModelVersion};

use crate::background::follow;
use crate::state::app::App;
use crate::state::problems::Answer;
use crate::state::problems::store_problem;
use crate::state::shop::model::Model;
use crate::state::shop::writer::OnTrial;
use crate::versions::embedded_catalogue;
use crate::versions::embedded_catalogue::EmbeddedCatalogue;
use crate::versions::registry;
use crate::versions::trial::{Canary, Grace, Trial, mark, put, stop, superseded};
use crate::versions::{load, promote};

/// Rolls out a version that passed the gate: to a share of the users if `serve.canary_share` is set, else to everybody, watched for the
/// first hours. Returns a sentence on what was done.
///
/// # Errors
/// As [`promote::install`].
pub fn put_to_work(app: &App, model: Model, embedded: &EmbeddedCatalogue) -> Answer<String> {
    let version = model.meta.version.clone();
    let other = app.view().model.meta.version.clone();
    let share = app.config.serve.canary_share;
    if share > 0.0 {
        begin(app, model, embedded, share)?;
        app.audit(None, "canary", &version, format!("passed the gate; answers {:.1} % of the shoppers", 100.0 * share));
        return Ok(format!("{version} answers {:.1} % of the shoppers, {other} the others", 100.0 * share));
    }
    promote::install(app, model, embedded)?;
    app.audit(None, "promote", &version, "passed the gate");
    watch_first_hours(app, &version, &other)?;
    Ok(format!("{version} serves"))
}

/// From now on a broken guardrail takes the version back.
fn watch_first_hours(app: &App, version: &str, other: &str) -> Answer<()> {
    let trial = Trial {
        version: version.to_owned(),
        other: other.to_owned(),
        since: Timestamp::now(),
        share: 1.0,
        interleave: false,
    };
    put(app, &Grace(Some(trial)))
}

fn begin(app: &App, mut model: Model, embedded: &EmbeddedCatalogue, share: f64) -> Answer<()> {
    app.writable()?;
    let given = embedded.under(&model)?;
    let (version, other) = (model.meta.version.clone(), app.view().model.meta.version.clone());
    superseded(app, &version)?;
    model.meta.state = ModelState::Canary;
    app.store.put_model(&model.meta).map_err(|e| store_problem(&e))?;
    let trial =
        Trial { version: version.clone(), other: other.clone(), since: Timestamp::now(), share, interleave: false };
    put(app, &Canary(Some(trial)))?;
    app.guardrails.begin(&[&version, &other], None);
    app.tell(EventKind::Model(Box::new(model.meta.clone())));
    follow::catch_up(app, &model);
    let trial = OnTrial { model: Arc::new(model), share, interleave: false };
    app.shop.lock().set_canary(Some(trial), Some(given));
    app.publish();
    Ok(())
}

/// Resumes a canary after a start of the daemon.
///
/// # Errors
/// What keeps it from being loaded.
pub fn resume(app: &App, trial: &Trial) -> Answer<()> {
    let model = load::load(&app.config.state, registry::show(app, &trial.version)?)?;
    let embedded = embedded_catalogue::embed_catalogue(app, &model.encoder, |_| {
        if app.is_stopping() { Err(Problem::new(Code::Unavailable, "the daemon stops")) } else { Ok(()) }
    })?;
    app.guardrails.begin(&[&trial.version, &trial.other], None);
    follow::catch_up(app, &model);
    let given = embedded.under(&model)?;
    let trial = OnTrial { model: Arc::new(model), share: trial.share, interleave: trial.interleave };
    app.shop.lock().set_canary(Some(trial), Some(given));
    app.publish();
    Ok(())
}

/// Gives items that came since their vectors by the canary's encoder.
///
/// # Errors
/// The model thread's.
pub fn catch_up(app: &App) -> Answer<()> {
    let view = app.view();
    let Some(canary) = &view.canary else { return Ok(()) };
    if canary.view.dense.len() >= view.item_count() || canary.view.model.reads_like(&view.model) {
        return Ok(());
    }
    let embedded = embedded_catalogue::embed_catalogue(app, &canary.view.model.encoder, |_| Answer::Ok(()))?;
    let model = Arc::clone(&canary.view.model);
    let given = embedded.under(&model)?;
    let trial = OnTrial { model, share: canary.share, interleave: canary.interleave };
    app.shop.lock().set_canary(Some(trial), Some(given));
    app.publish();
    Ok(())
}

/// The canary serves everybody from now on.
///
/// # Errors
/// As [`promote::promote`].
pub fn passed(app: &App, trial: &Trial) -> Answer<ModelVersion> {
    let meta = promote::promote(app, &trial.version)?;
    watch_first_hours(app, &trial.version, &trial.other)?;
    Ok(meta)
}

/// The canary is taken back.
///
/// # Errors
/// The store's.
pub fn failed(app: &App, trial: &Trial) -> Answer<()> {
    stop(app)?;
    mark(app, &trial.version, ModelState::Rejected)
}
