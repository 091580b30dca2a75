//! Canaries: a version that passed the gate first answers a sticky share of the shoppers, beside the serving one. The agent watches
//! its guardrails and lets it serve everybody or takes it back. Lists as of a moment that is named are always the serving version's.

use std::sync::Arc;

use mercer_shared::ids::UserId;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{EventKind, ModelState, ModelVersion};
use mercer_store::DocKind;
use serde::{Deserialize, Serialize};

use super::Answer;
use super::models::{self, Embedded};
use super::train::holdout;
use crate::app::{App, store_problem};
use crate::world::{Model, View};

/// Name of the document that says which version is on trial.
const CANARY: &str = "canary";
/// Name of the document that says which version was promoted without anybody looking.
const GRACE: &str = "grace";

/// A version on trial: as a canary, or serving everybody for the first hours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The version.
    pub version: String,
    /// What serves beside it, or served before it.
    pub other: String,
    /// Since when.
    pub since: Timestamp,
    /// Share of the shoppers; 1 when it serves everybody.
    pub share: f64,
}

impl Trial {
    /// Hours since it began.
    #[must_use]
    pub fn hours(&self) -> f64 {
        (Timestamp::now().millis() - self.since.millis()) as f64 / 3.6e6
    }
}

fn doc(app: &App, name: &str) -> Answer<Option<Trial>> {
    let kept: Option<Option<Trial>> = app.store.get_doc(DocKind::Setting, name).map_err(|e| store_problem(&e))?;
    Ok(kept.flatten())
}

fn put(app: &App, name: &str, trial: Option<&Trial>) -> Answer<()> {
    app.store.put_doc(DocKind::Setting, name, &trial).map_err(|e| store_problem(&e))
}

/// The canary, if there is one.
///
/// # Errors
/// The store's.
pub fn current(app: &App) -> Answer<Option<Trial>> {
    doc(app, CANARY)
}

/// The version that serves everybody since lately, promoted without anybody looking.
///
/// # Errors
/// The store's.
pub fn grace(app: &App) -> Answer<Option<Trial>> {
    doc(app, GRACE)
}

/// Puts a version that passed the gate to work: on a share of the shoppers where the operator wants that, else for everybody, watched
/// for the first hours. What was done, in words.
///
/// # Errors
/// As [`models::install`].
pub fn put_to_work(app: &App, model: Model, embedded: &Embedded) -> Answer<String> {
    let version = model.meta.version.clone();
    let other = app.view().model.meta.version.clone();
    let share = app.config.serve.canary_share;
    if share > 0.0 {
        begin(app, model, embedded, share)?;
        app.audit(None, "canary", &version, format!("passed the gate; answers {:.1} % of the shoppers", 100.0 * share));
        return Ok(format!("{version} answers {:.1} % of the shoppers, {other} the others", 100.0 * share));
    }
    models::install(app, model, embedded)?;
    app.audit(None, "promote", &version, "passed the gate");
    watch_first_hours(app, &version, &other)?;
    Ok(format!("{version} serves"))
}

/// From now on a broken guardrail takes the version back.
fn watch_first_hours(app: &App, version: &str, other: &str) -> Answer<()> {
    let trial = Trial { version: version.to_owned(), other: other.to_owned(), since: Timestamp::now(), share: 1.0 };
    put(app, GRACE, Some(&trial))
}

/// Ends the watch over the first hours.
///
/// # Errors
/// The store's.
pub fn end_grace(app: &App) -> Answer<()> {
    put(app, GRACE, None)
}

fn begin(app: &App, mut model: Model, embedded: &Embedded, share: f64) -> Answer<()> {
    app.writable()?;
    let given = embedded.under(&model)?;
    let (version, other) = (model.meta.version.clone(), app.view().model.meta.version.clone());
    superseded(app, &version)?;
    model.meta.state = ModelState::Canary;
    app.store.put_model(&model.meta).map_err(|e| store_problem(&e))?;
    put(app, CANARY, Some(&Trial { version: version.clone(), other: other.clone(), since: Timestamp::now(), share }))?;
    app.guard.begin(&[&version, &other], None);
    app.tell(EventKind::Model(Box::new(model.meta.clone())));
    models::catch_up(app, &model);
    app.world.lock().set_canary(Some((Arc::new(model), share)), Some(given));
    app.publish();
    Ok(())
}

/// Takes a canary up again after a start of the daemon.
///
/// # Errors
/// What keeps it from being loaded.
pub fn resume(app: &App, trial: &Trial) -> Answer<()> {
    let model = models::load(&app.config.state, models::show(app, &trial.version)?)?;
    let embedded = models::embed_catalogue(app, &model.encoder, |_| {
        if app.is_stopping() { Err(Problem::new(Code::Unavailable, "the daemon stops")) } else { Ok(()) }
    })?;
    app.guard.begin(&[&trial.version, &trial.other], None);
    models::catch_up(app, &model);
    let given = embedded.under(&model)?;
    app.world.lock().set_canary(Some((Arc::new(model), trial.share)), Some(given));
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
    if canary.view.dense.len() >= view.items.len() || canary.view.model.reads_like(&view.model) {
        return Ok(());
    }
    let embedded = models::embed_catalogue(app, &canary.view.model.encoder, |_| Answer::Ok(()))?;
    let model = Arc::clone(&canary.view.model);
    let given = embedded.under(&model)?;
    app.world.lock().set_canary(Some((model, canary.share)), Some(given));
    app.publish();
    Ok(())
}

fn stop(app: &App) -> Answer<()> {
    put(app, CANARY, None)?;
    app.world.lock().set_canary(None, None);
    app.publish();
    Ok(())
}

/// The canary serves everybody from now on.
///
/// # Errors
/// As [`models::promote`].
pub fn passed(app: &App, trial: &Trial) -> Answer<ModelVersion> {
    let meta = models::promote(app, &trial.version)?;
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

fn mark(app: &App, version: &str, state: ModelState) -> Answer<()> {
    let Some(mut meta) = app.store.get_model(version).map_err(|e| store_problem(&e))? else { return Ok(()) };
    meta.state = state;
    app.store.put_model(&meta).map_err(|e| store_problem(&e))?;
    app.tell(EventKind::Model(Box::new(meta)));
    Ok(())
}

/// Another version comes to the fore: a canary that is not this version goes back among the candidates.
///
/// # Errors
/// The store's.
pub fn superseded(app: &App, by: &str) -> Answer<()> {
    let Some(trial) = current(app)? else { return Ok(()) };
    stop(app)?;
    if trial.version == by { Ok(()) } else { mark(app, &trial.version, ModelState::Candidate) }
}

/// The view that answers a shopper now: the canary's for those in its share.
#[must_use]
pub fn view_for(app: &App, view: Arc<View>, user: &UserId, at: Option<Timestamp>) -> Arc<View> {
    match &view.canary {
        Some(canary) if at.is_none() && is_in(app, user, canary.share) => Arc::clone(&canary.view),
        _ => view,
    }
}

/// Whether a shopper is in the share that canaries answer: always the same ones, so that nobody's lists change back and forth.
fn is_in(app: &App, user: &UserId, share: f64) -> bool {
    holdout::place(&app.store, user, "mercer 2026-01 canary shoppers") < share
}
