//! Joins served lists with what users did with them: interactions that name the list's `query_id`.

use mercer_shared::ids::ItemId;
use mercer_store::Store;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::state::problems::{Answer, store_problem};

/// Items that were clicked, put into a cart or bought, by the id of the list they were taken from.
#[derive(Debug, Default)]
pub(crate) struct Outcomes(FxHashMap<String, FxHashSet<ItemId>>);

impl Outcomes {
    /// Reads the log for outcomes of these lists.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn of_lists<'a>(store: &Store, query_ids: impl Iterator<Item = &'a str>) -> Answer<Self> {
        let mut taken: FxHashMap<String, FxHashSet<ItemId>> =
            query_ids.map(|id| (id.to_owned(), FxHashSet::default())).collect();
        if taken.is_empty() {
            return Ok(Self::default());
        }
        for line in store.scan_interactions(0).map_err(|error| store_problem(&error))? {
            let line = line.map_err(|error| store_problem(&error))?;
            if let (true, Some(query_id), Some(item)) = (line.kind.is_taken(), &line.query_id, line.item)
                && let Some(items) = taken.get_mut(query_id)
            {
                items.insert(item);
            }
        }
        Ok(Self(taken))
    }

    /// Whether an item was taken from a list.
    pub(crate) fn took(&self, query_id: &str, item: &ItemId) -> bool {
        self.0.get(query_id).is_some_and(|items| items.contains(item))
    }
}
