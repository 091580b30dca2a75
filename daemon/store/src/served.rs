//! The log of served lists: which items went out to whom, at which places, with which propensities. It is erased with its user, and old
//! lists are dropped by age. It is no part of an export: what a shop imports elsewhere was not served there.
//!
//! Lists lie by user, for erasures. A second key finds them by time and says what they are worth reading for.

mod days;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use mercer_shared::ids::ItemId;
use mercer_shared::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::core::Core;
use crate::error::{Result, StoreError};
use crate::layout::{SERVED, SERVED_TIME, key};
use crate::pseudonym::Pseudonym;
use crate::record::{Record, moment, unwrap};
use crate::store::Store;

pub use days::{ServedDay, ServedTotals};

/// Records that one write removes at most, so that writers of interactions wait little.
const REMOVED_AT_ONCE: usize = 1_000;

/// Stands in the key for a list that went out to no known user.
const NOBODY: Pseudonym = Pseudonym([0; 32]);

/// A list that went out.
#[derive(Debug, Clone, PartialEq)]
pub struct ServedRecord {
    /// Who it was for; `None` for a visitor without a name, and for a user who refused to be personalised.
    pub user: Option<Pseudonym>,
    /// The id by which interactions refer to it.
    pub query_id: String,
    /// When it went out.
    pub at: Timestamp,
    /// The next sequence number of the log when it was made: no interaction before it refers to the list. 0 for one from before schema 4.
    pub seq: u64,
    /// The version that made it.
    pub version: String,
    /// Where it was shown.
    pub placement: String,
    /// Its rows, best first.
    pub rows: Vec<ServedRow>,
    /// For a list with exploration: the items that an explored place could have held, in the order of the version.
    pub pool: Vec<ItemId>,
}

/// A row of a list that went out.
#[derive(Debug, Clone, PartialEq)]
pub struct ServedRow {
    /// The item.
    pub item: ItemId,
    /// Probability of this item at this place, given the rows before; 1 where nothing was drawn.
    pub propensity: f32,
    /// The version whose row it is, in an interleaved list: 0 the serving one, 1 the other.
    pub team: Option<u8>,
}

/// Lists that are read for more than their exposure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServedKind {
    /// Some of its places were drawn from a pool.
    Explored,
    /// Its rows are those of two versions.
    Interleaved,
}

impl ServedKind {
    /// The bit in the marks of a list.
    const fn bit(self) -> u8 {
        match self {
            Self::Explored => 1,
            Self::Interleaved => 2,
        }
    }
}

fn marks(record: &ServedRecord) -> u8 {
    let explored = if record.pool.is_empty() { 0 } else { ServedKind::Explored.bit() };
    let interleaved = record.rows.iter().any(|row| row.team.is_some());
    explored | if interleaved { ServedKind::Interleaved.bit() } else { 0 }
}

