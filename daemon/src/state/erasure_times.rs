//! When users were erased: what was computed before still counts them.

use mercer_shared::time::Timestamp;
use mercer_shared::wire::{AuditEntry, Page};
use mercer_store::{DocKind, Order, Setting, SettingDocument, Store};
use serde::{Deserialize, Serialize};

use crate::state::problems::{Answer, store_problem};

/// Entries of the audit log that are read at once.
const PAGE: usize = 1_000;

/// Times of erasures, oldest first. They say of nobody who was erased.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureTimes(Vec<Timestamp>);

impl SettingDocument for ErasureTimes {
    const SETTING: Setting = Setting::ErasureTimes;
}

impl ErasureTimes {
    /// The times in the store. Those of programs that kept none are found in the audit log.
    ///
    /// # Errors
    /// The store's.
    pub fn load(store: &Store) -> Answer<Self> {
        if let Some(kept) = store.get_setting().map_err(|error| store_problem(&error))? {
            return Ok(kept);
        }
        let (mut times, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let page: Page<AuditEntry> = store
                .list_docs(DocKind::Audit, Order::Oldest, cursor.as_deref(), PAGE)
                .map_err(|error| store_problem(&error))?;
            times.extend(page.items.iter().filter(|entry| entry.action == "erase").map(|entry| entry.at));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        times.sort_unstable();
        Ok(Self(times))
    }

    /// Notes an erasure.
    ///
    /// # Errors
    /// The store's.
    pub fn note(store: &Store, at: Timestamp) -> Answer<()> {
        let mut times = Self::load(store)?;
        let place = times.0.partition_point(|earlier| *earlier <= at);
        times.0.insert(place, at);
        store.put_setting(&times).map_err(|error| store_problem(&error))
    }

    /// How many users were erased since a moment.
    #[must_use]
    pub fn since(&self, moment: Timestamp) -> u64 {
        (self.0.len() - self.0.partition_point(|at| *at < moment)) as u64
    }
}
