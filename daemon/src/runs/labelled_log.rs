//! The log as training reads it: interactions of users who consented to training, with the query that each engagement followed.

use mercer_learn::TextId;
use mercer_learn::examples::Interaction;
use mercer_shared::interaction::InteractionType;
use rustc_hash::FxHashMap;

use crate::runs::context::RunExit;
use crate::state::app::App;
use crate::state::problems::store_problem;
use crate::state::shop::ShopState;

/// The part of the log that is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope {
    /// Last sequence number.
    pub(crate) cursor: u64,
    /// Interactions after this moment are left out.
    pub(crate) after: i64,
    /// Interactions later than this moment are left out.
    pub(crate) until: i64,
}

/// The log for training. Users and items have the numbers of the view, queries those of `queries`.
pub(crate) struct Read {
    pub(crate) log: Vec<Interaction>,
    pub(crate) queries: Vec<String>,
}

/// Reads the log of users who agreed to training. An engagement that names a served list belongs to the query of that
/// list; others are matched by time.
pub(crate) fn read(app: &App, view: &ShopState, scope: Scope) -> Result<Read, RunExit> {
    let mut read = Read { log: Vec::new(), queries: Vec::new() };
    let mut places: FxHashMap<String, TextId> = FxHashMap::default();
    let mut asked: FxHashMap<String, TextId> = FxHashMap::default();
    let mut joined: Vec<(usize, String)> = Vec::new();
    for line in app.store.scan_interactions(0).map_err(|e| store_problem(&e))?.named() {
        let (seq, line) = line.map_err(|e| store_problem(&e))?;
        if seq > scope.cursor {
            break;
        }
        let at_ms = line.at.millis();
        if at_ms <= scope.after || at_ms > scope.until {
            continue;
        }
        let user = line.user.as_ref().and_then(|id| view.user_index.get(id)).copied();
        let user = user.or_else(|| line.session.as_ref().and_then(|id| view.session_index.get(id)).copied());
        let Some(user) = user else { continue };
        let value = line.kind.value(line.value);
        if !view.subject(user).is_some_and(|subject| subject.consent.train) {
            continue;
        }
        let item = line.item.as_ref().and_then(|id| view.item_index.get(id)).copied();
        let query = line.query.filter(|_| line.kind == InteractionType::Search).map(|text| {
            *places.entry(text.clone()).or_insert_with(|| {
                read.queries.push(text);
                read.queries.len() as TextId - 1
            })
        });
        match (query, line.query_id) {
            (Some(query), Some(list)) => drop(asked.insert(list, query)),
            (None, Some(list)) if item.is_some() => joined.push((read.log.len(), list)),
            _ => {}
        }
        read.log.push(Interaction { user, item, kind: line.kind, value, query, at_ms });
    }
    for (place, list) in joined {
        read.log[place].query = asked.get(&list).copied();
    }
    Ok(read)
}
