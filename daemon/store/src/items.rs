//! Items: writes them whole or in part, deletes them with a tombstone, reads them by id and in order of arrival.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use mercer_shared::ids::ItemId;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{DeletedItem, Item, ItemPatch};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::arrival::{self, Numbered};
use crate::core::{Core, Writer};
use crate::error::{Result, StoreError};
use crate::layout::{DELETED_ITEM, ITEM, key};
use crate::record::{DeletedItemV1, ItemV1, Record};
use crate::store::Store;

/// What writing a document changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The document is new.
    New,
    /// The document was there and is different now.
    Changed,
    /// The document was there with this content; nothing was written.
    Same,
}

fn item_key(id: &ItemId) -> Vec<u8> {
    key(ITEM, id.as_str().as_bytes())
}

fn deleted_key(id: &ItemId) -> Vec<u8> {
    key(DELETED_ITEM, id.as_str().as_bytes())
}

fn id_of(key: &[u8]) -> Result<ItemId> {
    let id = key.get(1..).and_then(|id| std::str::from_utf8(id).ok()).and_then(|id| ItemId::new(id).ok());
    id.ok_or_else(|| StoreError::corrupt(key, "the key is no item id"))
}

fn read(key: &[u8], bytes: &[u8]) -> Result<Item> {
    ItemV1::from_payload(key, Numbered::read(key, bytes)?.payload)?.into_wire(key, id_of(key)?)
}

fn read_deleted(key: &[u8], bytes: &[u8]) -> Result<DeletedItem> {
    DeletedItemV1::decode(key, bytes)?.into_wire(key, id_of(key)?)
}

impl Store {
    /// Writes items whole, all or none, and says of each what changed. If an id occurs twice, the later item wins. An item that
    /// was deleted is new again, and its tombstone goes.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if a number is not finite, [`StoreError::ReadOnly`], [`StoreError::Storage`].
    pub fn put_items(&self, items: Vec<Item>) -> Result<Vec<Change>> {
        let mut writer = self.core().write()?;
        write_items(self.core(), &mut writer, items)
    }

    /// Changes the given fields of an item; `None` if there is no such item.
    ///
    /// # Errors
    /// As [`Store::put_items`], and [`StoreError::Corrupt`] if the present record is damaged.
    pub fn patch_item(&self, id: &ItemId, patch: ItemPatch) -> Result<Option<(Item, Change)>> {
        let mut writer = self.core().write()?;
        let Some(mut item) = self.get_item(id)? else { return Ok(None) };
        patch.apply(&mut item);
        let changes = write_items(self.core(), &mut writer, vec![item.clone()])?;
        Ok(changes.first().map(|change| (item, *change)))
    }

    /// Deletes an item and leaves a tombstone; `None` if there is no such item, then nothing is written. Interactions with the
    /// item stay in the log.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Storage`].
    pub fn delete_item(&self, id: &ItemId, at: Timestamp) -> Result<Option<DeletedItem>> {
        let core = self.core();
        let _writer = core.write()?;
        if !core.tree().contains_key(item_key(id))? {
            return Ok(None);
        }
        let deleted = DeletedItem { id: id.clone(), at };
        write_deleted(core, vec![deleted.clone()])?;
        Ok(Some(deleted))
    }

    /// Writes tombstones of items, all or none, as an export has them. Says of each what changed: [`Change::Changed`] if an item
    /// was deleted, [`Change::New`] if there was none, [`Change::Same`] if the item has a tombstone already; the time of the
    /// first deletion stays.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Storage`].
    pub fn put_deleted_items(&self, deleted: Vec<DeletedItem>) -> Result<Vec<Change>> {
        let _writer = self.core().write()?;
        write_deleted(self.core(), deleted)
    }

    /// An item by its id.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if its record is damaged.
    pub fn get_item(&self, id: &ItemId) -> Result<Option<Item>> {
        let key = item_key(id);
        self.core().tree().get(&key)?.map(|bytes| read(&key, &bytes)).transpose()
    }

    /// Whether this item was deleted and has not been written since.
    ///
    /// # Errors
    /// [`StoreError::Storage`] if the store cannot be read.
    pub fn is_deleted_item(&self, id: &ItemId) -> Result<bool> {
        Ok(self.core().tree().contains_key(deleted_key(id))?)
    }

