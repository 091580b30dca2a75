//! Exposure floors and caps of sellers or brands, made good over a rolling window.

use std::collections::{BTreeMap, BTreeSet};

use mercer_reports::exposure::Attention;
use mercer_reports::rerank::{ExposureBounds, ExposureLedger, Method, RerankError};
use mercer_shared::wire::{ItemOwner, OTHER_ITEMS};
use rustc_hash::FxHashMap;

use crate::serving::rerank::groups::groups;
use crate::serving::rerank::pool::{Picked, Pool, RerankContext};
use crate::state::served_exposure::ExposureWindow;

/// The window of the arithmetic, in lists. The real window is in days and was applied when exposure was summed up.
const NO_DECAY: f64 = 1e12;
/// Adjusted scores are those without an adjustment up to this.
const EQUAL: f64 = 1e-9;

/// Floors and caps of a placement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits<'a> {
    /// Sellers or brands.
    pub(super) by: ItemOwner,
    /// Least shares by name.
    pub(super) floors: &'a BTreeMap<String, f64>,
    /// Largest shares by name; `*` for everybody without one.
    pub(super) caps: &'a BTreeMap<String, f64>,
    /// Days of the window.
    pub(super) window_days: u32,
}

impl Limits<'_> {
    /// Owners that a limit speaks of: the named ones, and all of these candidates where `*` has a cap.
    fn owners(&self, of_pool: &[Option<&str>]) -> Vec<String> {
        let named = self.floors.keys().chain(self.caps.keys()).map(String::as_str).filter(|name| *name != OTHER_ITEMS);
        let others = of_pool.iter().flatten().copied().filter(|_| self.caps.contains_key(OTHER_ITEMS));
        named.chain(others).collect::<BTreeSet<_>>().into_iter().map(str::to_owned).collect()
    }

    /// The bounds of these owners, and of all others together, who have none.
    fn bounds(&self, names: &[String], strength: f64) -> Result<ExposureBounds, RerankError> {
        let floor = |name: &String| self.floors.get(name).copied().unwrap_or(0.0);
        let cap = |name: &String| self.caps.get(name).or_else(|| self.caps.get(OTHER_ITEMS)).copied().unwrap_or(1.0);
        let floors = names.iter().map(floor).chain([0.0]).collect();
        let caps = names.iter().map(cap).chain([1.0]).collect();
        ExposureBounds::new(floors, caps, NO_DECAY, strength)
    }
}

/// Adds to each candidate's relevance what its owner is owed, and takes off what the owner has had too much. One first place of debt
/// weighs as much as the most relevant candidate over the least, so no debt lasts while its owner has candidates.
pub(super) fn exposure(
    context: &RerankContext<'_>,
    placement: &str,
    pool: &Pool,
    limits: &Limits<'_>,
) -> Result<Picked, RerankError> {
    let grouping = limits.by.grouping();
    let of_pool = groups(context, pool, &grouping);
    let names = limits.owners(&of_pool);
    let window = ExposureWindow { by: limits.by, names: &names, days: limits.window_days };
    let before = context.served.totals(placement, context.at, window);
    let model = Attention::default();
    // Attention of one list of this length: the arithmetic counts in lists.
    let list: f64 = (0..pool.k).map(|position| model.at(position)).sum::<f64>().max(1.0);
    let bounds = limits.bounds(&names, list)?;
    let rest = (before.total - before.of.iter().sum::<f64>()).max(0.0);
    let exposure = before.of.iter().chain([&rest]).map(|attention| attention / list).collect();
    let ledger = ExposureLedger::of_totals(exposure, before.total / list);
    let number: FxHashMap<&str, usize> = names.iter().map(String::as_str).zip(0..).collect();
    let of_name = |name: &Option<&str>| name.and_then(|name| number.get(name).copied()).unwrap_or(names.len());
    let group: Vec<usize> = of_pool.iter().map(of_name).collect();
    let found = pool.pick(&group, None, Method::Exposure { bounds: &bounds, ledger: &ledger, model })?;
    let mut why = FxHashMap::default();
    for (to, (&place, gain)) in found.order.iter().zip(&found.gains).enumerate() {
        let (Some(name), added) = (of_pool[place], gain - pool.relevance[place]) else { continue };
        if to < place && added > EQUAL {
            why.insert(place, format!("exposure floor for {grouping} {name}"));
        } else if to > place && added < -EQUAL {
            why.insert(place, format!("exposure cap for {grouping} {name}"));
        }
    }
    Ok(Picked { order: found.order, why, note: None })
}
