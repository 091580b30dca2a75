//! Re-rankers that give groups of items their share of every prefix: `DetGreedy` and FA*IR.

use std::collections::BTreeMap;

use mercer_reports::rerank::{Method, RerankError, Reranked};
use mercer_shared::wire::{ItemGrouping, OTHER_ITEMS};

use crate::serving::rerank::groups::groups;
use crate::serving::rerank::pool::{Picked, Pool, RerankContext};

/// `DetGreedy` with target shares by name.
pub(super) fn det_greedy(
    context: &RerankContext<'_>,
    pool: &Pool,
    by: &ItemGrouping,
    shares: &BTreeMap<String, f64>,
) -> Result<Picked, RerankError> {
    let names: Vec<&str> = shares.keys().map(String::as_str).collect();
    let total: f64 = shares.values().sum();
    let mut target: Vec<f64> = shares.values().map(|share| share / total).collect();
    // Items of no named group are the group `*`, or one without a share.
    let others = names.iter().position(|name| *name == OTHER_ITEMS).unwrap_or(names.len());
    if others == names.len() {
        target.push(0.0);
    }
    let number = |group: &Option<&str>| {
        let found = group.and_then(|group| names.iter().position(|name| *name == group));
        found.unwrap_or(others)
    };
    let group: Vec<usize> = groups(context, pool, by).iter().map(number).collect();
    let found = pool.pick(&group, None, Method::DetGreedy { shares: &target })?;
    let whose = |place: usize| {
        let name = names.get(group[place])?;
        let whose = if *name == OTHER_ITEMS { format!("every other {by}") } else { format!("{by} {name}") };
        Some(format!("target share of {:.0} % for {whose}", 100.0 * target[group[place]]))
    };
    Ok(explained(found, whose))
}

/// The protected group of FA*IR.
#[derive(Debug, Clone, Copy)]
pub(super) struct Protected<'a> {
    /// What the group is of.
    pub(super) by: &'a ItemGrouping,
    /// Its name.
    pub(super) value: &'a str,
    /// Its wanted share.
    pub(super) p: f64,
    /// Probability that a fair list is judged unfair.
    pub(super) alpha: f64,
}

/// FA*IR: the best candidate at each rank, unless the prefix would hold too few of the protected group.
pub(super) fn fair_star_ir(
    context: &RerankContext<'_>,
    pool: &Pool,
    protected: &Protected<'_>,
) -> Result<Picked, RerankError> {
    let Protected { by, value, p, alpha } = *protected;
    let name = "the share or level of FA*IR";
    let range = "more than 0 and less than 1";
    let table = context.tables.table(pool.k, p, alpha);
    let table = table.map_err(|_| RerankError::Parameter { name, value: p, range })?;
    let group: Vec<usize> = groups(context, pool, by).iter().map(|group| usize::from(*group == Some(value))).collect();
    let found = pool.pick(&group, None, Method::FairPrefix { table: &table, protected: 1 })?;
    let demanded = format!("fair prefixes (FA*IR) for {by} {value}");
    Ok(explained(found, |place| (group[place] == 1).then(|| demanded.clone())))
}

/// A list with its reasons: what moved up has the reason that `why` gives for its place.
fn explained(found: Reranked, why: impl Fn(usize) -> Option<String>) -> Picked {
    let up = found.order.iter().enumerate().filter(|(to, from)| to < *from);
    let reasons = up.filter_map(|(_, &place)| Some((place, why(place)?))).collect();
    let unmet = found.unmet;
    let note = (unmet > 0).then(|| format!("on {unmet} ranks there was no candidate left of the group that was due"));
    Picked { order: found.order, why: reasons, note }
}