/// The record of schema 3. Who and when stand in the key.
#[derive(Debug, Serialize, Deserialize)]
struct ServedV1 {
    version: String,
    placement: String,
    rows: Vec<RowV1>,
    pool: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct RowV1 {
    item: String,
    propensity: f32,
    team: Option<u8>,
}

impl Record for ServedV1 {
    const VERSION: u8 = 1;
}

/// The record since schema 4.
#[derive(Debug, Serialize, Deserialize)]
struct ServedV2 {
    seq: u64,
    list: ServedV1,
}

impl Record for ServedV2 {
    const VERSION: u8 = 2;
}

/// Bytes of the key before the query id: prefix, pseudonym, milliseconds.
const HEAD: usize = 1 + 32 + 8;

fn record_key(record: &ServedRecord) -> Vec<u8> {
    let mut rest = Vec::with_capacity(40 + record.query_id.len());
    rest.extend_from_slice(&record.user.unwrap_or(NOBODY).0);
    rest.extend_from_slice(&record.at.millis().to_be_bytes());
    rest.extend_from_slice(record.query_id.as_bytes());
    key(SERVED, &rest)
}

/// The key that finds a record by time, from the record's own.
fn time_key(record: &[u8]) -> Result<Vec<u8>> {
    let parts = record.get(1..33).zip(record.get(33..HEAD)).zip(record.get(HEAD..));
    let ((user, millis), query_id) = parts.ok_or_else(|| StoreError::corrupt(record, "the key is too short"))?;
    Ok(key(SERVED_TIME, &[millis, user, query_id].concat()))
}

/// The key of a record, from the one that finds it by time.
fn key_at(time: &[u8]) -> Result<Vec<u8>> {
    let parts = time.get(1..9).zip(time.get(9..HEAD)).zip(time.get(HEAD..));
    let ((millis, user), query_id) = parts.ok_or_else(|| StoreError::corrupt(time, "the key is too short"))?;
    Ok(key(SERVED, &[user, millis, query_id].concat()))
}

/// Milliseconds in the key of a record.
fn key_millis(key: &[u8]) -> Result<i64> {
    millis_at(key, 33)
}

fn millis_at(key: &[u8], from: usize) -> Result<i64> {
    let bytes = key.get(from..from + 8).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
    bytes.map(i64::from_be_bytes).ok_or_else(|| StoreError::corrupt(key, "the key is too short"))
}

fn read(key: &[u8], bytes: &[u8]) -> Result<ServedRecord> {
    let at = moment(key, key_millis(key)?)?;
    let user = key.get(1..33).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()).map(Pseudonym);
    let query_id = String::from_utf8_lossy(key.get(HEAD..).unwrap_or_default()).into_owned();
    let id = |id: String| ItemId::new(id).map_err(|error| StoreError::corrupt(key, error.to_string()));
    let ServedV2 { seq, list } = match unwrap(key, bytes)? {
        (ServedV1::VERSION, payload) => ServedV2 { seq: 0, list: ServedV1::from_payload(key, payload)? },
        _ => ServedV2::decode(key, bytes)?,
    };
    let ServedV1 { version, placement, rows, pool } = list;
    let row = |row: RowV1| Ok(ServedRow { item: id(row.item)?, propensity: row.propensity, team: row.team });
    Ok(ServedRecord {
        user: user.filter(|user| *user != NOBODY),
        query_id,
        at,
        seq,
        version,
        placement,
        rows: rows.into_iter().map(row).collect::<Result<_>>()?,
        pool: pool.into_iter().map(id).collect::<Result<_>>()?,
    })
}

impl Store {
    /// Appends lists that went out. Lists for a user who was erased meanwhile are left out. Totals of days to which a list comes late are
    /// dropped with the same write.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Storage`].
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
    /// [`StoreError::ReadOnly`], [`StoreError::Storage`].
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

/// The first key that finds a list of this moment or later.
fn time_bound(millis: i64) -> Vec<u8> {
    key(SERVED_TIME, &millis.max(0).to_be_bytes())
}

/// The lists of a span of milliseconds whose marks are wanted, in order of time.
fn by_time(
    core: Arc<Core>,
    span: std::ops::Range<i64>,
    wanted: impl Fn(u8) -> bool,
) -> impl DoubleEndedIterator<Item = Result<ServedRecord>> {
    let tree = core.tree();
    let found = tree.range(time_bound(span.start)..time_bound(span.end));
    found.filter_map(move |entry| {
        // The store's files stay open while they are read.
        let _open = &core;
        let record = |entry: sled::Result<(sled::IVec, sled::IVec)>| {
            let (time, marks) = entry?;
            if !marks.first().is_some_and(|marks| wanted(*marks)) {
                return Ok(None);
            }
            let key = key_at(&time)?;
            // One that is gone was erased or dropped since its key was read.
            tree.get(&key)?.map(|bytes| read(&key, &bytes)).transpose()
        };
        record(entry).transpose()
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

/// Schema 3 to 4: every list gets the key that finds it by time. A damaged list is found by nobody, as before.
pub(crate) fn find_by_time(tree: &sled::Tree, batch: &mut sled::Batch) -> Result<()> {
    for entry in tree.scan_prefix([SERVED]) {
        let (key, bytes) = entry?;
        let marks = read(&key, &bytes).map_or(0, |record| marks(&record));
        batch.insert(time_key(&key)?, &[marks]);
    }
    Ok(())
}
