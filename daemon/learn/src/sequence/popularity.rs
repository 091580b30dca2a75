//! Time-decayed popularity, the model's prior: how often an item was taken recently compared with the mean item, for several half-lives.

use super::history::DAY_MS;

/// Number of half-lives.
pub const HORIZONS: usize = 3;

/// Decaying counts by item. All counts decay by the same factor, so only additions cost time, and shares do not depend on when they are read.
#[derive(Debug, Clone, PartialEq)]
pub struct Popularity {
    half_lives: [f64; HORIZONS],
    /// Moment at which an event weighs 1, per half-life.
    base: [i64; HORIZONS],
    /// By item.
    counts: Vec<[f64; HORIZONS]>,
    totals: [f64; HORIZONS],
    /// Number of items ever taken.
    taken: usize,
}

/// Counts of a [`Popularity`] for storage.
#[derive(Debug, Clone)]
pub(crate) struct PopularityState {
    /// Moment at which an event weighs 1, per half-life.
    pub(crate) base: [i64; HORIZONS],
    pub(crate) totals: [f64; HORIZONS],
    /// By item and half-life, flat.
    pub(crate) counts: Vec<f64>,
}

/// Doublings after which counts get a new base; f64 holds a thousand.
const MOST_DOUBLINGS: f64 = 200.0;

impl Popularity {
    /// Empty counts. Half-lives in days.
    #[must_use]
    pub fn new(items: usize, half_lives: [f64; HORIZONS]) -> Self {
        Self {
            half_lives,
            base: [0; HORIZONS],
            counts: vec![[0.0; HORIZONS]; items],
            totals: [0.0; HORIZONS],
            taken: 0,
        }
    }

    /// Extends the catalogue to `items` items.
    pub fn grow(&mut self, items: usize) {
        self.counts.resize(items.max(self.counts.len()), [0.0; HORIZONS]);
    }

    /// Number of items in the catalogue.
    #[must_use]
    pub fn items(&self) -> usize {
        self.counts.len()
    }

    /// The counts in the form of the stored file.
    pub(crate) fn state(&self) -> PopularityState {
        PopularityState { base: self.base, totals: self.totals, counts: self.counts.concat() }
    }

    /// From what [`Popularity::state`] returned.
    pub(crate) fn restore(half_lives: [f64; HORIZONS], state: &PopularityState) -> Self {
        let counts: Vec<[f64; HORIZONS]> =
            state.counts.chunks_exact(HORIZONS).map(|c| std::array::from_fn(|h| c[h])).collect();
        let taken = counts.iter().filter(|c| c.iter().any(|x| *x > 0.0)).count();
        Self { half_lives, base: state.base, counts, totals: state.totals, taken }
    }

    fn rebase(&mut self, h: usize, at: i64) {
        let doublings = (at - self.base[h]) as f64 / DAY_MS as f64 / self.half_lives[h];
        let factor = if self.totals[h] > 0.0 { (-doublings).exp2() } else { 0.0 };
        self.counts.iter_mut().for_each(|c| c[h] *= factor);
        self.totals[h] *= factor;
        self.base[h] = at;
    }

    /// Counts one user's taking of an item at a moment. Unknown items are ignored.
    pub fn observe(&mut self, item: u32, at: i64) {
        if item as usize >= self.counts.len() {
            return;
        }
        for h in 0..HORIZONS {
            let doublings = |base: i64| (at - base) as f64 / DAY_MS as f64 / self.half_lives[h];
            if self.totals[h] == 0.0 || doublings(self.base[h]) > MOST_DOUBLINGS {
                self.rebase(h, at);
            }
            let weight = ((at - self.base[h]) as f64 / DAY_MS as f64 / self.half_lives[h]).exp2();
            let count = &mut self.counts[item as usize];
            if h == 0 && count.iter().all(|c| *c == 0.0) {
                self.taken += 1;
            }
            count[h] += weight;
            self.totals[h] += weight;
        }
    }

    /// `ln(1 + share of all / share of the mean item that was ever taken)`; 0 for an item never taken. Independent of the shop's size.
    #[must_use]
    pub fn feature(&self, item: u32) -> [f32; HORIZONS] {
        let Some(count) = self.counts.get(item as usize) else { return [0.0; HORIZONS] };
        std::array::from_fn(|h| {
            let ratio = if self.totals[h] > 0.0 { count[h] * self.taken as f64 / self.totals[h] } else { 0.0 };
            ratio.ln_1p() as f32
        })
    }
}

