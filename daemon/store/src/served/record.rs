//! Records and keys of the log of served lists, and how they are found by time.

use std::sync::Arc;

use mercer_shared::ids::ItemId;
use mercer_shared::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::core::Core;
use crate::error::{Result, StoreError};
use crate::layout::{SERVED, SERVED_TIME, key};
use crate::pseudonym::Pseudonym;
use crate::record::{Record, moment, unwrap};

/// Stands in the key for a list that went out to no known user.
pub(super) const NOBODY: Pseudonym = Pseudonym([0; 32]);

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
    pub(super) const fn bit(self) -> u8 {
        match self {
            Self::Explored => 1,
            Self::Interleaved => 2,
        }
    }
}

pub(super) fn marks(record: &ServedRecord) -> u8 {
    let explored = if record.pool.is_empty() { 0 } else { ServedKind::Explored.bit() };
    let interleaved = record.rows.iter().any(|row| row.team.is_some());
    explored | if interleaved { ServedKind::Interleaved.bit() } else { 0 }
}

/// The record of schema 3. Who and when stand in the key.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ServedV1 {
    pub(super) version: String,
    pub(super) placement: String,
    pub(super) rows: Vec<RowV1>,
    pub(super) pool: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RowV1 {
    pub(super) item: String,
    pub(super) propensity: f32,
    pub(super) team: Option<u8>,
}

impl Record for ServedV1 {
    const VERSION: u8 = 1;
}

/// The record since schema 4.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ServedV2 {
    pub(super) seq: u64,
    pub(super) list: ServedV1,
}

impl Record for ServedV2 {
    const VERSION: u8 = 2;
}

/// Bytes of the key before the query id: prefix, pseudonym, milliseconds.
pub(super) const HEAD: usize = 1 + 32 + 8;

pub(super) fn record_key(record: &ServedRecord) -> Vec<u8> {
    let mut rest = Vec::with_capacity(40 + record.query_id.len());
    rest.extend_from_slice(&record.user.unwrap_or(NOBODY).0);
    rest.extend_from_slice(&record.at.millis().to_be_bytes());
    rest.extend_from_slice(record.query_id.as_bytes());
    key(SERVED, &rest)
}

/// The key that finds a record by time, from the record's own.
pub(super) fn time_key(record: &[u8]) -> Result<Vec<u8>> {
    let parts = record.get(1..33).zip(record.get(33..HEAD)).zip(record.get(HEAD..));
    let ((user, millis), query_id) = parts.ok_or_else(|| StoreError::corrupt(record, "the key is too short"))?;
    Ok(key(SERVED_TIME, &[millis, user, query_id].concat()))
}

/// The key of a record, from the one that finds it by time.
pub(super) fn key_at(time: &[u8]) -> Result<Vec<u8>> {
    let parts = time.get(1..9).zip(time.get(9..HEAD)).zip(time.get(HEAD..));
    let ((millis, user), query_id) = parts.ok_or_else(|| StoreError::corrupt(time, "the key is too short"))?;
    Ok(key(SERVED, &[user, millis, query_id].concat()))
}

/// Milliseconds in the key of a record.
pub(super) fn key_millis(key: &[u8]) -> Result<i64> {
    millis_at(key, 33)
}

pub(super) fn millis_at(key: &[u8], from: usize) -> Result<i64> {
    let bytes = key.get(from..from + 8).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
    bytes.map(i64::from_be_bytes).ok_or_else(|| StoreError::corrupt(key, "the key is too short"))
}

pub(super) fn read(key: &[u8], bytes: &[u8]) -> Result<ServedRecord> {
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

/// The first key that finds a list of this moment or later.
pub(super) fn time_bound(millis: i64) -> Vec<u8> {
    key(SERVED_TIME, &millis.max(0).to_be_bytes())
}

/// The lists of a span of milliseconds whose marks are wanted, in order of time.
pub(super) fn by_time(
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

/// Schema 3 to 4: every list gets the key that finds it by time. A damaged list is found by nobody, as before.
pub(crate) fn find_by_time(tree: &sled::Tree, batch: &mut sled::Batch) -> Result<()> {
    for entry in tree.scan_prefix([SERVED]) {
        let (key, bytes) = entry?;
        let marks = read(&key, &bytes).map_or(0, |record| marks(&record));
        batch.insert(time_key(&key)?, &[marks]);
    }
    Ok(())
}
