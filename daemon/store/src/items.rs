//! Items: written whole or in part, read by id and in order of id.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use mercer_shared::ids::ItemId;
use mercer_shared::wire::{Item, ItemPatch};
use rustc_hash::FxHashMap;

use crate::layout::{ITEM, key};
use crate::record::{ItemV1, Record};
use crate::store::Core;
use crate::{Result, Store, StoreError};

/// What writing a document did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It was not there before.
    New,
    /// It was there and is different now.
    Changed,
    /// It was there just so; nothing was written.
    Same,
}

fn item_key(id: &ItemId) -> Vec<u8> {
    key(ITEM, id.as_str().as_bytes())
}

fn read(key: &[u8], bytes: &[u8]) -> Result<Item> {
    let id = key.get(1..).and_then(|id| std::str::from_utf8(id).ok()).and_then(|id| ItemId::new(id).ok());
    let id = id.ok_or_else(|| StoreError::corrupt(key, "the key is no item id"))?;
    ItemV1::decode(key, bytes)?.into_wire(key, id)
}

impl Store {
    /// Writes items whole, all or none; says of each what changed. Where an id occurs twice the later one stands.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if a number is not finite, [`StoreError::ReadOnly`], [`StoreError::Storage`].
    pub fn put_items(&self, items: Vec<Item>) -> Result<Vec<Change>> {
        let _writer = self.core().write()?;
        self.write_items(items)
    }

    /// Changes the given fields of an item; `None` if there is no such item.
    ///
    /// # Errors
    /// As [`Store::put_items`], and [`StoreError::Corrupt`] if the present record is damaged.
    pub fn patch_item(&self, id: &ItemId, patch: ItemPatch) -> Result<Option<(Item, Change)>> {
        let _writer = self.core().write()?;
        let Some(mut item) = self.get_item(id)? else { return Ok(None) };
        patch.apply(&mut item);
        let changes = self.write_items(vec![item.clone()])?;
        Ok(changes.first().map(|change| (item, *change)))
    }

    /// The write itself; the caller holds the writer.
    fn write_items(&self, items: Vec<Item>) -> Result<Vec<Change>> {
        let core = self.core();
        let mut batch = sled::Batch::default();
        let mut pending: FxHashMap<Vec<u8>, Vec<u8>> = FxHashMap::default();
        let mut changes = Vec::with_capacity(items.len());
        for item in items {
            let (id, record) = ItemV1::from_wire(item)?;
            let key = item_key(&id);
            let bytes = record.encode(&key)?;
            let stored;
            let before = match pending.get(&key) {
                Some(bytes) => Some(bytes.as_slice()),
                None => {
                    stored = core.tree.get(&key)?;
                    stored.as_deref()
                }
            };
            let change = match before {
                None => Change::New,
                Some(before) if before == bytes => Change::Same,
                Some(_) => Change::Changed,
            };
            changes.push(change);
            if change != Change::Same {
                batch.insert(key.as_slice(), bytes.as_slice());
                pending.insert(key, bytes);
            }
        }
        if !pending.is_empty() {
            core.apply(batch)?;
            let new = changes.iter().filter(|change| **change == Change::New).count() as u64;
            core.counters.items.fetch_add(new, Ordering::AcqRel);
        }
        Ok(changes)
    }

    /// Removes an item; whether it was there. Interactions with it stay in the log.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Storage`].
    pub fn remove_item(&self, id: &ItemId) -> Result<bool> {
        let core = self.core();
        let _writer = core.write()?;
        let key = item_key(id);
        if !core.tree.contains_key(&key)? {
            return Ok(false);
        }
        let mut batch = sled::Batch::default();
        batch.remove(key);
        core.apply(batch)?;
        core.counters.items.fetch_sub(1, Ordering::AcqRel);
        Ok(true)
    }

    /// An item by its id.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if its record is damaged.
    pub fn get_item(&self, id: &ItemId) -> Result<Option<Item>> {
        let key = item_key(id);
        self.core().tree.get(&key)?.map(|bytes| read(&key, &bytes)).transpose()
    }

    /// All items, in order of the bytes of their ids; a damaged record is one error of the walk.
    pub fn items(&self) -> impl Iterator<Item = Result<Item>> + use<> {
        walk(Arc::clone(self.core()), ITEM, |_, key, bytes| read(key, bytes))
    }
}

/// Walks the records under a prefix; holds the store open while it lives.
pub(crate) fn walk<T>(
    core: Arc<Core>,
    prefix: u8,
    read: impl Fn(&Core, &[u8], &[u8]) -> Result<T>,
) -> impl Iterator<Item = Result<T>> {
    let mut entries = core.tree.scan_prefix([prefix]);
    std::iter::from_fn(move || {
        let entry = entries.next()?;
        Some(entry.map_err(StoreError::from).and_then(|(key, bytes)| read(&core, &key, &bytes)))
    })
}
