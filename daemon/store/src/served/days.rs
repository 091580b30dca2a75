//! What the lists of a day showed, added up: a start reads these and not the lists. The caller adds up and decides when a day is over.
//!
//! The totals of a day are those of its kept lists, or they are not there: each write that changes the lists of a day drops its totals with
//! them, in one batch. Who finds none reads the lists of that day.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mercer_shared::ids::ItemId;
use mercer_shared::time::{DAY_MS, Timestamp};
use serde::{Deserialize, Serialize};

use crate::core::Core;
use crate::error::{Result, StoreError};
use crate::layout::{SERVED_DAY, SERVED_TIME, key};
use crate::record::Record;
use crate::served::record::{ServedRecord, by_time, millis_at};
use crate::store::Store;

/// Bytes of items in one record: pages of sled hold several of this size.
const PART_BYTES: usize = 16 * 1024;

/// What the lists of one day showed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServedDay {
    /// Days since 1970, UTC.
    pub day: i64,
    /// By placement.
    pub placements: BTreeMap<String, ServedTotals>,
}

/// What lists showed together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServedTotals {
    /// Their number.
    pub lists: u64,
    /// What each item was shown, in the unit of the caller.
    pub items: BTreeMap<ItemId, f64>,
}

/// A part of a day: items of one placement. Only the first part of a placement has its lists.
#[derive(Debug, Serialize, Deserialize)]
struct ServedDayV1 {
    placement: String,
    lists: u64,
    items: Vec<(String, f64)>,
}

impl Record for ServedDayV1 {
    const VERSION: u8 = 1;
}

fn day_of(at: Timestamp) -> i64 {
    at.millis().div_euclid(DAY_MS)
}

fn day_key(day: i64) -> Vec<u8> {
    key(SERVED_DAY, &day.max(0).to_be_bytes())
}

/// Days whose lists a write changes.
#[derive(Default)]
pub(super) struct Changed(BTreeSet<i64>);

impl Changed {
    pub(super) fn note(&mut self, at: Timestamp) {
        self.0.insert(day_of(at));
    }

    /// Drops the totals of these days with the same write.
    pub(super) fn drop_totals(self, core: &Core, batch: &mut sled::Batch) -> Result<()> {
        self.0.into_iter().try_for_each(|day| remove(core, day_key(day).as_slice()..day_key(day + 1).as_slice(), batch))
    }
}

fn remove(core: &Core, keys: std::ops::Range<&[u8]>, batch: &mut sled::Batch) -> Result<()> {
    for key in core.tree().range(keys).keys() {
        batch.remove(key?);
    }
    Ok(())
}

/// Drops the totals of the days that begin before a moment.
pub(super) fn drop_before(core: &Core, before: Timestamp) -> Result<()> {
    let _writer = core.write()?;
    let mut batch = sled::Batch::default();
    let first_kept = before.millis().saturating_add(DAY_MS - 1).div_euclid(DAY_MS);
    remove(core, day_key(0).as_slice()..day_key(first_kept).as_slice(), &mut batch)?;
    core.apply(batch)
}

impl Store {
    /// The days of which lists or totals are kept, ascending. Reads one key a day.
    ///
    /// # Errors
    /// [`StoreError::Storage`], [`StoreError::Corrupt`].
    pub fn served_days(&self) -> Result<Vec<i64>> {
        let tree = self.core().tree();
        let mut days = BTreeSet::new();
        for (prefix, span) in [(SERVED_TIME, DAY_MS), (SERVED_DAY, 1)] {
            let mut from = key(prefix, &0_i64.to_be_bytes());
            while let Some((found, _)) = tree.get_gt(&from)?.filter(|(found, _)| found.first() == Some(&prefix)) {
                let day = millis_at(&found, 1)?.div_euclid(span);
                days.insert(day);
                // Nothing but this number is a whole key, so a key of the next day is greater.
                from = key(prefix, &((day + 1) * span).to_be_bytes());
            }
        }
        Ok(days.into_iter().collect())
    }

    /// The lists of a day that are kept, in order of time.
    pub fn served_on(&self, day: i64) -> impl Iterator<Item = Result<ServedRecord>> + use<> {
        by_time(Arc::clone(self.core()), day * DAY_MS..(day + 1) * DAY_MS, |_| true)
    }

    /// The totals of a day; `None` where none are kept, and the lists of the day say it.
    ///
    /// # Errors
    /// [`StoreError::Storage`], [`StoreError::Corrupt`].
    pub fn served_day(&self, day: i64) -> Result<Option<ServedDay>> {
        let mut found: Option<ServedDay> = None;
        for entry in self.core().tree().range(day_key(day)..day_key(day + 1)) {
            let (key, bytes) = entry?;
            let ServedDayV1 { placement, lists, items } = ServedDayV1::decode(&key, &bytes)?;
            let whole = found.get_or_insert_with(|| ServedDay { day, ..ServedDay::default() });
            let totals = whole.placements.entry(placement).or_default();
            totals.lists += lists;
            for (id, shown) in items {
                let id = ItemId::new(id).map_err(|error| StoreError::corrupt(&key, error.to_string()))?;
                totals.items.insert(id, shown);
            }
        }
        Ok(found)
    }

    /// Keeps the totals of a day, in one write. The caller keeps other writes of its lists away since it read them.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`], [`StoreError::Storage`].
    pub fn put_served_day(&self, day: &ServedDay) -> Result<()> {
        let core = self.core();
        let _writer = core.write()?;
        let mut batch = sled::Batch::default();
        remove(core, day_key(day.day).as_slice()..day_key(day.day + 1).as_slice(), &mut batch)?;
        for (number, part) in (0_u32..).zip(day.placements.iter().flat_map(parts)) {
            let mut key = day_key(day.day);
            key.extend_from_slice(&number.to_be_bytes());
            let bytes = part.encode(&key)?;
            batch.insert(key, bytes);
        }
        core.apply(batch)
    }
}

fn parts((placement, totals): (&String, &ServedTotals)) -> Vec<ServedDayV1> {
    let part = |lists| ServedDayV1 { placement: placement.clone(), lists, items: Vec::new() };
    let mut parts = vec![part(totals.lists)];
    let mut bytes = 0;
    for (id, shown) in &totals.items {
        if bytes > PART_BYTES {
            parts.push(part(0));
            bytes = 0;
        }
        bytes += id.as_str().len() + size_of::<f64>();
        if let Some(last) = parts.last_mut() {
            last.items.push((id.to_string(), *shown));
        }
    }
    parts
}
