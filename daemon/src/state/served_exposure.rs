//! Exposure of sellers and brands in the lists that went out, position-weighted, over a rolling window of days.
//!
//! Counted for placements whose mitigations read it. Memory is bounded: 90 days, and at most [`NAMES`] names a day and placement; further
//! names count towards the total only. After a start it is counted again from the totals of days that are kept.
//!
//! `ServedLog` counts the same lists by item. Owners could be added up from its items with the catalogue, and after a start they are. While
//! the daemon runs they are counted apart, because every list of such a placement reads a window of days before it goes out: some thousand
//! names at most are looked up here, where all items of all those days would have to be added up; and the log counts all placements together.

use std::collections::VecDeque;

use mercer_reports::exposure::Attention;
use mercer_shared::time::DAY_MS;
use mercer_shared::wire::ItemOwner;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

/// Longest window in days.
pub const MAX_WINDOW_DAYS: u32 = 90;
/// Most names of sellers, and of brands, that are counted apart for a day and placement.
pub const NAMES: usize = 10_000;

/// Who stands behind one row of a served list.
#[derive(Debug, Clone, Copy)]
pub struct ShownItem<'a> {
    /// Who sells it.
    pub seller: Option<&'a str>,
    /// Its brand.
    pub brand: Option<&'a str>,
}

impl<'a> ShownItem<'a> {
    const fn owner(&self, by: ItemOwner) -> Option<&'a str> {
        match by {
            ItemOwner::Seller => self.seller,
            ItemOwner::Brand => self.brand,
        }
    }
}

/// Exposure of some owners over a window.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExposureTotals {
    /// Attention given to all rows, with or without an owner.
    pub total: f64,
    /// Attention given to each of the owners asked about, in their order.
    pub of: Vec<f64>,
}

/// One day of one placement.
#[derive(Debug, Clone, Default)]
struct Day {
    /// Days since 1970, UTC.
    number: i64,
    total: f64,
    sellers: FxHashMap<String, f64>,
    brands: FxHashMap<String, f64>,
}

impl Day {
    fn names(&self, by: ItemOwner) -> &FxHashMap<String, f64> {
        match by {
            ItemOwner::Seller => &self.sellers,
            ItemOwner::Brand => &self.brands,
        }
    }

    fn count(&mut self, item: ShownItem<'_>, attention: f64) {
        self.total += attention;
        for by in [ItemOwner::Seller, ItemOwner::Brand] {
            self.add(by, item.owner(by), attention);
        }
    }

    fn add(&mut self, by: ItemOwner, name: Option<&str>, attention: f64) {
        let Some(name) = name else { return };
        let names = match by {
            ItemOwner::Seller => &mut self.sellers,
            ItemOwner::Brand => &mut self.brands,
        };
        if let Some(sum) = names.get_mut(name) {
            *sum += attention;
        } else if names.len() < NAMES {
            names.insert(name.to_owned(), attention);
        }
    }
}

/// Days of one placement, oldest first.
#[derive(Debug, Clone, Default)]
struct Rolling(VecDeque<Day>);

impl Rolling {
    /// The day's counts. A moment before the latest day counts towards that: clocks may step back a little.
    fn day(&mut self, number: i64) -> &mut Day {
        let number = self.0.back().map_or(number, |last| last.number.max(number));
        if self.0.back().is_none_or(|last| last.number < number) {
            self.0.push_back(Day { number, ..Day::default() });
        }
        while self.0.front().is_some_and(|first| first.number <= number - i64::from(MAX_WINDOW_DAYS)) {
            self.0.pop_front();
        }
        let last = self.0.len() - 1;
        &mut self.0[last]
    }
}

/// What was shown, by placement.
#[derive(Debug, Default)]
pub struct ServedExposure(Mutex<FxHashMap<String, Rolling>>);

