//! The state of the shop as of a moment: the live one, or one fitted for a past moment (`at`).

use std::sync::Arc;

use mercer_rank::{CollaborativeIndex, Dataset, IndexOptions, Snapshot};

use crate::state::app::App;
use crate::state::shop::ShopState;

/// The state of the shop as of a moment: the live one if nothing later is known, else one fitted for the moment. For a named moment the
/// collaborative index covers every event up to it, also right after an import; a list of now does not wait for that.
#[must_use]
pub fn snapshot(app: &App, view: &ShopState, at: i64, named: bool) -> Snapshot {
    if live(view, at, named) { view.rank.clone() } else { with(view, app.moments.at(view, at)) }
}

/// Whether the live state answers for a moment.
fn live(view: &ShopState, at: i64, named: bool) -> bool {
    let behind = view.unfitted > view.rank.log.len() as u64 / 10;
    at >= view.last_event && view.rank.index.at() <= at && !(named && behind)
}

fn with(view: &ShopState, index: Arc<CollaborativeIndex>) -> Snapshot {
    Snapshot { log: view.rank.log.clone(), catalogue: view.rank.catalogue.clone(), index }
}

/// The same for lists that read popularity and trends only: a past moment is counted, and nothing is fitted.
#[must_use]
pub fn counts(view: &ShopState, at: i64, named: bool) -> Snapshot {
    if live(view, at, named) {
        return view.rank.clone();
    }
    with(
        view,
        Arc::new(CollaborativeIndex::fit(
            Dataset { log: &view.training_log(), catalogue: &view.rank.catalogue },
            at,
            &IndexOptions::counts(),
        )),
    )
}
