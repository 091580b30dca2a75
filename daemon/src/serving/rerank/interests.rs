//! Re-rankers that mirror the shopper's own history: xQuAD and calibration.

use mercer_reports::rerank::{Method, RerankError};
use mercer_shared::wire::ItemGrouping;

use crate::serving::rerank::groups::groups;
use crate::serving::rerank::pool::{Picked, Pool, RerankContext};
use crate::serving::rerank::taste::Taste;

/// Smoothing of the list's distribution (Steck 2018).
const ALPHA: f64 = 0.01;

/// The history by groups, and the group of each candidate among them. Groups that the history does not know are one group together, the
/// last, which it does not wish for.
struct Mirror {
    weights: Vec<f64>,
    events: usize,
    of_pool: Vec<usize>,
}

impl Mirror {
    fn of(context: &RerankContext<'_>, pool: &Pool, by: &ItemGrouping) -> Self {
        let Taste { groups: numbers, mut weights, events } = Taste::of(context, by);
        let unknown = weights.len();
        let of_pool = groups(context, pool, by);
        let number = |group: &Option<&str>| group.and_then(|name| numbers.get(name)).unwrap_or(unknown);
        let of_pool = of_pool.iter().map(number).collect();
        weights.push(0.0);
        Self { weights, events, of_pool }
    }
}

/// Covers the interests of the history. An item belongs to one interest, wholly.
pub(super) fn xquad(
    context: &RerankContext<'_>,
    pool: &Pool,
    lambda: f64,
    by: &ItemGrouping,
) -> Result<Picked, RerankError> {
    let Mirror { weights, of_pool, .. } = Mirror::of(context, pool, by);
    let total: f64 = weights.iter().sum();
    if total <= 0.0 {
        return Err(RerankError::Missing("a history"));
    }
    let wishes: Vec<f64> = weights.iter().map(|weight| (weight / total).min(1.0)).collect();
    let method = Method::Xquad { lambda, aspects: &wishes, covers: None };
    Ok(pool.pick(&of_pool, None, method)?.into())
}

/// Draws the list towards the proportions of the history.
pub(super) fn calibrated(
    context: &RerankContext<'_>,
    pool: &Pool,
    lambda: f64,
    by: &ItemGrouping,
) -> Result<Picked, RerankError> {
    let Mirror { weights, events, of_pool } = Mirror::of(context, pool, by);
    let method = Method::Calibrated { lambda, history: &weights, events, alpha: ALPHA };
    Ok(pool.pick(&of_pool, None, method)?.into())
}
