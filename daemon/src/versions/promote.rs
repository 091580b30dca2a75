//! Promotion, rollback and pins. A version is loaded and its catalogue embedded beside the serving one, then swapped in atomically.

use std::sync::Arc;

use mercer_model::Encoder;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{EventKind, ModelState, ModelVersion};

use crate::background::follow::catch_up;
use crate::state::app::App;
use crate::state::problems::{Answer, store_problem};
use crate::state::shop::model::Model;
use crate::versions::embedded_catalogue::{EmbeddedCatalogue, embed_catalogue};
use crate::versions::load::load;
use crate::versions::registry::{chain, put_chain, show};
use crate::versions::trial;

/// Promotes a version: loads it, embeds the catalogue, then swaps it in atomically. Lists in flight keep the version
/// they began with.
///
/// # Errors
/// `not-found`, `conflict` if it serves already, or what keeps it from being loaded.
pub fn promote(app: &App, version: &str) -> Answer<ModelVersion> {
    let meta = show(app, version)?;
    if chain(&app.store)?.promoted.last().is_some_and(|serving| serving == version) {
        return Err(Problem::new(Code::Conflict, format!("`{version}` serves already")));
    }
    let model = load(&app.config.state, meta)?;
    let embedded = embed_catalogue(app, &model.encoder, |_| Answer::Ok(()))?;
    install(app, model, &embedded)
}

/// Swaps a loaded model in and writes down that it serves.
///
/// # Errors
/// The store's.
pub fn install(app: &App, model: Model, embedded: &EmbeddedCatalogue) -> Answer<ModelVersion> {
    static ONE_AT_A_TIME: parking_lot::Mutex<()> = parking_lot::Mutex::new(());
    let _one = ONE_AT_A_TIME.lock();
    app.writable()?;
    let given = embedded.under(&model)?;
    // First, so that no canary is ever seen with the vectors of another encoder.
    trial::superseded(app, &model.meta.version)?;
    let mut chain = chain(&app.store)?;
    let before = chain.promoted.last().cloned();
    let mut model = model;
    model.meta.state = ModelState::Serving;
    model.meta.promoted = Some(Timestamp::now());
    chain.promoted.retain(|known| *known != model.meta.version);
    chain.promoted.push(model.meta.version.clone());
    let meta = model.meta.clone();
    app.store.put_model(&meta).map_err(|e| store_problem(&e))?;
    put_chain(&app.store, &chain)?;
    catch_up(app, &model);
    // In its first hours the new version is compared with the counts of the version before.
    app.guardrails.begin(&[&meta.version], before.as_deref());
    if let Some(before) = before.filter(|before| *before != meta.version)
        && let Some(mut old) = app.store.get_model(&before).map_err(|e| store_problem(&e))?
    {
        old.state = ModelState::Retired;
        app.store.put_model(&old).map_err(|e| store_problem(&e))?;
        app.tell(EventKind::Model(Box::new(old)));
    }
    let encoder = Arc::clone(&model.encoder) as Arc<dyn Encoder>;
    {
        let mut shop = app.shop.lock();
        shop.set_model(Arc::new(model), Some(given));
        // Items that changed since they were embedded must be embedded again; newer items are on the writer's list already.
        let now = &shop.view().items;
        let changed = (0..).zip(embedded.items.iter().zip(now)).filter(|(_, (then, now))| !Arc::ptr_eq(then, now));
        let changed: Vec<u32> = changed.map(|(number, _)| number).collect();
        shop.put_back(changed);
    }
    app.model.replace(encoder);
    app.publish();
    tracing::info!(version = meta.version, "serves");
    app.tell(EventKind::Model(Box::new(meta.clone())));
    Ok(meta)
}

/// Promotes the version that served before.
///
/// # Errors
/// `conflict` if there is none.
pub fn rollback(app: &App) -> Answer<ModelVersion> {
    let mut kept = chain(&app.store)?;
    let serving = kept.promoted.pop();
    let Some(before) = kept.promoted.last().cloned() else {
        return Err(Problem::new(Code::Conflict, "no version served before this one"));
    };
    let answer = promote(app, &before)?;
    // The next rollback must go further back, not to the version that was just left.
    let mut now = chain(&app.store)?;
    now.promoted.retain(|version| Some(version) != serving.as_ref());
    put_chain(&app.store, &now)?;
    Ok(answer)
}

/// Pins or unpins a version.
///
/// # Errors
/// `not-found`.
pub fn pin(app: &App, version: &str, pinned: bool) -> Answer<ModelVersion> {
    let mut meta = show(app, version)?;
    meta.pinned = pinned;
    app.store.put_model(&meta).map_err(|e| store_problem(&e))?;
    app.tell(EventKind::Model(Box::new(meta.clone())));
    Ok(meta)
}
