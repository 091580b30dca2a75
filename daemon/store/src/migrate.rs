//! Schemas: what the store says it is, and how an older one becomes the present one.

use crate::layout::{META, key};
use crate::record::{unwrap, wrap};
use crate::{Result, StoreError};

/// The schema this program writes. Raise it together with a step whenever an older program could misread what a newer
/// one writes.
pub const SCHEMA: u32 = 1;

/// Version byte of the schema record itself, fixed for good: every program must be able to read it.
const RECORD: u8 = 1;

/// One step from a schema to the next: adds to the batch whatever must change.
pub(crate) type Step = fn(&sled::Tree, &mut sled::Batch) -> Result<()>;

/// Steps by the schema they start from: `STEPS[0]` leads from schema 1 to schema 2.
pub(crate) const STEPS: &[Step] = &[];

fn schema_key() -> Vec<u8> {
    key(META, b"schema")
}

/// The record that says `schema`.
pub(crate) fn schema_record(schema: u32) -> (Vec<u8>, Vec<u8>) {
    let key = schema_key();
    let bytes = wrap(&key, RECORD, &schema.to_le_bytes());
    (key, bytes)
}

/// The schema of the store; `None` for a store that is new.
pub(crate) fn found(tree: &sled::Tree) -> Result<Option<u32>> {
    let key = schema_key();
    let Some(bytes) = tree.get(&key)? else { return Ok(None) };
    let (_, payload) = unwrap(&key, &bytes)?;
    let raw = payload.try_into().map_err(|_| StoreError::corrupt(&key, "this is no schema number"))?;
    Ok(Some(u32::from_le_bytes(raw)))
}

/// Brings the store from `found` to the schema that `steps` lead to. Each step and the new number are one batch: a crash
/// leaves one schema or the next.
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
    fn a_store_of_tomorrow_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let open = || crate::Store::open(&path, crate::Key::from_bytes([7; 32]));
        drop(open().unwrap());
        let db = sled::Config::new().path(path.join("sled")).segment_size(2 << 20).open().unwrap();
        let (key, bytes) = schema_record(SCHEMA + 1);
        db.insert(key, bytes).unwrap();
        drop(db);
        for _ in 0..2 {
            let refused = open().unwrap_err();
            assert_eq!(refused, StoreError::NewerSchema { found: SCHEMA + 1, supported: SCHEMA });
            assert_eq!(refused.code().as_str(), "newer-schema");
        }
    }

    #[test]
    fn there_is_a_step_for_every_older_schema() {
        assert_eq!(STEPS.len() as u32 + 1, SCHEMA);
    }
}
