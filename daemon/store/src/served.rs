//! The log of served lists: which items went out to whom, at which places, with which propensities. It is erased with its user, and old
//! lists are dropped by age. It is no part of an export: what a shop imports elsewhere was not served there.

use std::sync::Arc;

use mercer_shared::ids::ItemId;
use mercer_shared::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::core::Core;
use crate::error::{Result, StoreError};
use crate::layout::{SERVED, key};
use crate::pseudonym::Pseudonym;
use crate::record::{Record, moment};
use crate::store::Store;

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

/// The record. Who and when stand in the key.
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

/// Bytes of the key before the query id: prefix, pseudonym, milliseconds.
const HEAD: usize = 1 + 32 + 8;

fn record_key(record: &ServedRecord) -> Vec<u8> {
    let mut rest = Vec::with_capacity(40 + record.query_id.len());
    rest.extend_from_slice(&record.user.unwrap_or(NOBODY).0);
    rest.extend_from_slice(&record.at.millis().to_be_bytes());
    rest.extend_from_slice(record.query_id.as_bytes());
    key(SERVED, &rest)
}

/// Milliseconds in a key.
fn key_millis(key: &[u8]) -> Result<i64> {
    let bytes = key.get(33..HEAD).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
    bytes.map(i64::from_be_bytes).ok_or_else(|| StoreError::corrupt(key, "the key is too short"))
}

fn read(key: &[u8], bytes: &[u8]) -> Result<ServedRecord> {
    let at = moment(key, key_millis(key)?)?;
    let user = key.get(1..33).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()).map(Pseudonym);
    let query_id = String::from_utf8_lossy(key.get(HEAD..).unwrap_or_default()).into_owned();
    let id = |id: String| ItemId::new(id).map_err(|error| StoreError::corrupt(key, error.to_string()));
    let ServedV1 { version, placement, rows, pool } = ServedV1::decode(key, bytes)?;
    let row = |row: RowV1| Ok(ServedRow { item: id(row.item)?, propensity: row.propensity, team: row.team });
    Ok(ServedRecord {
        user: user.filter(|user| *user != NOBODY),
        query_id,
        at,
        version,
        placement,
        rows: rows.into_iter().map(row).collect::<Result<_>>()?,
        pool: pool.into_iter().map(id).collect::<Result<_>>()?,
    })
}

