//! The state of a user or session as of a moment: purchases by item and day, and interest in items.
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::catalogue::Catalogue;
use crate::log::{DAY_MS, Event};
use crate::sparse::{InterestDecay, interests};
use mercer_shared::interaction::{InteractionType, InterestWeights};

/// A user's purchases of one item.
#[derive(Debug, Clone, PartialEq)]
pub struct PurchaseHistory {
    /// The item.
    pub item: u32,
    /// Days (since 1970) with a purchase, ascending and distinct: two purchases on a day are one basket. A return takes off the last.
    pub days: Vec<i32>,
    /// Mean quantity per purchase.
    pub quantity: f32,
    /// Quantity of the last purchase.
    pub last_quantity: f32,
    /// Moment of the last purchase.
    pub last_at: i64,
}

impl PurchaseHistory {
    /// Purchases with exponential decay: the sum over days of `2^(-age / half_life)`, both in days.
    pub fn decayed(&self, at: i64, half_life: f64) -> f64 {
        let now = at as f64 / DAY_MS as f64;
        self.days.iter().map(|&d| (-(now - f64::from(d)).max(0.0) / half_life).exp2()).sum()
    }

    /// Mean days between purchases; `None` for fewer than two.
    pub fn gap(&self) -> Option<f64> {
        let n = self.days.len();
        (n >= 2).then(|| f64::from(self.days[n - 1] - self.days[0]) / (n - 1) as f64)
    }
}

/// A shopper as of a moment; made from events at or before it, cheap enough to be made per request.
#[derive(Debug, Clone, PartialEq)]
pub struct UserState {
    /// The moment.
    pub at: i64,
    /// Purchases by item, in the order of the items' keys.
    pub purchases: Vec<PurchaseHistory>,
    /// Days with a purchase, ascending and distinct.
    pub days: Vec<i32>,
    /// Items marked as "not interested", ascending.
    pub dismissed: Vec<u32>,
    /// Interest in items by events of every kind, long half-life; in the order of the items' keys.
    pub profile: Vec<(u32, f32)>,
    /// The same with a short half-life that counts back from the user's own last event.
    pub recent: Vec<(u32, f32)>,
    /// Interest by events short of a purchase, short half-life.
    pub intent: Vec<(u32, f32)>,
    /// Place in `purchases` by item.
    places: FxHashMap<u32, u32>,
}

/// How user states are read; part of the index, so that training and serving read them in one way.
#[derive(Debug, Clone)]
pub(crate) struct ReadOptions {
    pub(crate) target: InteractionType,
    pub(crate) kinds: InterestWeights,
    pub(crate) half_life: f64,
    pub(crate) recent_half_life: f64,
    pub(crate) cap: usize,
    /// Stable keys of the items.
    pub(crate) keys: Arc<[u64]>,
}

impl ReadOptions {
    /// Extends the keys to all items of a catalogue.
    pub(crate) fn cover(&mut self, catalogue: &Catalogue) {
        if catalogue.len() > self.keys.len() {
            self.keys = catalogue.keys().into();
        }
    }
}

impl UserState {
    /// Reads time-sorted events; those after `at` are ignored.
    pub(crate) fn read(events: &[Event], at: i64, r: &ReadOptions) -> Self {
        let events = &events[..events.partition_point(|e| e.at <= at)];
        let mut places: FxHashMap<u32, u32> = FxHashMap::default();
        let mut purchases: Vec<PurchaseHistory> = Vec::new();
        // Number of purchases and their quantity, by place.
        let mut bought: Vec<(u32, f32)> = Vec::new();
        let mut days: Vec<i32> = Vec::new();
        let mut dismissed = Vec::new();
        for e in events {
            let Some(item) = e.item.filter(|&i| (i as usize) < r.keys.len()) else { continue };
            if e.kind == InteractionType::Dismiss {
                dismissed.push(item);
            }
            if e.kind == InteractionType::Return
                && let Some(own) = places.get(&item).and_then(|&place| purchases.get_mut(place as usize))
            {
                // The newest purchase stops counting, but the user has had the item, so it stays known.
                own.days.pop();
            }
            if e.kind != r.target || r.kinds.of(e.kind, e.value) <= 0.0 {
                continue;
            }
            let day = e.at.div_euclid(DAY_MS) as i32;
            let slot = *places.entry(item).or_insert_with(|| {
                purchases.push(PurchaseHistory {
                    item,
                    days: Vec::new(),
                    quantity: 0.0,
                    last_quantity: 0.0,
                    last_at: e.at,
                });
                bought.push((0, 0.0));
                purchases.len() as u32 - 1
            }) as usize;
            let own = &mut purchases[slot];
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
        purchases.sort_unstable_by_key(|o| (r.keys[o.item as usize], o.item));
        places = purchases.iter().enumerate().map(|(s, o)| (o.item, s as u32)).collect();
        dismissed.sort_unstable();
        dismissed.dedup();
        let last = events.last().map_or(at, |e| e.at);
        let long = InterestDecay { at, until: at, since: i64::MIN, half_life: r.half_life, kinds: r.kinds, cap: r.cap };
        let short = InterestDecay { at: last, half_life: r.recent_half_life, ..long };
        let mut weak = r.kinds;
        weak.0[r.target as usize] = 0.0;
        Self {
            at,
            profile: interests(events, &long, &r.keys),
            recent: interests(events, &short, &r.keys),
            intent: interests(
                events,
                &InterestDecay { at, half_life: r.recent_half_life, kinds: weak, ..long },
                &r.keys,
            ),
            purchases,
            days,
            dismissed,
            places,
        }
    }

    /// The user's purchases of an item, if it was ever bought.
    pub fn purchases_of(&self, item: u32) -> Option<&PurchaseHistory> {
        self.places.get(&item).map(|&place| &self.purchases[place as usize])
    }

    /// Items of the last two baskets with their weights: 1 for the last, 0.5 for the one before.
    pub(crate) fn last_baskets(&self) -> Vec<(u32, f32)> {
        let last: Vec<(i32, f32)> = self.days.iter().rev().copied().zip([1.0, 0.5]).collect();
        let weight =
            |own: &PurchaseHistory| last.iter().find(|(day, _)| own.days.binary_search(day).is_ok()).map(|x| x.1);
        self.purchases.iter().filter_map(|own| Some((own.item, weight(own)?))).collect()
    }
}
