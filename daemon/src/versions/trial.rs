//! Finds the version on trial and the users that it answers. Lists as of a named moment always come from the serving
//! version.

use std::sync::Arc;

use mercer_shared::ids::UserId;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{EventKind, ModelState};
use mercer_store::{Setting, SettingDocument};
use serde::{Deserialize, Serialize};

use crate::state::app::App;
use crate::state::buckets;
use crate::state::problems::Answer;
use crate::state::problems::store_problem;
use crate::state::shop::ShopState;

/// A version on trial: as a canary, or serving everybody for the first hours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// The version.
    pub version: String,
    /// What serves beside it, or served before it.
    pub other: String,
    /// Since when.
    pub since: Timestamp,
    /// Share of the users; 1 when it serves everybody.
    pub share: f64,
    /// Whether its lists are interleaved with those of the serving version, instead of answering its share alone.
    #[serde(default)]
    pub interleave: bool,
}

impl Trial {
    /// Hours since it began.
    #[must_use]
    pub fn hours(&self) -> f64 {
        (Timestamp::now().millis() - self.since.millis()) as f64 / 3.6e6
    }
}

/// The version on trial for a share of the users, if any.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Canary(pub(crate) Option<Trial>);

impl SettingDocument for Canary {
    const SETTING: Setting = Setting::Canary;
}

/// The version that was promoted automatically and is still watched, if any.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Grace(pub(crate) Option<Trial>);

impl SettingDocument for Grace {
    const SETTING: Setting = Setting::Grace;
}

/// Writes which version is on trial or watched.
pub(crate) fn put(app: &App, trial: &impl SettingDocument) -> Answer<()> {
    app.store.put_setting(trial).map_err(|e| store_problem(&e))
}

/// The canary, if there is one.
///
/// # Errors
/// The store's.
pub fn current(app: &App) -> Answer<Option<Trial>> {
    let canary: Option<Canary> = app.store.get_setting().map_err(|e| store_problem(&e))?;
    Ok(canary.unwrap_or_default().0)
}

/// The serving version, if it was promoted automatically within the last hours.
///
/// # Errors
/// The store's.
pub fn grace(app: &App) -> Answer<Option<Trial>> {
    let grace: Option<Grace> = app.store.get_setting().map_err(|e| store_problem(&e))?;
    Ok(grace.unwrap_or_default().0)
}

/// Ends the watch over the first hours.
///
/// # Errors
/// The store's.
pub fn end_grace(app: &App) -> Answer<()> {
    put(app, &Grace(None))
}

pub(crate) fn stop(app: &App) -> Answer<()> {
    put(app, &Canary(None))?;
    app.shop.lock().set_canary(None, None);
    app.publish();
    Ok(())
}

pub(crate) fn mark(app: &App, version: &str, state: ModelState) -> Answer<()> {
    let Some(mut meta) = app.store.get_model(version).map_err(|e| store_problem(&e))? else { return Ok(()) };
    meta.state = state;
    app.store.put_model(&meta).map_err(|e| store_problem(&e))?;
    app.tell(EventKind::Model(Box::new(meta)));
    Ok(())
}

/// Ends the trials of other versions: a canary that is not this version becomes a candidate again.
///
/// # Errors
/// The store's.
pub fn superseded(app: &App, by: &str) -> Answer<()> {
    let Some(trial) = current(app)? else { return Ok(()) };
    stop(app)?;
    if trial.version == by { Ok(()) } else { mark(app, &trial.version, ModelState::Candidate) }
}

/// The view that answers a user now: the canary's for those in its share.
#[must_use]
pub fn view_for(app: &App, view: Arc<ShopState>, user: &UserId, at: Option<Timestamp>) -> Arc<ShopState> {
    match &view.canary {
        Some(canary) if at.is_none() && !canary.interleave && is_in(app, user, canary.share) => {
            Arc::clone(&canary.view)
        }
        _ => view,
    }
}

/// The view of the version whose lists are interleaved with the serving version's for a user, if any.
#[must_use]
pub fn interleaved_for(app: &App, view: &ShopState, user: &UserId, at: Option<Timestamp>) -> Option<Arc<ShopState>> {
    let canary = view.canary.as_ref().filter(|canary| at.is_none() && canary.interleave)?;
    is_in(app, user, canary.share).then(|| Arc::clone(&canary.view))
}

/// Whether a user is in the share that canaries answer. The share is sticky, so that no user's lists change back and
/// forth.
fn is_in(app: &App, user: &UserId, share: f64) -> bool {
    buckets::place(&app.store, user, "mercer 2026-01 canary shoppers") < share
}
