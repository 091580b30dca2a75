//! Joins served lists with what users did with them: interactions that name the list's `query_id`.

use mercer_shared::ids::ItemId;
use mercer_store::{ServedRecord, Store};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::state::problems::{Answer, store_problem};

/// Items that were clicked, put into a cart or bought, by the id of the list they were taken from.
#[derive(Debug, Default)]
pub(crate) struct Outcomes(FxHashMap<String, FxHashSet<ItemId>>);

/// Lists whose outcomes are wanted. Of a list only its id is held.
#[derive(Debug)]
pub(crate) struct Lists {
    query_ids: FxHashMap<String, FxHashSet<ItemId>>,
    from: u64,
}

impl Default for Lists {
    fn default() -> Self {
        Self { query_ids: FxHashMap::default(), from: u64::MAX }
    }
}

impl Lists {
    /// Adds a list.
    pub(crate) fn add(&mut self, list: &ServedRecord) {
        self.query_ids.insert(list.query_id.clone(), FxHashSet::default());
        self.from = self.from.min(list.seq);
    }
}

impl Outcomes {
    /// Reads the log for outcomes of these lists: from the sequence number that it had when the first of them was made.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn of_lists(store: &Store, lists: Lists) -> Answer<Self> {
        let Lists { query_ids: mut taken, from } = lists;
        if taken.is_empty() {
            return Ok(Self::default());
        }
        for line in store.scan_interactions(from).map_err(|error| store_problem(&error))? {
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

#[cfg(test)]
mod tests {
    use mercer_shared::time::Timestamp;
    use mercer_shared::wire::Interaction;
    use mercer_store::{Appended, Key};

    use super::*;

    #[test]
    fn the_log_is_read_from_the_first_of_the_lists_on() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store"), Key::from_bytes([3; 32])).unwrap();
        let click = |query_id: &str, item: &str| -> u64 {
            let line: Interaction = serde_json::from_value(serde_json::json!({
                "user": "ada", "type": "click", "item": item, "query_id": query_id, "at": Timestamp::at(1_000)
            }))
            .unwrap();
            match store.append(vec![line]).pop().unwrap().unwrap() {
                Appended::Accepted(seq) | Appended::Duplicate(seq) => seq,
            }
        };
        click("q1", "early");
        let first = click("q1", "a");
        click("q2", "b");
        click("other", "a");
        let lists = |seq: u64| {
            let mut lists = Lists::default();
            for (query_id, seq) in [("q2", seq + 1), ("q1", seq)] {
                lists.add(&ServedRecord {
                    user: None,
                    query_id: query_id.to_owned(),
                    at: Timestamp::at(900),
                    seq,
                    version: "v1".to_owned(),
                    placement: "default".to_owned(),
                    rows: Vec::new(),
                    pool: Vec::new(),
                });
            }
            lists
        };
        let took = |outcomes: &Outcomes, list: &str, item: &str| outcomes.took(list, &item.parse().unwrap());
        let found = Outcomes::of_lists(&store, lists(first)).unwrap();
        assert!(took(&found, "q1", "a") && took(&found, "q2", "b"));
        assert!(!took(&found, "q1", "early"), "nothing refers to a list before it was made");
        assert!(!took(&found, "other", "a"));
        // A list from before schema 4 does not say where to begin.
        assert!(took(&Outcomes::of_lists(&store, lists(0)).unwrap(), "q1", "early"));
    }
}
