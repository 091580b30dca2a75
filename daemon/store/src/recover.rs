//! Opens a store: checks schema and key, then reads the log once to build the index of identities and the counts, and
//! to check that the log is complete.

use std::sync::atomic::Ordering;

use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use crate::block::BlockV1;
use crate::core::{Counters, Writer};
use crate::error::{Result, StoreError};
use crate::interaction::identity;
use crate::keys::Keyring;
use crate::layout::{ITEM, LOG, META, TOMBSTONE, USER, USER_NAME, key, key_pseudonym, log_base};
use crate::record::{Record, unwrap, wrap};
use crate::{arrival, migrate};

/// Checks schema and key, migrates an older schema, and writes both into a new store.
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

/// Key of the record of [`Erasures`].
fn erasures_key() -> Vec<u8> {
    key(META, b"erasures")
}

/// What the log itself does not tell after an erasure: its next sequence number, and how many gaps it has.
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

/// The state of a store that was opened.
pub(crate) struct Recovered {
    /// State of the writer.
    pub(crate) writer: Writer,
    /// What is wrong with the log, if anything.
    pub(crate) damage: Option<String>,
}

/// Reads the log once: the index of identities, the counts, and whether it is complete. `noted` is the next sequence number
/// that the lock file has.
pub(crate) fn recover(tree: &sled::Tree, keys: &Keyring, counters: &Counters, noted: u64) -> Result<Recovered> {
    let mut writer = Writer {
        next_seq: 1,
        next_arrival: 1 + arrival::largest(tree, ITEM)?.max(arrival::largest(tree, USER_NAME)?),
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
        let tombstone = key_pseudonym(&key).ok_or_else(|| StoreError::corrupt(&key, "this is no tombstone"))?;
        writer.tombstones.insert(tombstone);
    }
    let count = |prefix: u8| tree.scan_prefix([prefix]).keys().filter(std::result::Result::is_ok).count() as u64;
    counters.items.store(count(ITEM), Ordering::Release);
    counters.users.store(count(USER), Ordering::Release);
    counters.interactions.store(writer.identities.len() as u64, Ordering::Release);
    counters.next_seq.store(writer.next_seq, Ordering::Release);
    Ok(Recovered { writer, damage })
}
