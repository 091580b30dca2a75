//! Lists that went out: what each item was shown, weighted by position, and a queue of records for the store.
//!
//! Requests only add to memory; a thread writes the queue once a second (`background::served`). A daemon that is killed forgets the lists of
//! the last second. The totals are those of the records, so that an erasure takes a user's part out of them.
//!
//! A start reads the totals of past days, which [`ServedLog::fold`] keeps in the store, and the lists of days without: those of today, and
//! those that changed since. The store drops the totals of a day with every write that changes its lists, so both always agree.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use mercer_reports::exposure::Attention;
use mercer_shared::ids::ItemId;
use mercer_shared::time::{DAY_MS, Timestamp};
use mercer_store::{Pseudonym, ServedDay, ServedRecord, ServedTotals, Store, StoreError};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

/// Records that may wait for the writer. More are counted in the totals and not kept, and their number is told.
const WAITING: usize = 20_000;

/// Exposure of one day.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DayExposure {
    /// Lists that went out.
    pub lists: u64,
    /// Attention to each item: the sum of 1 / log2(1 + rank) over the lists that showed it.
    pub items: FxHashMap<ItemId, f64>,
}

impl DayExposure {
    fn add(&mut self, record: &ServedRecord) {
        self.lists += 1;
        for (position, row) in record.rows.iter().enumerate() {
            let attention = Attention::default().at(position);
            match self.items.get_mut(&row.item) {
                Some(sum) => *sum += attention,
                None => drop(self.items.insert(row.item.clone(), attention)),
            }
        }
    }

    fn of(day: ServedDay) -> Self {
        let mut sum = Self::default();
        for ServedTotals { lists, items } in day.placements.into_values() {
            sum.lists += lists;
            for (item, attention) in items {
                *sum.items.entry(item).or_default() += attention;
            }
        }
        sum
    }

    fn subtract(&mut self, record: &ServedRecord) {
        self.lists = self.lists.saturating_sub(1);
        for (position, row) in record.rows.iter().enumerate() {
            if let Some(sum) = self.items.get_mut(&row.item) {
                *sum -= Attention::default().at(position);
                // What sums of fractions leave behind is not exposure.
                if *sum < 1e-9 {
                    self.items.remove(&row.item);
                }
            }
        }
    }
}

/// What the lists of a day showed: the totals that are kept, or those of its lists. `day` counts since 1970, UTC.
///
/// # Errors
/// As [`Store::served_day`] and of damaged lists.
pub fn day(store: &Store, day: i64) -> Result<ServedDay, StoreError> {
    store.served_day(day)?.map_or_else(|| added_up(store, day), Ok)
}

/// Adds up the lists of a day.
fn added_up(store: &Store, day: i64) -> Result<ServedDay, StoreError> {
    let mut sum = ServedDay { day, ..ServedDay::default() };
    for record in store.served_on(day) {
        let ServedRecord { placement, rows, .. } = record?;
        let totals = sum.placements.entry(placement).or_default();
        totals.lists += 1;
        for (position, row) in rows.into_iter().enumerate() {
            *totals.items.entry(row.item).or_default() += Attention::default().at(position);
        }
    }
    Ok(sum)
}

/// Lists that went out.
#[derive(Debug, Default)]
pub struct ServedLog {
    counted: Mutex<Counted>,
    /// Held while lists are written or erased, never by a request.
    writing: Mutex<()>,
    unkept: AtomicU64,
}

#[derive(Debug, Default)]
struct Counted {
    waiting: Vec<ServedRecord>,
    /// By day since 1970, UTC.
    days: BTreeMap<i64, DayExposure>,
}

impl Counted {
    fn day(&mut self, record: &ServedRecord) -> &mut DayExposure {
        self.days.entry(record.at.millis().div_euclid(DAY_MS)).or_default()
    }

    fn subtract(&mut self, record: &ServedRecord) {
        self.day(record).subtract(record);
    }
}

