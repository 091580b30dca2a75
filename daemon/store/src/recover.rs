//! What opening finds: schema and key, and then the log, read through once for the index of identities, the counts, and
//! whether it is all there.

use std::sync::atomic::Ordering;

use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use crate::block::{BlockV1, identity};
use crate::keys::{Keyring, Pseudonym};
use crate::layout::{ITEM, LOG, META, TOMBSTONE, USER, key, log_base};
use crate::record::{Record, unwrap, wrap};
use crate::store::{Counters, Writer};
use crate::{Result, StoreError, migrate};

/// Checks schema and key, and writes both into a new store.
pub(crate) fn prepare(tree: &sled::Tree, keys: &Keyring) -> Result<()> {
    let check_key = key(META, b"key-check");
    let Some(found) = migrate::found(tree)? else {
        if !tree.is_empty() {
            return Err(StoreError::Corrupt {
                key: "meta schema".to_owned(),
                reason: "records, but no schema".to_owned(),
            });
        }
        let mut batch = sled::Batch::default();
        let (key, bytes) = migrate::schema_record(migrate::SCHEMA);
        batch.insert(key, bytes);
        batch.insert(check_key.as_slice(), wrap(&check_key, 1, &keys.check()));
        tree.apply_batch(batch)?;
        tree.flush()?;
        return Ok(());
    };
    if found > migrate::SCHEMA {
        return Err(StoreError::NewerSchema { found, supported: migrate::SCHEMA });
    }
    let bytes = tree.get(&check_key)?.ok_or_else(|| StoreError::corrupt(&check_key, "it is missing"))?;
    if unwrap(&check_key, &bytes)?.1 != keys.check() {
        return Err(StoreError::WrongKey);
    }
    migrate::run(tree, found, migrate::STEPS)
}

/// Key of what erasures leave behind: see [`Erasures`].
fn erasures_key() -> Vec<u8> {
    key(META, b"erasures")
}

/// What the log cannot tell after an erasure: where its numbers had got to, and how many gaps it may have.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Erasures {
    next_seq: u64,
    erased: u64,
}

impl Record for Erasures {
    const VERSION: u8 = 1;
}

impl Erasures {
    /// Key and bytes of the record.
    pub(crate) fn record(next_seq: u64, erased: u64) -> Result<(Vec<u8>, Vec<u8>)> {
        let key = erasures_key();
        let bytes = Self { next_seq, erased }.encode(&key)?;
        Ok((key, bytes))
    }
}

/// Reads the log through once: the index of identities, the counts, and whether it is all there. `noted` is what the lock
/// file says about the log's end. What is wrong comes second, in words.
pub(crate) fn recover(
    tree: &sled::Tree,
    keys: &Keyring,
    counters: &Counters,
    noted: u64,
) -> Result<(Writer, Option<String>)> {
    let mut writer = Writer {
        next_seq: 1,
        identities: FxHashMap::default(),
        tombstones: FxHashSet::default(),
        named: FxHashSet::default(),
        erased: 0,
        space_checked: None,
    };
    let mut damage = None;
    for entry in tree.scan_prefix([LOG]) {
        let (key, bytes) = entry?;
        match BlockV1::read(&key, &bytes) {
            Ok(lines) => {
                for line in lines {
                    writer.next_seq = writer.next_seq.max(line.seq + 1);
                    writer.identities.insert(identity(keys, &line), line.seq);
                }
            }
            Err(error) => {
                writer.next_seq = writer.next_seq.max(log_base(&key).unwrap_or_default() + 1);
                damage.get_or_insert_with(|| error.to_string());
            }
        }
    }
    let key = erasures_key();
    let erasures = tree.get(&key)?.map(|bytes| Erasures::decode(&key, &bytes)).transpose()?.unwrap_or_default();
    writer.next_seq = writer.next_seq.max(erasures.next_seq);
    writer.erased = erasures.erased;
    let expected = writer.next_seq.max(noted) - 1;
    let present = writer.identities.len() as u64 + writer.erased;
    if damage.is_none() && present != expected {
        damage = Some(format!("{expected} interactions were acknowledged, {present} are accounted for"));
    }
    for key in tree.scan_prefix([TOMBSTONE]).keys() {
        let key = key?;
        let mark = key.get(1..).and_then(|rest| rest.try_into().ok());
        writer.tombstones.insert(Pseudonym(mark.ok_or_else(|| StoreError::corrupt(&key, "this is no tombstone"))?));
    }
    let count = |prefix: u8| tree.scan_prefix([prefix]).keys().filter(std::result::Result::is_ok).count() as u64;
    counters.items.store(count(ITEM), Ordering::Release);
    counters.users.store(count(USER), Ordering::Release);
    counters.interactions.store(writer.identities.len() as u64, Ordering::Release);
    counters.next_seq.store(writer.next_seq, Ordering::Release);
    Ok((writer, damage))
}
