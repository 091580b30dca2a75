//! The interface through which the read path re-scores the head of a list within a latency budget. The cross-encoder
//! implements it.

use mercer_rank::Event;
use mercer_shared::wire::ListItem;
use mercer_store::Store;

use crate::state::config::Config;
use crate::state::shop::{ShopState, TypedQuery};

/// The user, the moment and the state of the shop for which the head of a list is re-scored.
pub struct HeadRequest<'a> {
    /// Configuration in force.
    pub config: &'a Config,
    /// Where the kept model is named.
    pub store: &'a Store,
    /// The state of the shop that made the list.
    pub view: &'a ShopState,
    /// Events of the user or the session up to the moment, oldest first.
    pub events: &'a [Event],
    /// The moment, UTC milliseconds.
    pub at: i64,
    /// Latest queries, oldest first.
    pub queries: &'a [TypedQuery],
    /// Whether rows that moved say so among their reasons.
    pub reasons: bool,
}

/// Re-scores the head of lists.
pub trait HeadRescorer: Send + Sync {
    /// Re-orders the first rows where configuration, model and time allow. Returns what was done, or why nothing was; `None` where it is switched off.
    fn rescore(&self, request: &HeadRequest<'_>, rows: &mut [ListItem]) -> Option<String>;

    /// Drops the loaded model, because another one was saved.
    fn changed(&self);
}