impl Store {
    /// Appends lists that went out. Lists for a user who was erased meanwhile are left out.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Storage`].
    pub fn append_served(&self, records: Vec<ServedRecord>) -> Result<()> {
        let core = self.core();
        let writer = core.write()?;
        let mut batch = sled::Batch::default();
        for record in records {
            if record.user.is_some_and(|user| writer.tombstones.contains(&core.keys.tombstone(&user))) {
                continue;
            }
            let key = record_key(&record);
            let row = |row: ServedRow| RowV1 { item: row.item.to_string(), propensity: row.propensity, team: row.team };
            let value = ServedV1 {
                version: record.version,
                placement: record.placement,
                rows: record.rows.into_iter().map(row).collect(),
                pool: record.pool.iter().map(ItemId::to_string).collect(),
            };
            let bytes = value.encode(&key)?;
            batch.insert(key, bytes);
        }
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

    /// Drops the lists that went out before a moment; returns their number.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Storage`].
    pub fn drop_served(&self, before: Timestamp) -> Result<u64> {
        let core = self.core();
        let mut old = Vec::new();
        for key in core.tree().scan_prefix([SERVED]).keys() {
            let key = key?;
            if key_millis(&key)? < before.millis() {
                old.push(key);
            }
        }
        for keys in old.chunks(REMOVED_AT_ONCE) {
            let _writer = core.write()?;
            let mut batch = sled::Batch::default();
            keys.iter().for_each(|key| batch.remove(key));
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

/// Removes the lists that went out to a user; part of an erasure.
pub(crate) fn erase(core: &Core, user: &Pseudonym, batch: &mut sled::Batch) -> Result<u64> {
    let mut removed = 0;
    for key in core.tree().scan_prefix(key(SERVED, &user.0)).keys() {
        batch.remove(key?);
        removed += 1;
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use mercer_shared::ids::UserId;
    use proptest::prelude::*;

    use super::*;
    use crate::keys::Key;

    fn open(dir: &std::path::Path) -> Store {
        Store::open(&dir.join("store"), Key::from_bytes([5; 32])).unwrap()
    }

    fn record(user: Option<Pseudonym>, at: i64, query_id: &str, items: &[&str]) -> ServedRecord {
        let row = |item: &&str| ServedRow { item: item.parse().unwrap(), propensity: 0.25, team: Some(1) };
        ServedRecord {
            user,
            query_id: query_id.to_owned(),
            at: Timestamp::from_millis(at).unwrap(),
            version: "v000001".to_owned(),
            placement: "default".to_owned(),
            rows: items.iter().map(row).collect(),
            pool: items.iter().map(|item| item.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn lists_come_back_by_user_in_order_of_time() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let ada = store.pseudonym(&"ada".parse::<UserId>().unwrap());
        let lists = [
            record(Some(ada), 70_000, "q2", &["a", "b"]),
            record(None, 10, "q0", &["b"]),
            record(Some(ada), 5, "q1", &[]),
        ];
        store.append_served(lists.to_vec()).unwrap();
        let of_ada: Vec<_> = store.served_to(&ada).map(Result::unwrap).collect();
        assert_eq!(of_ada, [lists[2].clone(), lists[0].clone()]);
        drop(store);
        let all: Vec<_> = open(dir.path()).served().map(Result::unwrap).collect();
        assert_eq!(all.len(), 3);
        assert!(all.contains(&lists[1]));
    }

    #[test]
    fn lists_leave_by_age() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        store.append_served((0..50).map(|n| record(None, n * 100, &format!("q{n}"), &["a"])).collect()).unwrap();
        assert_eq!(store.drop_served(Timestamp::from_millis(2_000).unwrap()).unwrap(), 20);
        assert_eq!(store.served().map(|list| list.unwrap().at.millis()).min(), Some(2_000));
    }

    #[test]
    fn an_erasure_takes_the_lists_and_no_later_one_comes() {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let (ada, bob): (UserId, UserId) = ("ada".parse().unwrap(), "bob".parse().unwrap());
        let of = |id: &UserId, query_id: &str| record(Some(store.pseudonym(id)), 1, query_id, &["a"]);
        store.append_served(vec![of(&ada, "q1"), of(&bob, "q2")]).unwrap();
        store.erase_user(&ada).unwrap();
        // It was on its way when the user was erased.
        store.append_served(vec![of(&ada, "q3")]).unwrap();
        let left: Vec<_> = store.served().map(|list| list.unwrap().query_id).collect();
        assert_eq!(left, ["q2"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn every_record_is_read_as_it_was_written(
            user in proptest::option::of(any::<[u8; 32]>()),
            at in 0..=Timestamp::MAX.millis(),
            names in ("\\PC{1,40}", ".{0,20}", ".{0,20}"),
            rows in proptest::collection::vec(("\\PC{1,20}", 0f32..=1.0, proptest::option::of(0u8..2)), 0..30),
        ) {
            let user = user.map(Pseudonym).filter(|user| *user != NOBODY);
            let rows = rows.into_iter().filter_map(|(item, propensity, team)| {
                Some(ServedRow { item: ItemId::new(item).ok()?, propensity, team })
            });
            let rows: Vec<ServedRow> = rows.collect();
            let pool = rows.iter().map(|row| row.item.clone()).collect();
            let (query_id, version, placement) = names;
            let at = Timestamp::from_millis(at).unwrap();
            let list = ServedRecord { user, query_id, at, version, placement, rows, pool };
            let dir = tempfile::tempdir().unwrap();
            let store = open(dir.path());
            store.append_served(vec![list.clone()]).unwrap();
            prop_assert_eq!(store.served().map(Result::unwrap).collect::<Vec<_>>(), vec![list]);
        }
    }
}