impl ServedExposure {
    /// Counts the rows of a list that goes out, best first. `at` is UTC milliseconds.
    pub fn record<'a>(&self, placement: &str, at: i64, rows: impl Iterator<Item = ShownItem<'a>>) {
        let mut placements = self.0.lock();
        if !placements.contains_key(placement) {
            placements.insert(placement.to_owned(), Rolling::default());
        }
        let Some(rolling) = placements.get_mut(placement) else { return };
        let day = rolling.day(at.div_euclid(DAY_MS));
        for (position, row) in rows.enumerate() {
            day.count(row, Attention::default().at(position));
        }
    }

    /// Adds what the lists of a past day showed: attention by item. Days come in ascending order; `day` counts since 1970, UTC.
    pub fn add_day<'a>(&self, placement: &str, day: i64, items: impl Iterator<Item = (ShownItem<'a>, f64)>) {
        let mut placements = self.0.lock();
        let day = placements.entry(placement.to_owned()).or_default().day(day);
        items.for_each(|(item, attention)| day.count(item, attention));
    }

    /// Exposure of the named owners in a placement over the last days up to `at`.
    #[must_use]
    pub fn totals(&self, placement: &str, at: i64, window: ExposureWindow<'_>) -> ExposureTotals {
        let mut totals = ExposureTotals { total: 0.0, of: vec![0.0; window.names.len()] };
        let first = at.div_euclid(DAY_MS) - i64::from(window.days) + 1;
        let placements = self.0.lock();
        for day in placements.get(placement).into_iter().flat_map(|rolling| &rolling.0) {
            if day.number < first {
                continue;
            }
            totals.total += day.total;
            let names = day.names(window.by);
            for (sum, name) in totals.of.iter_mut().zip(window.names) {
                *sum += names.get(name).copied().unwrap_or(0.0);
            }
        }
        totals
    }

    /// Forgets a placement whose exposure nothing reads any more.
    pub fn forget(&self, placement: &str) {
        self.0.lock().remove(placement);
    }
}

/// Whose exposure is asked for, and over how many days.
#[derive(Debug, Clone, Copy)]
pub struct ExposureWindow<'a> {
    /// Sellers or brands.
    pub by: ItemOwner,
    /// Their names.
    pub names: &'a [String],
    /// Days of the window, the current one included.
    pub days: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown<'a>(seller: &'a str, brand: &'a str) -> ShownItem<'a> {
        ShownItem { seller: Some(seller), brand: Some(brand) }
    }

    #[test]
    fn exposure_is_weighted_by_position_and_leaves_with_the_window() {
        let served = ServedExposure::default();
        let names = ["a".to_owned(), "b".to_owned()];
        let window = |days| ExposureWindow { by: ItemOwner::Seller, names: &names, days };
        served.record("home", 0, [shown("a", "x"), shown("b", "x")].into_iter());
        served.record("home", 2 * DAY_MS, [shown("b", "y")].into_iter());
        let second = 1.0 / 3f64.log2();
        assert_eq!(served.totals("home", 2 * DAY_MS, window(1)), ExposureTotals { total: 1.0, of: vec![0.0, 1.0] });
        let both = served.totals("home", 2 * DAY_MS, window(3));
        assert!((both.total - 2.0 - second).abs() < 1e-12);
        assert_eq!(both.of, [1.0, second + 1.0]);
        assert_eq!(served.totals("mail", 0, window(3)).total, 0.0, "placements are counted apart");
        let brands = ["x".to_owned()];
        let by_brand = ExposureWindow { by: ItemOwner::Brand, names: &brands, days: 90 };
        assert_eq!(served.totals("home", 2 * DAY_MS, by_brand).of, [1.0 + second]);
        served.forget("home");
        assert_eq!(served.totals("home", 2 * DAY_MS, window(3)).total, 0.0);
    }

    #[test]
    fn a_day_added_up_counts_as_its_lists() {
        let (listed, added) = (ServedExposure::default(), ServedExposure::default());
        listed.record("home", 5 * DAY_MS, [shown("a", "x"), shown("b", "x")].into_iter());
        listed.record("home", 5 * DAY_MS + 9, [shown("a", "x")].into_iter());
        added.add_day("home", 5, [(shown("a", "x"), 2.0), (shown("b", "x"), 1.0 / 3f64.log2())].into_iter());
        let names = ["a".to_owned(), "b".to_owned()];
        let of = |served: &ServedExposure| {
            served.totals("home", 5 * DAY_MS, ExposureWindow { by: ItemOwner::Seller, names: &names, days: 1 })
        };
        assert_eq!(of(&listed).of, of(&added).of);
        assert!((of(&listed).total - of(&added).total).abs() < 1e-12);
    }

    #[test]
    fn memory_is_bounded_by_days_and_names() {
        let served = ServedExposure::default();
        for day in 0..200 {
            served.record("home", day * DAY_MS, [shown("a", "x")].into_iter());
        }
        // A clock that steps back counts towards the latest day.
        served.record("home", 0, [shown("a", "x")].into_iter());
        assert_eq!(served.0.lock()["home"].0.len(), MAX_WINDOW_DAYS as usize);
        let names: Vec<String> = (0..NAMES + 5).map(|n| format!("s{n}")).collect();
        served.record("mail", 0, names.iter().map(|name| shown(name, "x")));
        let totals = served.totals("mail", 0, ExposureWindow { by: ItemOwner::Seller, names: &names, days: 1 });
        assert_eq!(totals.of.iter().filter(|sum| **sum > 0.0).count(), NAMES);
        assert!(totals.of.iter().sum::<f64>() < totals.total, "further names count towards the total");
    }
}
