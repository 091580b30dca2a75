//! Statistics of each item as of a moment: its sales, their trend, and how often and how soon it is bought again.
use rayon::prelude::*;

use crate::log::{DAY_MS, Log};
use mercer_shared::interaction::{InteractionType, InterestWeights};

/// Window lengths in days of the counts in [`ItemStats::windows`].
pub const WINDOWS: [i64; 3] = [7, 30, 90];

/// Statistics of one item (or of a group of items); purchases of one shopper on one day count once.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ItemStats {
    /// Purchases in the last 7, 30 and 90 days.
    pub windows: [f32; 3],
    /// Purchases in the 30 days before the last 30.
    pub before: f32,
    /// All purchases with a half-life of 10 days.
    pub decayed: f32,
    /// All purchases.
    pub count: f32,
    /// Distinct shoppers.
    pub buyers: f32,
    /// Shoppers that bought on two days or more.
    pub repeaters: f32,
    /// Sum over repeaters of the logarithm of the mean gap in days.
    pub log_gap: f32,
    /// Shoppers that bought in the window before the last one.
    pub at_risk: f32,
    /// Of these, the ones that bought again within the last window.
    pub returned: f32,
    /// Shoppers whose first purchase lies in the last 30 days.
    pub adopted: f32,
    /// Interest short of buying, half-life 7 days.
    pub interest: f32,
    /// Moment of the first purchase; `i64::MAX` when never bought.
    pub first: i64,
}

impl ItemStats {
    fn none() -> Self {
        Self { first: i64::MAX, ..Self::default() }
    }

    /// The summed fields, in one order.
    fn fields(&mut self) -> [&mut f32; FIELDS] {
        let [week, month, quarter] = &mut self.windows;
        [
            week,
            month,
            quarter,
            &mut self.before,
            &mut self.decayed,
            &mut self.count,
            &mut self.buyers,
            &mut self.repeaters,
            &mut self.log_gap,
            &mut self.at_risk,
            &mut self.returned,
            &mut self.adopted,
            &mut self.interest,
        ]
    }

    /// Share of buyers that bought again, shrunk towards `prior` with the weight of `k` buyers.
    pub fn repeat_rate(&self, prior: f64, k: f64) -> f64 {
        (f64::from(self.repeaters) + k * prior) / (f64::from(self.buyers) + k)
    }

    /// Share of recent buyers that bought again within one window, shrunk likewise.
    pub fn hazard(&self, prior: f64, k: f64) -> f64 {
        (f64::from(self.returned) + k * prior) / (f64::from(self.at_risk) + k)
    }

    /// Usual days between purchases of a repeater: geometric mean shrunk towards `prior` days with the weight of `k` repeaters.
    pub fn usual_gap(&self, prior: f64, k: f64) -> f64 {
        ((f64::from(self.log_gap) + k * prior.max(1.0).ln()) / (f64::from(self.repeaters) + k)).exp()
    }
}

/// Number of summed fields of [`ItemStats`].
const FIELDS: usize = 13;
/// Fixed-point unit of [`Sums`].
const UNIT: f64 = (1u64 << 32) as f64;

/// Sums of [`ItemStats`] in fixed point. Unlike sums of floats they do not depend on the order of the addends, hence neither on how items
/// and users are numbered nor on the number of threads.
#[derive(Clone, Copy)]
struct Sums {
    fields: [i64; FIELDS],
    first: i64,
}

impl Sums {
    const NONE: Self = Self { fields: [0; FIELDS], first: i64::MAX };

    fn add(&mut self, mut stats: ItemStats) {
        for (sum, x) in self.fields.iter_mut().zip(stats.fields()) {
            *sum += (f64::from(*x) * UNIT).round() as i64;
        }
        self.first = self.first.min(stats.first);
    }

    fn merge(&mut self, other: &Self) {
        self.fields.iter_mut().zip(other.fields).for_each(|(sum, x)| *sum += x);
        self.first = self.first.min(other.first);
    }

    fn stats(&self) -> ItemStats {
        let mut out = ItemStats { first: self.first, ..ItemStats::default() };
        out.fields().into_iter().zip(self.fields).for_each(|(x, sum)| *x = (sum as f64 / UNIT) as f32);
        out
    }
}

/// The sums of some statistics.
fn total<'a>(rows: impl IntoIterator<Item = &'a ItemStats>) -> ItemStats {
    let mut sums = Sums::NONE;
    rows.into_iter().for_each(|row| sums.add(*row));
    sums.stats()
}