impl ServedLog {
    /// The log as the store has it.
    ///
    /// # Errors
    /// As [`Store::served_day`], and those of damaged lists.
    pub fn open(store: &Store) -> Result<Self, StoreError> {
        let days = store.served_days()?.into_iter().map(|number| Ok((number, DayExposure::of(day(store, number)?))));
        let counted = Counted { waiting: Vec::new(), days: days.collect::<Result<_, StoreError>>()? };
        Ok(Self { counted: Mutex::new(counted), ..Self::default() })
    }

    /// Keeps the totals of the days before `today` that have none; returns how many. No list is written meanwhile.
    ///
    /// # Errors
    /// As [`Store::put_served_day`], and those of damaged lists.
    pub fn fold(&self, store: &Store, today: i64) -> Result<usize, StoreError> {
        let mut folded = 0;
        for day in store.served_days()?.into_iter().filter(|day| *day < today) {
            let _writing = self.writing.lock();
            if store.served_day(day)?.is_none() {
                store.put_served_day(&added_up(store, day)?)?;
                folded += 1;
            }
        }
        Ok(folded)
    }

    /// Takes note of a list that goes out.
    pub fn record(&self, record: ServedRecord) {
        let mut counted = self.counted.lock();
        counted.day(&record).add(&record);
        if counted.waiting.len() < WAITING {
            counted.waiting.push(record);
        } else {
            self.unkept.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes what waits, and returns the number of lists. What cannot be written waits on.
    ///
    /// # Errors
    /// As [`Store::append_served`].
    pub fn flush(&self, store: &Store) -> Result<usize, StoreError> {
        let _writing = self.writing.lock();
        self.write(store)
    }

    /// Writes what waits; the caller holds `writing`.
    fn write(&self, store: &Store) -> Result<usize, StoreError> {
        let records = std::mem::take(&mut self.counted.lock().waiting);
        let count = records.len();
        if count == 0 {
            return Ok(0);
        }
        if let Err(error) = store.append_served(records.clone()) {
            let mut counted = self.counted.lock();
            let later = std::mem::replace(&mut counted.waiting, records);
            let room = WAITING.saturating_sub(counted.waiting.len());
            self.unkept.fetch_add(later.len().saturating_sub(room) as u64, Ordering::Relaxed);
            counted.waiting.extend(later.into_iter().take(room));
            return Err(error);
        }
        Ok(count)
    }

    /// Runs the erasure of a user, and takes the user's lists out of the totals and out of what waits. No list is written meanwhile.
    ///
    /// # Errors
    /// Those of the store and of `erase`.
    pub fn erasing<T, E: From<StoreError>>(
        &self,
        store: &Store,
        user: &Pseudonym,
        erase: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let _writing = self.writing.lock();
        self.write(store)?;
        let kept: Vec<ServedRecord> = store.served_to(user).collect::<Result<_, _>>()?;
        let outcome = erase()?;
        let mut counted = self.counted.lock();
        let waiting = std::mem::take(&mut counted.waiting);
        let (of_user, of_others): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|list| list.user == Some(*user));
        counted.waiting = of_others;
        kept.iter().chain(&of_user).for_each(|record| counted.subtract(record));
        Ok(outcome)
    }

    /// Drops lists that went out before a moment, from the store and from the totals: whole days.
    ///
    /// # Errors
    /// As [`Store::drop_served`].
    pub fn forget_before(&self, store: &Store, before: Timestamp) -> Result<u64, StoreError> {
        let _writing = self.writing.lock();
        let day = before.millis().div_euclid(DAY_MS);
        let dropped = store.drop_served(Timestamp::at(day * DAY_MS))?;
        let mut counted = self.counted.lock();
        counted.days = counted.days.split_off(&day);
        Ok(dropped)
    }

    /// Exposure of the days from `from` on, added up; `from` counts days since 1970, UTC.
    #[must_use]
    pub fn since(&self, from: i64) -> DayExposure {
        let mut total = DayExposure::default();
        for day in self.counted.lock().days.range(from..).map(|(_, day)| day) {
            total.lists += day.lists;
            for (item, attention) in &day.items {
                *total.items.entry(item.clone()).or_default() += attention;
            }
        }
        total
    }

    /// Lists that were counted but not kept, because the store was slower than the requests.
    #[must_use]
    pub fn unkept(&self) -> u64 {
        self.unkept.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests;