/// An event of the predicted kind. Ordered by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TargetEvent {
    /// UTC milliseconds.
    pub at: i64,
    /// Item that was taken.
    pub item: u32,
}

/// Features of all items as of many moments: one table per period of whole days, from what was taken before its first day.
#[derive(Debug, Clone)]
pub(crate) struct Timeline {
    first_day: i64,
    stride: i64,
    items: usize,
    /// `[table][item][horizon]`.
    tables: Vec<Vec<[f32; HORIZONS]>>,
}

/// Maximum number of values of a timeline: 64 MiB.
const MOST_VALUES: usize = 16 << 20;

impl Timeline {
    /// From events in time order and counts that hold none of them yet. On return `popularity` holds all.
    pub(crate) fn new(takings: &[TargetEvent], popularity: &mut Popularity, until: i64) -> Self {
        let items = popularity.items();
        let first_day = takings.first().map_or(until, |t| t.at).div_euclid(DAY_MS);
        let days = until.div_euclid(DAY_MS) - first_day + 1;
        let most = (MOST_VALUES / (items * HORIZONS).max(1)).max(2) as i64;
        let stride = days.div_euclid(most) + 1;
        let mut out = Self { first_day, stride, items, tables: Vec::new() };
        let mut at = 0;
        for table in 0..=days.div_euclid(stride) {
            let start = (first_day + table * stride) * DAY_MS;
            while let Some(taken) = takings.get(at).filter(|t| t.at < start) {
                popularity.observe(taken.item, taken.at);
                at += 1;
            }
            out.tables.push((0..items as u32).map(|i| popularity.feature(i)).collect());
        }
        takings[at..].iter().for_each(|taken| popularity.observe(taken.item, taken.at));
        out
    }

    /// Table to read at a moment: it holds nothing of the moment's day or later.
    pub(crate) fn table(&self, at: i64) -> usize {
        let days = (at.div_euclid(DAY_MS) - self.first_day).max(0);
        (days.div_euclid(self.stride) as usize).min(self.tables.len().saturating_sub(1))
    }

    /// Features of an item in a table.
    pub(crate) fn feature(&self, table: usize, item: u32) -> [f32; HORIZONS] {
        debug_assert!((item as usize) < self.items);
        self.tables[table][item as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_halve_and_never_overflow() {
        let mut p = Popularity::new(3, [1.0, 10.0, 100.0]);
        p.observe(0, 0);
        p.observe(1, DAY_MS);
        // Item 0 weighs half of item 1 after one half-life of a day: ratios 2/3 and 4/3 of the mean of two items.
        assert!((p.feature(0)[0] - (1f32 + 2.0 / 3.0).ln()).abs() < 1e-6);
        assert!((p.feature(1)[0] - (1f32 + 4.0 / 3.0).ln()).abs() < 1e-6);
        assert_eq!(p.feature(2), [0.0; 3]);
        p.observe(1, 5000 * DAY_MS);
        let far = p.feature(1);
        assert!(far.iter().all(|f| f.is_finite()) && (far[0] - 3f32.ln()).abs() < 1e-6, "{far:?}");
        p.observe(9, 0);
    }

    #[test]
    fn a_table_holds_only_what_was_before_its_day() {
        let takings = [(DAY_MS / 2, 0), (DAY_MS + 5, 1), (3 * DAY_MS, 1)].map(|(at, item)| TargetEvent { at, item });
        let mut p = Popularity::new(2, [7.0, 30.0, 120.0]);
        let line = Timeline::new(&takings, &mut p, 4 * DAY_MS);
        let seen = |at: i64| [line.feature(line.table(at), 0)[1] > 0.0, line.feature(line.table(at), 1)[1] > 0.0];
        assert_eq!(seen(0), [false, false]);
        assert_eq!(seen(DAY_MS - 1), [false, false]);
        assert_eq!(seen(2 * DAY_MS - 1), [true, false]);
        assert_eq!(seen(2 * DAY_MS), [true, true]);
        assert_eq!(line.table(100 * DAY_MS), line.tables.len() - 1);
        let mut alone = Popularity::new(2, [7.0, 30.0, 120.0]);
        takings.iter().for_each(|t| alone.observe(t.item, t.at));
        assert_eq!(p, alone);
    }
}