/// Statistics of all groups of one kind (items, brands or categories) and of the whole shop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stats {
    pub(crate) rows: Vec<ItemStats>,
    pub(crate) total: ItemStats,
}

pub(crate) struct Counting {
    pub(crate) at: i64,
    pub(crate) target: InteractionType,
    pub(crate) kinds: InterestWeights,
    pub(crate) window_days: i64,
    pub(crate) groups: usize,
}

/// Statistics by group; `group` maps an item to its group, if it has one.
pub(crate) fn count(log: &Log, c: &Counting, group: &(dyn Fn(u32) -> Option<u32> + Sync)) -> Stats {
    let parts = rayon::current_num_threads() as u32;
    let users = log.users() as u32;
    let partial: Vec<Vec<Sums>> = (0..parts)
        .into_par_iter()
        .map(|p| {
            let mut sums = vec![Sums::NONE; c.groups];
            let mut bought: Vec<(u32, i32)> = Vec::new();
            for user in (p..users).step_by(parts as usize) {
                bought.clear();
                for e in log.until(user, c.at) {
                    let Some(g) = e.item.and_then(group).filter(|&g| (g as usize) < c.groups) else { continue };
                    let k = c.kinds.of(e.kind, e.value);
                    if k <= 0.0 {
                        continue;
                    }
                    if e.kind == c.target {
                        bought.push((g, e.at.div_euclid(DAY_MS) as i32));
                        sums[g as usize].add(ItemStats { first: e.at, ..ItemStats::none() });
                    } else {
                        let age = (c.at - e.at) as f32 / DAY_MS as f32;
                        let interest = k * (-age / 7.0).exp2();
                        sums[g as usize].add(ItemStats { interest, ..ItemStats::none() });
                    }
                }
                bought.sort_unstable();
                bought.dedup();
                for run in bought.chunk_by(|a, b| a.0 == b.0) {
                    sums[run[0].0 as usize].add(one_user(run, c));
                }
            }
            sums
        })
        .collect();
    let mut sums = vec![Sums::NONE; c.groups];
    for part in &partial {
        sums.iter_mut().zip(part).for_each(|(a, b)| a.merge(b));
    }
    let rows: Vec<ItemStats> = sums.iter().map(Sums::stats).collect();
    Stats { total: total(&rows), rows }
}

/// Statistics of the items of each group together: how often the *same item* is bought again among items of this brand or category.
/// [`count`] with a group says how often the group is, which is something else.
pub(crate) fn pool(items: &Stats, groups: usize, group: impl Fn(u32) -> Option<u32>) -> Vec<ItemStats> {
    let mut sums = vec![Sums::NONE; groups];
    for (i, row) in items.rows.iter().enumerate() {
        if let Some(slot) = group(i as u32).and_then(|g| sums.get_mut(g as usize)) {
            slot.add(*row);
        }
    }
    sums.iter().map(Sums::stats).collect()
}

/// Statistics of one user's days with one item; `run` ascends by day.
fn one_user(run: &[(u32, i32)], c: &Counting) -> ItemStats {
    let mut row = ItemStats::none();
    let now = c.at as f64 / DAY_MS as f64;
    let w = c.window_days as f64;
    let (mut risk, mut back) = (false, false);
    for &(_, day) in run {
        // The age of a day is that of its start; a purchase of today has age below 1.
        let age = now - f64::from(day);
        for (slot, days) in row.windows.iter_mut().zip(WINDOWS) {
            *slot += f32::from(u8::from(age <= days as f64));
        }
        row.before += f32::from(u8::from(age > 30.0 && age <= 60.0));
        row.decayed += (-age / 10.0).exp2() as f32;
        row.count += 1.0;
        back |= age <= w;
        risk |= age > w && age <= 2.0 * w;
    }
    row.buyers += 1.0;
    row.adopted += f32::from(u8::from(now - f64::from(run[0].1) <= 30.0));
    row.at_risk += f32::from(u8::from(risk));
    row.returned += f32::from(u8::from(risk && back));
    if run.len() >= 2 {
        row.repeaters += 1.0;
        let span = f64::from(run[run.len() - 1].1 - run[0].1);
        row.log_gap += (span / (run.len() - 1) as f64).max(1.0).ln() as f32;
    }
    row
}
