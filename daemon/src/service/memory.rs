//! The fitted memory: refits in the background, and memories for past moments that somebody asks about.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use mercer_rank::{Memory, MemoryOptions, Snapshot};
use parking_lot::Mutex;

use crate::app::App;
use crate::world::View;

/// Past moments whose memory is kept: a replay asks about one moment many times.
const KEPT: usize = 2;

type Slot = Arc<OnceLock<Arc<Memory>>>;

/// Memories by moment. Whoever asks first fits, the others wait for the same.
#[derive(Default)]
pub struct MomentCache(Mutex<Vec<(i64, Slot)>>);

impl MomentCache {
    /// The memory of a moment, fitted from events up to it only.
    pub fn at(&self, view: &View, at: i64) -> Arc<Memory> {
        let slot = {
            let mut kept = self.0.lock();
            match kept.iter().position(|(moment, _)| *moment == at) {
                Some(place) => {
                    let entry = kept.remove(place);
                    kept.push(entry);
                }
                None => {
                    if kept.len() == KEPT {
                        kept.remove(0);
                    }
                    kept.push((at, Slot::default()));
                }
            }
            kept.last().map(|(_, slot)| Arc::clone(slot)).unwrap_or_default()
        };
        Arc::clone(slot.get_or_init(|| {
            let started = Instant::now();
            let memory = Memory::fit(&view.training_log(), &view.rank.catalogue, at, &MemoryOptions::default());
            tracing::info!(at, seconds = started.elapsed().as_secs_f64(), "memory of a past moment fitted");
            Arc::new(memory)
        }))
    }

    /// Forgets the memories of this moment and later ones: an event came in that they should have known.
    pub fn forget_from(&self, earliest: i64) {
        self.0.lock().retain(|(moment, _)| *moment < earliest);
    }
}

/// The state of the shop as of a moment: the live one where nothing later is known, else one fitted for the moment. Whoever names
/// a moment gets a memory that knows everything up to it, also right after an import; whoever asks about now does not wait for that.
#[must_use]
pub fn snapshot(app: &App, view: &View, at: i64, named: bool) -> Snapshot {
    if live(view, at, named) { view.rank.clone() } else { with(view, app.moments.at(view, at)) }
}

/// Whether the live state answers for a moment.
fn live(view: &View, at: i64, named: bool) -> bool {
    let behind = view.unfitted > view.rank.log.len() as u64 / 10;
    at >= view.last_event && view.rank.memory.at() <= at && !(named && behind)
}

fn with(view: &View, memory: Arc<Memory>) -> Snapshot {
    Snapshot { log: view.rank.log.clone(), catalogue: view.rank.catalogue.clone(), memory }
}

/// The same, where popularity and trends are all that is read of the memory: those of a past moment are counted, nothing is fitted.
#[must_use]
pub fn counts(view: &View, at: i64, named: bool) -> Snapshot {
    if live(view, at, named) {
        return view.rank.clone();
    }
    with(view, Arc::new(Memory::fit(&view.training_log(), &view.rank.catalogue, at, &MemoryOptions::counts())))
}

/// Takes into the co-occurrence what shoppers did, and who was erased, since it was fitted or last brought up to date. True if there was
/// anything to do.
pub fn follow(app: &App) -> bool {
    let (view, memory, changed) = {
        let mut world = app.world.lock();
        let changed = world.take_changed();
        if changed.is_empty() {
            return false;
        }
        (world.view().clone(), world.memory().clone(), changed)
    };
    // As in the training log: nothing of those who did not agree. Of the others' slots none is looked at.
    let mut log = view.rank.log.clone();
    let agreed = |number: u32| view.subject(number).is_some_and(|subject| subject.consent.train);
    changed.iter().copied().filter(|number| !agreed(*number)).for_each(|number| log.erase(number));
    let followed = memory.follow(&log, &view.rank.catalogue, &changed);
    let mut world = app.world.lock();
    if !world.set_ties(&followed) {
        world.put_back_changed(changed);
    }
    true
}

/// Fits the memory anew from everything there is and puts it in place.
pub fn refit(app: &App) {
    let (view, unfitted) = {
        let mut world = app.world.lock();
        // The fit will know of them all.
        drop(world.take_changed());
        (world.view().clone(), world.unfitted())
    };
    let started = Instant::now();
    let at = view.last_event;
    let log = view.training_log();
    let memory = Memory::fit(&log, &view.rank.catalogue, at, &MemoryOptions::default());
    tracing::info!(events = view.rank.log.len(), seconds = started.elapsed().as_secs_f64(), "memory fitted");
    app.world.lock().set_memory(memory, unfitted);
    app.publish();
    // Afterwards, for new items may have to be embedded for them.
    for model in [Some(&view.model), view.canary.as_ref().map(|canary| &canary.view.model)].into_iter().flatten() {
        super::models::follow(app, model, (&view, &log), at);
    }
}
