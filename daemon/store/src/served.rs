//! The log of served lists: which items went out to whom, at which places, with which propensities. It is erased with its user, and old
//! lists are dropped by age. It is no part of an export: what a shop imports elsewhere was not served there.
//!
//! Lists lie by user, for erasures. A second key finds them by time and says what they are worth reading for.

mod days;
pub(crate) mod record;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use mercer_shared::ids::ItemId;
use mercer_shared::time::Timestamp;

use crate::core::Core;
use crate::error::Result;
use crate::layout::{SERVED, key};
use crate::pseudonym::Pseudonym;
use crate::record::{Record, moment};
use crate::served::record::{
    RowV1, ServedV1, ServedV2, by_time, key_at, key_millis, marks, read, record_key, time_bound, time_key,
};
use crate::store::Store;

pub use days::{ServedDay, ServedTotals};
pub use record::{ServedKind, ServedRecord, ServedRow};

/// Records that one write removes at most, so that writers of interactions wait little.
const REMOVED_AT_ONCE: usize = 1_000;

impl Store {
    /// Appends lists that went out. Lists for a user who was erased meanwhile are left out. Totals of days to which a list comes late are
    /// dropped with the same write.
    ///
    /// # Errors
    /// [`ReadOnly`](crate::StoreError::ReadOnly), [`Storage`](crate::StoreError::Storage).
    pub fn append_served(&self, records: Vec<ServedRecord>) -> Result<()> {
        let core = self.core();
        let writer = core.write()?;
        let mut batch = sled::Batch::default();
        let mut late = days::Changed::default();
        for record in records {
            if record.user.is_some_and(|user| writer.tombstones.contains(&core.keys.tombstone(&user))) {
                continue;
            }
            let key = record_key(&record);
            batch.insert(time_key(&key)?, &[marks(&record)]);
            late.note(record.at);
            let row = |row: ServedRow| RowV1 { item: row.item.to_string(), propensity: row.propensity, team: row.team };
            let list = ServedV1 {
                version: record.version,
                placement: record.placement,
                rows: record.rows.into_iter().map(row).collect(),
                pool: record.pool.iter().map(ItemId::to_string).collect(),
            };
            let bytes = ServedV2 { seq: record.seq, list }.encode(&key)?;
            batch.insert(key, bytes);
        }
        late.drop_totals(core, &mut batch)?;
        core.apply(batch)
    }

    /// All lists that went out and were not dropped, by user. A damaged record is one error of the iterator.
    pub fn served(&self) -> impl Iterator<Item = Result<ServedRecord>> + use<> {
        scan(Arc::clone(self.core()), &[SERVED])
    }

    /// The lists that went out to a user, oldest first.
    pub fn served_to(&self, user: &Pseudonym) -> impl Iterator<Item = Result<ServedRecord>> + use<> {
        scan(Arc::clone(self.core()), &key(SERVED, &user.0))
    }

    /// The lists of a kind that went out at a moment or later, in order of time; of other lists only the keys are read.
    pub fn served_since(
        &self,
        kind: ServedKind,
        from: Timestamp,
    ) -> impl DoubleEndedIterator<Item = Result<ServedRecord>> + use<> {
        by_time(Arc::clone(self.core()), from.millis()..i64::MAX, move |marks| marks & kind.bit() != 0)
    }

    /// Drops the lists that went out before a moment, and the totals of their days; returns the number of lists. After a crash a part of
    /// them is left, without totals; the next call drops the rest.
    ///
    /// # Errors
    /// [`ReadOnly`](crate::StoreError::ReadOnly), [`Storage`](crate::StoreError::Storage).
    pub fn drop_served(&self, before: Timestamp) -> Result<u64> {
        let core = self.core();
        days::drop_before(core, before)?;
        let old = core.tree().range(time_bound(0)..time_bound(before.millis())).keys();
        let old: Vec<sled::IVec> = old.collect::<std::result::Result<_, _>>()?;
        for keys in old.chunks(REMOVED_AT_ONCE) {
            let _writer = core.write()?;
            let mut batch = sled::Batch::default();
            for key in keys {
                batch.remove(key_at(key)?);
                batch.remove(key);
            }
            core.apply(batch)?;
        }
        Ok(old.len() as u64)
    }
}

fn scan(core: Arc<Core>, prefix: &[u8]) -> impl Iterator<Item = Result<ServedRecord>> + use<> {
    let records = core.tree().scan_prefix(prefix);
    records.map(move |entry| {
        // The store's files stay open while they are read.
        let _open = &core;
        let (key, bytes) = entry?;
        read(&key, &bytes)
    })
}

/// Removes the lists that went out to a user, and the totals of their days; part of an erasure.
pub(crate) fn erase(core: &Core, user: &Pseudonym, batch: &mut sled::Batch) -> Result<u64> {
    let mut removed = 0;
    let mut changed = days::Changed::default();
    for key in core.tree().scan_prefix(key(SERVED, &user.0)).keys() {
        let key = key?;
        changed.note(moment(&key, key_millis(&key)?)?);
        batch.remove(time_key(&key)?);
        batch.remove(key);
        removed += 1;
    }
    changed.drop_totals(core, batch)?;
    Ok(removed)
}
