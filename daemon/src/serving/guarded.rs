//! Lists for a known user by the version that answers this user now, counted by the guardrails of versions on trial.

use std::sync::Arc;
use std::time::Instant;

use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::ServedList;

use crate::state::app::App;
use crate::state::problems::Answer;
use crate::state::shop::ShopState;
use crate::versions::trial;

/// What kind of list is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListKind {
    /// A recommendation list: it counts for reach and outcomes too.
    Recommendation,
    /// The hits of a query. They count for errors and latency only, because their coverage depends on the query more than on the version.
    Search,
}

/// Who a list is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guarded {
    /// The user's slot.
    pub(crate) user: u32,
    /// The named moment, if any. Lists of a named moment come from the serving version and are not counted.
    pub(crate) at: Option<Timestamp>,
    /// The kind of list.
    pub(crate) kind: ListKind,
}

/// Makes a list with the version that answers the user: a canary for those in its share. Where the canary fails, the serving version answers.
///
/// # Errors
/// Those of `make`, and `internal` for scores that are not finite.
pub(crate) fn list(
    app: &App,
    view: &Arc<ShopState>,
    guarded: Guarded,
    make: impl Fn(&ShopState) -> Answer<ServedList>,
) -> Answer<ServedList> {
    let Some(user) = view.user_id(guarded.user).filter(|_| guarded.at.is_none()) else { return make(view) };
    let chosen = trial::view_for(app, Arc::clone(view), user, guarded.at);
    let started = Instant::now();
    let list = counted(app, &chosen, guarded, make(&chosen), started);
    if list.is_err() && !Arc::ptr_eq(&chosen, view) { make(view) } else { list }
}

/// Counts a version's list in the guardrails. Errors of the sender and a full queue do not count against the version.
fn counted(
    app: &App,
    view: &ShopState,
    guarded: Guarded,
    list: Answer<ServedList>,
    started: Instant,
) -> Answer<ServedList> {
    let version = &view.model.meta.version;
    match &list {
        Ok(served) if served.items.iter().any(|item| !item.score.is_finite()) => {
            app.guardrails.failed(version, false);
            return Err(Problem::new(Code::Internal, format!("{version} gave scores that are not finite")));
        }
        Ok(served) if guarded.kind == ListKind::Recommendation => {
            let items = served.items.iter().filter_map(|item| view.item_index.get(&item.id).copied());
            app.guardrails.list(version, guarded.user, started.elapsed(), items);
        }
        Ok(_) => app.guardrails.search(version, started.elapsed()),
        Err(problem) if problem.code == Code::Internal => app.guardrails.failed(version, true),
        Err(_) => {}
    }
    list
}
