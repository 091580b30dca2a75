//! Collaborative indexes as of past moments, fitted when a request names the moment (`at`).

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use mercer_rank::{CollaborativeIndex, Dataset, IndexOptions};
use parking_lot::Mutex;

use crate::state::shop::ShopState;

/// Past moments whose index is kept: an evaluation reads the same moment many times.
const KEPT: usize = 2;

type Slot = Arc<OnceLock<Arc<CollaborativeIndex>>>;

/// Indexes by moment. The first request for a moment fits its index; the others wait for it.
#[derive(Default)]
pub struct MomentCache(Mutex<Vec<(i64, Slot)>>);

impl MomentCache {
    /// The index of a moment, fitted on events up to that moment.
    pub fn at(&self, view: &ShopState, at: i64) -> Arc<CollaborativeIndex> {
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
            let index = CollaborativeIndex::fit(
                Dataset { log: &view.training_log(), catalogue: &view.rank.catalogue },
                at,
                &IndexOptions::default(),
            );
            tracing::info!(at, seconds = started.elapsed().as_secs_f64(), "index of a past moment fitted");
            Arc::new(index)
        }))
    }

    /// Drops the indexes of this moment and later ones, because an event came in that belongs into them.
    pub fn forget_from(&self, earliest: i64) {
        self.0.lock().retain(|(moment, _)| *moment < earliest);
    }
}
