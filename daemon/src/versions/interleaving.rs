//! Starts and ends the interleaving of a version with the serving one. It takes the place of a canary: at most one of both is on.

use std::sync::Arc;

use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;

use crate::background::follow;
use crate::state::app::App;
use crate::state::problems::Answer;
use crate::state::shop::writer::OnTrial;
use crate::versions::trial::{Canary, Trial, current, put, stop};
use crate::versions::{embedded_catalogue, load, registry};

/// Interleaves a version with the serving one for a share of the users.
///
/// # Errors
/// `not-found` for an unknown version, `bad-parameter` for a share out of range, `conflict` for the serving version, or while another version
/// is on trial.
pub fn start(app: &App, version: &str, share: f64) -> Answer<()> {
    app.writable()?;
    if !(share > 0.0 && share <= 1.0) {
        return Err(Problem::new(Code::BadParameter, format!("share is {share}, it takes above 0, at most 1")));
    }
    let serving = app.view().model.meta.version.clone();
    if version == serving {
        return Err(Problem::new(Code::Conflict, format!("{version} serves: interleave another version with it")));
    }
    if let Some(trial) = current(app)? {
        let what = if trial.interleave { "is interleaved" } else { "is on trial as a canary" };
        return Err(Problem::new(Code::Conflict, format!("{} {what}: end that first", trial.version)));
    }
    let model = load::load(&app.config.state, registry::show(app, version)?)?;
    let embedded = embedded_catalogue::embed_catalogue(app, &model.encoder, |_| Answer::Ok(()))?;
    let given = embedded.under(&model)?;
    follow::catch_up(app, &model);
    let trial = Trial { version: version.to_owned(), other: serving, since: Timestamp::now(), share, interleave: true };
    put(app, &Canary(Some(trial)))?;
    app.shop.lock().set_canary(Some(OnTrial { model: Arc::new(model), share, interleave: true }), Some(given));
    app.publish();
    Ok(())
}

/// Ends the interleaving; everybody gets the serving version's lists again. Returns the version that was compared.
///
/// # Errors
/// `not-found` where none is on, or the store's.
pub fn end(app: &App) -> Answer<String> {
    app.writable()?;
    let trial = current(app)?.filter(|trial| trial.interleave);
    let trial = trial.ok_or_else(|| Problem::new(Code::NotFound, "no versions are interleaved"))?;
    stop(app)?;
    Ok(trial.version)
}
