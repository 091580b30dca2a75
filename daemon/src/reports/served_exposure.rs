//! What was really shown: exposure of items, sellers and brands in the lists that went out (METRICS.md sections 3 and 4).

use std::collections::BTreeMap;

use mercer_reports::diversity as d;
use mercer_shared::ids::ItemId;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::{DAY_MS, Timestamp};
use mercer_shared::wire::{ExposedItem, ExposureQuery, ExposureShare, Item, ServedExposureReport};
use rustc_hash::FxHashMap;

use crate::state::app::App;
use crate::state::problems::Answer;
use crate::state::shop::ShopState;

/// Days that are counted where none are asked for.
const DAYS: u32 = 30;
/// Most days.
const MOST_DAYS: u32 = 3_650;
/// Names where none are asked for, and most names.
const NAMED: u32 = 20;
const MOST_NAMED: u32 = 1_000;

/// Exposure over the last days.
///
/// # Errors
/// `bad-parameter` for days or a limit out of range.
pub fn exposure(app: &App, query: &ExposureQuery) -> Answer<ServedExposureReport> {
    let ranged = |name: &str, value: u32, most: u32| {
        let fits = (1..=most).contains(&value);
        let problem = || Problem::new(Code::BadParameter, format!("{name} is {value}, it takes 1 to {most}"));
        if fits { Ok(value) } else { Err(problem()) }
    };
    let days = ranged("days", query.days.unwrap_or(DAYS), MOST_DAYS)?;
    let limit = ranged("limit", query.limit.unwrap_or(NAMED), MOST_NAMED)? as usize;
    let first = Timestamp::now().millis().div_euclid(DAY_MS) - i64::from(days) + 1;
    let total = app.served_log.since(first);
    let view = app.view();
    let exposed = Exposed::of(&view, &total.items);
    let counts: Vec<f64> = exposed.items.iter().map(|(_, exposure)| *exposure).collect();
    let sum: f64 = counts.iter().sum();
    let share = |exposure: f64| if sum > 0.0 { exposure / sum } else { 0.0 };
    let mut items: Vec<ExposedItem> = exposed
        .items
        .iter()
        .filter(|(_, exposure)| *exposure > 0.0)
        .map(|(item, exposure)| ExposedItem {
            id: item.id.clone(),
            title: item.title.clone(),
            exposure: *exposure,
            share: share(*exposure),
        })
        .collect();
    items.sort_by(|a, b| b.exposure.total_cmp(&a.exposure).then_with(|| a.id.cmp(&b.id)));
    items.truncate(limit);
    let by = |owner: fn(&Item) -> Option<&str>| exposed.by(owner, share, limit);
    Ok(ServedExposureReport {
        from: Timestamp::at((first * DAY_MS).max(0)),
        days,
        lists: total.lists,
        eligible: counts.len() as u64,
        shown: counts.iter().filter(|exposure| **exposure > 0.0).count() as u64,
        gini: d::gini(&counts).ok(),
        effective_items: d::effective_items(&counts).ok(),
        items,
        sellers: by(|item| item.seller.as_deref()),
        brands: by(|item| item.brand.as_deref()),
        unkept: app.served_log.unkept(),
    })
}

/// The eligible items with their exposure.
struct Exposed<'a> {
    items: Vec<(&'a Item, f64)>,
}

impl<'a> Exposed<'a> {
    fn of(view: &'a ShopState, exposure: &FxHashMap<ItemId, f64>) -> Self {
        let live = (0..view.items.len() as u32).filter_map(|number| view.live_item(number));
        let eligible = live.map(|item| &**item).filter(|item| !item.hidden);
        let items = eligible.map(|item| (item, exposure.get(&item.id).copied().unwrap_or(0.0))).collect();
        Self { items }
    }

    /// Exposure by owner, most first, at most `limit` of them.
    fn by(&self, owner: fn(&Item) -> Option<&str>, share: impl Fn(f64) -> f64, limit: usize) -> Vec<ExposureShare> {
        let mut sums: BTreeMap<Option<&str>, (u64, f64)> = BTreeMap::new();
        for (item, exposure) in &self.items {
            let sum = sums.entry(owner(item)).or_default();
            sum.0 += 1;
            sum.1 += exposure;
        }
        // A shop that names no owner has nothing to compare.
        if sums.len() == 1 && sums.contains_key(&None) {
            return Vec::new();
        }
        let mut shares: Vec<ExposureShare> = sums
            .into_iter()
            .map(|(name, (items, exposure))| ExposureShare {
                name: name.map(str::to_owned),
                items,
                exposure,
                share: share(exposure),
            })
            .collect();
        shares.sort_by(|a, b| b.exposure.total_cmp(&a.exposure).then_with(|| a.name.cmp(&b.name)));
        shares.truncate(limit);
        shares
    }
}
