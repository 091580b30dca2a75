//! What happens to a list between being made and going out: its last places are drawn, two versions are interleaved, and it is logged.

use mercer_shared::ids::{ItemId, UserId};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{ListItem, Reason, ReasonCategory, ServedList};
use mercer_store::{ServedRecord, ServedRow};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::serving::explore::{Exploration, explore};
use crate::serving::list_query::ListRequest;
use crate::state::app::App;
use crate::state::problems::{Answer, internal, store_problem};
use crate::state::served_exposure::ShownItem;
use crate::state::served_log;
use crate::state::shop::ShopState;
use crate::versions::trial;

/// Rows of a list that are logged: hardly anybody looks at those below.
const LOGGED: usize = 100;

/// Makes a recommendation list, with its last places drawn at random where exploration is on.
///
/// # Errors
/// Those of `make`; `internal` if the system has no randomness.
pub(crate) fn explored(
    app: &App,
    asked: &ListRequest,
    make: impl FnOnce(&ListRequest) -> Answer<ServedList>,
) -> Answer<ServedList> {
    let how = Exploration { slots: app.config.serve.explore_slots, pool: app.config.serve.explore_pool };
    if how.slots == 0 || !asked.goes_out() {
        return make(asked);
    }
    let mut list = make(&ListRequest { k: how.rows(asked.k), ..asked.clone() })?;
    list.drawn_from = explore(&mut list.items, asked.k, how, &mut dice()?);
    if asked.reasons {
        list.items.iter_mut().for_each(say_drawn);
    }
    Ok(list)
}

/// Gives a row that was drawn its true reason: chance. What holds for its place in the whole order is no reason for standing here.
fn say_drawn(row: &mut ListItem) {
    let Some(chance) = row.propensity.filter(|chance| *chance < 1.0) else { return };
    row.unexplained = None;
    row.reasons = vec![Reason {
        category: ReasonCategory::Exploration,
        text: format!("this place is for trying items out: one of {:.0} was drawn at random", 1.0 / chance),
        ..Reason::default()
    }];
}

/// A generator seeded by the system: shoppers must not be able to foresee what is drawn.
///
/// # Errors
/// `internal` if the system has no randomness.
pub(crate) fn dice() -> Answer<ChaCha8Rng> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| internal(&error))?;
    Ok(ChaCha8Rng::from_seed(seed))
}

/// The state of the version that is interleaved with the serving one for a user, if the list goes out and the user is in its share.
pub(crate) fn interleaved_with(
    app: &App,
    view: &ShopState,
    asked: &ListRequest,
    user: u32,
) -> Option<std::sync::Arc<ShopState>> {
    let user = view.user_id(user).filter(|_| asked.goes_out())?;
    trial::interleaved_for(app, view, user, asked.asked_at)
}

/// Counts again, after a start, what the kept lists of placements with exposure floors or caps showed: from the totals of days, with the
/// sellers and brands that items have now.
///
/// # Errors
/// The store's.
pub(crate) fn recall(app: &App) -> Answer<()> {
    // Most shops have no such placement, and their start need not read the days again.
    if !app.mitigations.read_exposure() {
        return Ok(());
    }
    let view = app.view();
    for day in app.store.served_days().map_err(|error| store_problem(&error))? {
        let shown = served_log::day(&app.store, day).map_err(|error| store_problem(&error))?;
        for (placement, totals) in shown.placements.iter().filter(|(placement, _)| reads_exposure(app, placement)) {
            let items = totals.items.iter().filter_map(|(id, attention)| Some((shown_item(&view, id)?, *attention)));
            app.mitigations.served.add_day(placement, day, items);
        }
    }
    Ok(())
}

fn reads_exposure(app: &App, placement: &str) -> bool {
    app.mitigations.at(placement).is_some_and(|mitigations| mitigations.reads_exposure())
}

/// Adds a list to the exposure that floors and caps read.
fn count<'a>(app: &App, view: &ShopState, placement: &str, at: i64, rows: impl Iterator<Item = &'a ItemId>) {
    app.mitigations.served.record(placement, at, rows.filter_map(|id| shown_item(view, id)));
}

/// Who stands behind an item; `None` for one that the shop no longer has.
fn shown_item<'a>(view: &'a ShopState, id: &ItemId) -> Option<ShownItem<'a>> {
    let item = view.item(*view.item_index.get(id)?)?;
    Some(ShownItem { seller: item.seller.as_deref(), brand: item.brand.as_deref() })
}

/// Logs a list that goes out, and counts its exposure. `user` is whom it was made for, if it was made for somebody.
pub(crate) fn log(app: &App, view: &ShopState, asked: &ListRequest, user: Option<&UserId>, list: &ServedList) {
    if !asked.goes_out() {
        return;
    }
    if asked.mitigations.as_ref().is_some_and(|mitigations| mitigations.reads_exposure()) {
        count(app, view, &asked.placement, asked.at, list.items.iter().take(LOGGED).map(|row| &row.id));
    }
    let rows = list.items.iter().take(LOGGED).map(|row| ServedRow {
        item: row.id.clone(),
        propensity: row.propensity.unwrap_or(1.0) as f32,
        team: row.team,
    });
    app.served_log.record(ServedRecord {
        user: user.map(|user| app.store.pseudonym(user)),
        query_id: list.query_id.clone(),
        at: Timestamp::now(),
        // Nothing refers to the list before it is answered.
        seq: app.store.counts().next_seq,
        version: list.model.clone(),
        placement: asked.placement.clone(),
        rows: rows.collect(),
        pool: list.drawn_from.clone(),
    });
}
