//! The thread that fits the collaborative index anew when enough came in, and keeps the co-occurrence up to date in between.

use std::sync::Arc;
use std::time::Instant;

use mercer_rank::{CollaborativeIndex, Dataset, IndexOptions};

use crate::state::app::App;
use crate::state::shop::Due;
use std::time::Duration;

/// Takes into the co-occurrence what users did, and who was erased, since it was fitted or last brought up to date. True if there was
/// anything to do.
pub fn follow(app: &App) -> bool {
    let (view, index, changed) = {
        let mut shop = app.shop.lock();
        let changed = shop.take_changed();
        if changed.is_empty() {
            return false;
        }
        (shop.view().clone(), shop.index().clone(), changed)
    };
    // As in the training log: nothing of those who did not agree. Of the others' slots none is looked at.
    let mut log = view.rank.log.clone();
    let agreed = |number: u32| view.subject(number).is_some_and(|subject| subject.consent.train);
    changed.iter().copied().filter(|number| !agreed(*number)).for_each(|number| log.erase(number));
    let followed = index.follow(Dataset { log: &log, catalogue: &view.rank.catalogue }, &changed);
    let mut shop = app.shop.lock();
    if !shop.set_cooccurrence(&followed) {
        shop.put_back_changed(changed);
    }
    true
}

/// Fits the collaborative index on the whole log and installs it.
pub fn refit(app: &App) {
    let (view, unfitted) = app.shop.lock().begin_fit();
    let started = Instant::now();
    let at = view.last_event;
    let log = view.training_log();
    let index =
        CollaborativeIndex::fit(Dataset { log: &log, catalogue: &view.rank.catalogue }, at, &IndexOptions::default());
    tracing::info!(
        events = view.rank.log.len(),
        seconds = started.elapsed().as_secs_f64(),
        "collaborative index fitted"
    );
    app.shop.lock().set_index(index, unfitted);
    app.publish();
    app.counters.index_fitted();
    // Afterwards, for new items may have to be embedded for them.
    for model in [Some(&view.model), view.canary.as_ref().map(|canary| &canary.view.model)].into_iter().flatten() {
        crate::background::follow::follow(app, model, (&view, &log), at);
    }
    app.set_warm();
}

/// Quiet after which a log that grew by a tenth is fitted again: an import is fitted once, at its end.
const QUIET: Duration = Duration::from_secs(2);
/// Longest wait for quiet: a busy shop never is.
const LONGEST: Duration = Duration::from_secs(30);

/// Largest share of the refitter's time for updating the co-occurrence, whose cost grows with the number of new events.
const FOLLOWING: u32 = 10;

/// Refits when a tenth of the log is new or an import has ended, and keeps the co-occurrence up to date in between. A log that was never fitted does not wait:
/// until then nothing is known of its shape.
pub(crate) fn run(app: &Arc<App>) {
    let (mut seen, mut since) = ((0, None), Instant::now());
    let mut fitted: Option<Instant> = None;
    let mut rests_until = Instant::now();
    while !app.is_stopping() {
        std::thread::sleep(Duration::from_millis(200));
        let (unfitted, due, events) = {
            let shop = app.shop.lock();
            (shop.unfitted(), shop.due(), shop.view().rank.log.len() as u64)
        };
        if (unfitted, due) != seen {
            (seen, since) = ((unfitted, due), Instant::now());
        }
        let enough = due.is_some() || unfitted >= (events / 10).clamp(1, 50_000);
        if enough && (since.elapsed() > QUIET || fitted.is_none_or(|last| last.elapsed() > LONGEST)) {
            refit(app);
            fitted = Some(Instant::now());
        } else if fitted.is_some() && Instant::now() >= rests_until && (!enough || due == Some(Due::Forgetting)) {
            // If a fit is due, this would do the work twice; but erased users must be forgotten at once.
            let begun = Instant::now();
            if follow(app) {
                rests_until = Instant::now() + (FOLLOWING - 1) * begun.elapsed();
            }
        }
    }
}
