//! What a shopper's history consists of, by groups of items.

use mercer_rank::{DAY_MS, InterestWeights};
use mercer_shared::wire::ItemGrouping;

use crate::serving::rerank::groups::{Numbers, group_of_number};
use crate::serving::rerank::pool::RerankContext;

/// Half-life of an event's weight, in days; that of the interests in a profile.
const HALF_LIFE_DAYS: f64 = 90.0;
/// Latest events that are read: with thousands, the older ones weigh nothing and would cost time.
const LATEST: usize = 500;

/// Weights of groups in a history.
#[derive(Default)]
pub(super) struct Taste<'a> {
    /// The groups, numbered.
    pub(super) groups: Numbers<'a>,
    /// Weight of each group by number: interest of the events, halved every 90 days.
    pub(super) weights: Vec<f64>,
    /// Events that were counted.
    pub(super) events: usize,
}

impl<'a> Taste<'a> {
    /// Reads the history of a list's shopper.
    pub(super) fn of(context: &RerankContext<'a>, by: &ItemGrouping) -> Self {
        let (kinds, mut taste) = (InterestWeights::default(), Self::default());
        for event in context.history.iter().rev().take(LATEST) {
            let interest = f64::from(kinds.of(event.kind, event.value));
            let group = event.item.and_then(|number| group_of_number(context, number, by));
            let Some(group) = group.filter(|_| interest > 0.0) else { continue };
            let days = (context.at - event.at).max(0) as f64 / DAY_MS as f64;
            let number = taste.groups.of(group);
            taste.weights.resize(taste.groups.len(), 0.0);
            taste.weights[number] += interest * (-days / HALF_LIFE_DAYS * std::f64::consts::LN_2).exp();
            taste.events += 1;
        }
        taste
    }
}