    /// All items in order of arrival. A damaged record is one error of the iterator.
    pub fn items(&self) -> impl Iterator<Item = Result<Item>> + use<> {
        read_keys(Arc::clone(self.core()), arrival::keys(self.core(), ITEM), |_, key, bytes| read(key, bytes))
    }

    /// The tombstones of all deleted items, in order of the bytes of their ids. A damaged record is one error of the iterator.
    pub fn deleted_items(&self) -> impl Iterator<Item = Result<DeletedItem>> + use<> {
        // Holds the store open while the iterator lives.
        let core = Arc::clone(self.core());
        let mut entries = core.tree().scan_prefix([DELETED_ITEM]);
        std::iter::from_fn(move || {
            let entry = entries.next()?;
            let _open = &core;
            Some(entry.map_err(StoreError::from).and_then(|(key, bytes)| read_deleted(&key, &bytes)))
        })
    }
}

/// Writes items; the caller holds the writer.
fn write_items(core: &Core, writer: &mut Writer, items: Vec<Item>) -> Result<Vec<Change>> {
    let mut batch = sled::Batch::default();
    let mut pending: FxHashMap<Vec<u8>, Vec<u8>> = FxHashMap::default();
    let mut changes = Vec::with_capacity(items.len());
    for item in items {
        let (id, record) = ItemV1::from_wire(item)?;
        let key = item_key(&id);
        let before = match pending.get(&key) {
            Some(bytes) => Some(sled::IVec::from(bytes.as_slice())),
            None => core.tree().get(&key)?,
        };
        let payload = record.payload()?;
        // A record that cannot be read is replaced, and keeps no place in the order.
        let known = before.as_deref().map(|bytes| Numbered::read(&key, bytes));
        let (change, arrival) = match &known {
            None => (Change::New, writer.next_arrival()),
            Some(Ok(record)) if record.payload == payload => (Change::Same, record.arrival),
            Some(Ok(record)) => (Change::Changed, record.arrival),
            Some(Err(_)) => (Change::Changed, writer.next_arrival()),
        };
        changes.push(change);
        if change == Change::Same {
            continue;
        }
        let bytes = Numbered { arrival, payload: &payload }.write(&key);
        batch.insert(key.as_slice(), bytes.as_slice());
        if change == Change::New {
            batch.remove(deleted_key(&id));
        }
        pending.insert(key, bytes);
    }
    if !pending.is_empty() {
        core.apply(batch)?;
        let new = changes.iter().filter(|change| **change == Change::New).count() as u64;
        core.counters.items.fetch_add(new, Ordering::AcqRel);
    }
    Ok(changes)
}

/// Deletes items and writes their tombstones; the caller holds the writer.
fn write_deleted(core: &Core, deleted: Vec<DeletedItem>) -> Result<Vec<Change>> {
    let mut batch = sled::Batch::default();
    let mut seen = FxHashSet::default();
    let mut changes = Vec::with_capacity(deleted.len());
    for DeletedItem { id, at } in deleted {
        let (item, tombstone) = (item_key(&id), deleted_key(&id));
        let change = if !seen.insert(id) || core.tree().contains_key(&tombstone)? {
            Change::Same
        } else if core.tree().contains_key(&item)? {
            Change::Changed
        } else {
            Change::New
        };
        changes.push(change);
        if change != Change::Same {
            let record = DeletedItemV1::new(at).encode(&tombstone)?;
            batch.insert(tombstone, record);
            batch.remove(item);
        }
    }
    if changes.iter().any(|change| *change != Change::Same) {
        core.apply(batch)?;
        let gone = changes.iter().filter(|change| **change == Change::Changed).count() as u64;
        core.counters.items.fetch_sub(gone, Ordering::AcqRel);
    }
    Ok(changes)
}

/// Reads the records at these keys; one that was deleted meanwhile is passed over. Holds the store open while the iterator
/// lives.
pub(crate) fn read_keys<T>(
    core: Arc<Core>,
    keys: Result<Vec<sled::IVec>>,
    read: impl Fn(&Core, &[u8], &[u8]) -> Result<T>,
) -> impl Iterator<Item = Result<T>> {
    let (keys, failed) = match keys {
        Ok(keys) => (keys, None),
        Err(error) => (Vec::new(), Some(Err(error))),
    };
    let records = keys.into_iter().filter_map(move |key| match core.tree().get(&key) {
        Ok(bytes) => bytes.map(|bytes| read(&core, &key, &bytes)),
        Err(error) => Some(Err(error.into())),
    });
    failed.into_iter().chain(records)
}
