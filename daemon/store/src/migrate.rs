//! Schemas: the format version of a store, and the migrations from older ones.
//!
//! | schema | change |
//! |---|---|
//! | 1 | first |
//! | 2 | new items and users get an arrival number ([`crate::arrival`]); deleted items have a tombstone |
//! | 3 | records of users say which consent was given explicitly, and keep its ledger ([`crate::consent`]) |
//! | 4 | served lists are found by time as well, and totals of their days are kept |

use crate::error::{Result, StoreError};
use crate::layout::{META, key};
use crate::record::{unwrap, wrap};

/// The schema this program writes. Raise it and add a step whenever an older program could misread what a newer one writes.
pub const SCHEMA: u32 = 4;

/// Version byte of the schema record itself. It never changes, so that every program can read it.
const RECORD: u8 = 1;

/// A migration from one schema to the next: adds its changes to the batch.
pub(crate) type Step = fn(&sled::Tree, &mut sled::Batch) -> Result<()>;

/// Migrations by the schema they start from: `STEPS[0]` leads from schema 1 to schema 2.
pub(crate) const STEPS: &[Step] = &[number_arrivals, keep_consent_ledger, crate::served::record::find_by_time];

/// Schema 1 to 2 rewrites nothing: records without an arrival number stay readable and come first, in order of their keys. The
/// new schema only keeps older programs away from the records that have one.
fn number_arrivals(_: &sled::Tree, _: &mut sled::Batch) -> Result<()> {
    Ok(())
}

/// Schema 2 to 3 rewrites nothing: users stay readable as they are and get the new form when they change. The new schema only keeps
/// older programs away from the new form.
fn keep_consent_ledger(_: &sled::Tree, _: &mut sled::Batch) -> Result<()> {
    Ok(())
}

pub(crate) fn schema_key() -> Vec<u8> {
    key(META, b"schema")
}

/// Key and bytes of the schema record.
pub(crate) fn schema_record(schema: u32) -> (Vec<u8>, Vec<u8>) {
    let key = schema_key();
    let bytes = wrap(&key, RECORD, &schema.to_le_bytes());
    (key, bytes)
}

/// Reads the schema of the store; `None` if the store is new.
pub(crate) fn found(tree: &sled::Tree) -> Result<Option<u32>> {
    let key = schema_key();
    let Some(bytes) = tree.get(&key)? else { return Ok(None) };
    let (_, payload) = unwrap(&key, &bytes)?;
    let raw = payload.try_into().map_err(|_| StoreError::corrupt(&key, "this is no schema number"))?;
    Ok(Some(u32::from_le_bytes(raw)))
}

/// Migrates the store from schema `found` to the one that `steps` lead to. Each step and its new schema number are one batch,
/// so a crash leaves one schema or the next.
pub(crate) fn run(tree: &sled::Tree, found: u32, steps: &[Step]) -> Result<()> {
    let supported = steps.len() as u32 + 1;
    if found > supported {
        return Err(StoreError::NewerSchema { found, supported });
    }
    if found == 0 {
        return Err(StoreError::corrupt(&schema_key(), "there is no schema 0"));
    }
    for (step, from) in steps.iter().zip(1..).skip(found as usize - 1) {
        let mut batch = sled::Batch::default();
        step(tree, &mut batch)?;
        let (key, bytes) = schema_record(from + 1);
        batch.insert(key, bytes);
        tree.apply_batch(batch)?;
        tree.flush()?;
        tracing::info!(from, to = from + 1, "store migrated");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::ITEM;

    /// Schema 2 of this test renames every item `old-…`.
    fn rename(tree: &sled::Tree, batch: &mut sled::Batch) -> Result<()> {
        for entry in tree.scan_prefix([ITEM]) {
            let (old, bytes) = entry?;
            let (_, payload) = unwrap(&old, &bytes)?;
            let mut new = old.to_vec();
            new.splice(1..1, b"old-".iter().copied());
            batch.insert(new.as_slice(), wrap(&new, 2, payload));
            batch.remove(old);
        }
        Ok(())
    }

    #[test]
    fn an_old_record_is_rewritten_once() {
        let dir = tempfile::tempdir().unwrap();
        let db = sled::open(dir.path()).unwrap();
        // Written by hand: a store of schema 1 with one item record.
        let (key, bytes) = schema_record(1);
        db.insert(key, bytes).unwrap();
        db.insert(b"T1", wrap(b"T1", 1, b"payload")).unwrap();

        run(&db, 1, &[rename]).unwrap();
        assert_eq!(found(&db).unwrap(), Some(2));
        assert!(db.get(b"T1").unwrap().is_none());
        let moved = db.get(b"Told-1").unwrap().unwrap();
        assert_eq!(unwrap(b"Told-1", &moved).unwrap(), (2, b"payload".as_slice()));

        // A second run finds nothing to do, and today's program refuses what comes from tomorrow.
        run(&db, 2, &[rename]).unwrap();
        assert!(db.get(b"Told-1").unwrap().is_some());
        assert_eq!(run(&db, 3, &[rename]), Err(StoreError::NewerSchema { found: 3, supported: 2 }));
        assert!(run(&db, 0, &[rename]).is_err());
    }

    #[test]
    fn there_is_a_step_for_every_older_schema() {
        assert_eq!(STEPS.len() as u32 + 1, SCHEMA);
    }
}
