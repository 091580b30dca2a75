//! One shopper (or one session) as of a moment: what was bought on which days, and what was looked at lately.
use rustc_hash::FxHashMap;

use crate::kind::Kind;
use crate::log::{DAY_MS, Event};
use crate::sparse::{Weighing, weigh};

/// A shopper's record with one item.
#[derive(Debug, Clone, PartialEq)]
pub struct Own {
    /// The item.
    pub item: u32,
    /// Days (since 1970) on which it was bought, ascending and distinct: two purchases on a day are one basket.
    pub days: Vec<i32>,
    /// Mean quantity per purchase.
    pub quantity: f32,
    /// Quantity of the last purchase.
    pub last_quantity: f32,
    /// Moment of the last purchase.
    pub last_at: i64,
}

impl Own {
    /// Purchases counted with exponential decay: sum over days of 2^(-age / half-life), both in days.
    pub fn decayed(&self, at: i64, half_life: f64) -> f64 {
        let now = at as f64 / DAY_MS as f64;
        self.days.iter().map(|&d| (-(now - f64::from(d)).max(0.0) / half_life).exp2()).sum()
    }

    /// Mean days between purchases, when there were two.
    pub fn gap(&self) -> Option<f64> {
        let n = self.days.len();
        (n >= 2).then(|| f64::from(self.days[n - 1] - self.days[0]) / (n - 1) as f64)
    }
}

/// A shopper as of a moment; made from events at or before it, cheap enough to be made per request.
#[derive(Debug, Clone)]
pub struct Shopper {
    /// The moment.
    pub at: i64,
    /// Bought items, ascending by item number.
    pub owned: Vec<Own>,
    /// Days with a purchase, ascending and distinct.
    pub days: Vec<i32>,
    /// Items marked as "not interested".
    pub dismissed: Vec<u32>,
    /// Signs of interest of every kind with a long half-life; ascending by item number.
    pub profile: Vec<(u32, f32)>,
    /// The same with a short half-life that counts back from the shopper's own last event.
    pub recent: Vec<(u32, f32)>,
    /// Signs of interest short of buying, short half-life.
    pub intent: Vec<(u32, f32)>,
    index: FxHashMap<u32, u32>,
}

/// How shoppers are read; part of the memory, so that training and serving read alike.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) target: Kind,
    pub(crate) kinds: crate::kind::KindWeights,
    pub(crate) half_life: f64,
    pub(crate) recent_half_life: f64,
    pub(crate) cap: usize,
    pub(crate) items: usize,
}

impl Shopper {
    /// Reads a time-sorted slice of events; those after `at` are not looked at.
    pub(crate) fn read(events: &[Event], at: i64, r: &Reading) -> Self {
        let events = &events[..events.partition_point(|e| e.at <= at)];
        let mut index: FxHashMap<u32, u32> = FxHashMap::default();
        let mut owned: Vec<Own> = Vec::new();
        let mut bought: Vec<(u32, f32)> = Vec::new();
        let mut days: Vec<i32> = Vec::new();
        let mut dismissed = Vec::new();
        for e in events {
            let Some(item) = e.item.filter(|&i| (i as usize) < r.items) else { continue };
            if e.kind == Kind::Dismiss {
                dismissed.push(item);
            }
            if e.kind == Kind::Return
                && let Some(own) = index.get(&item).and_then(|&s| owned.get_mut(s as usize))
            {
                // What goes back was no good purchase: the newest day stops counting, but the shopper has had the item.
                own.days.pop();
            }
            if e.kind != r.target || r.kinds.of(e.kind, e.value) <= 0.0 {
                continue;
            }
            let day = e.at.div_euclid(DAY_MS) as i32;
            let slot = *index.entry(item).or_insert_with(|| {
                owned.push(Own { item, days: Vec::new(), quantity: 0.0, last_quantity: 0.0, last_at: e.at });
                bought.push((0, 0.0));
                owned.len() as u32 - 1
            }) as usize;
            let own = &mut owned[slot];
            if own.days.last() != Some(&day) {
                own.days.push(day);
            }
            own.last_quantity = e.value;
            own.last_at = e.at;
            bought[slot].0 += 1;
            bought[slot].1 += e.value;
            own.quantity = bought[slot].1 / bought[slot].0 as f32;
            if days.last() != Some(&day) {
                days.push(day);
            }
        }
        owned.sort_unstable_by_key(|o| o.item);
        index = owned.iter().enumerate().map(|(s, o)| (o.item, s as u32)).collect();
        dismissed.sort_unstable();
        dismissed.dedup();
        let last = events.last().map_or(at, |e| e.at);
        let long = Weighing { at, until: at, since: i64::MIN, half_life: r.half_life, kinds: r.kinds, cap: r.cap };
        let short = Weighing { at: last, half_life: r.recent_half_life, ..long };
        let mut weak = r.kinds;
        weak.0[r.target as usize] = 0.0;
        Self {
            at,
            profile: weigh(events, &long, r.items),
            recent: weigh(events, &short, r.items),
            intent: weigh(events, &Weighing { at, half_life: r.recent_half_life, kinds: weak, ..long }, r.items),
            owned,
            days,
            dismissed,
            index,
        }
    }

    /// The shopper's record with an item, if it was ever bought.
    pub fn own(&self, item: u32) -> Option<&Own> {
        self.index.get(&item).map(|&s| &self.owned[s as usize])
    }

    /// Items of the last two baskets: 1 in the last, one half in the one before.
    pub(crate) fn last_baskets(&self) -> Vec<(u32, f32)> {
        let last: Vec<(i32, f32)> = self.days.iter().rev().copied().zip([1.0, 0.5]).collect();
        let weight = |own: &Own| last.iter().find(|(day, _)| own.days.binary_search(day).is_ok()).map(|x| x.1);
        self.owned.iter().filter_map(|own| Some((own.item, weight(own)?))).collect()
    }

    /// Whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        self.profile.is_empty()
    }
}
