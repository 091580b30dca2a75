//! Light and heavy shoppers: one rule for evaluations and the fairness report (METRICS.md section 4: groups that need no demographics).

use std::collections::BTreeMap;

use mercer_rank::{DAY_MS, Log};
use mercer_shared::interaction::InteractionType;

/// Lengths of the histories of the shoppers that are compared. A shopper is heavy with more baskets than the median shopper has, else
/// light.
pub(crate) struct HistoryLengths {
    baskets: BTreeMap<u32, u32>,
    /// Most baskets of a light shopper: the lower median.
    pub(crate) border: u32,
}

impl HistoryLengths {
    /// Counts the baskets of each user up to `cutoff` (UTC milliseconds): the days with an interaction of the target kind.
    pub(crate) fn of(log: &Log, target: InteractionType, cutoff: i64, users: impl IntoIterator<Item = u32>) -> Self {
        let baskets = |user: u32| {
            let events = log.until(user, cutoff).iter().filter(|event| event.kind == target);
            let mut days: Vec<i64> = events.map(|event| event.at.div_euclid(DAY_MS)).collect();
            days.dedup();
            days.len() as u32
        };
        let baskets: BTreeMap<u32, u32> = users.into_iter().map(|user| (user, baskets(user))).collect();
        let mut sorted: Vec<u32> = baskets.values().copied().collect();
        sorted.sort_unstable();
        let border = sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(0);
        Self { baskets, border }
    }

    /// Baskets of a shopper; 0 for one that is not compared.
    pub(crate) fn baskets(&self, user: u32) -> u32 {
        self.baskets.get(&user).copied().unwrap_or(0)
    }

    /// Whether a shopper is heavy.
    pub(crate) fn is_heavy(&self, user: u32) -> bool {
        self.baskets(user) > self.border
    }

    /// The shoppers that are compared, ascending.
    pub(crate) fn users(&self) -> impl Iterator<Item = u32> + '_ {
        self.baskets.keys().copied()
    }

    /// Number of shoppers.
    pub(crate) fn len(&self) -> usize {
        self.baskets.len()
    }

    /// The border in words: `3 days`.
    pub(crate) fn border_days(&self) -> String {
        format!("{} {}", self.border, if self.border == 1 { "day" } else { "days" })
    }
}

#[cfg(test)]
mod tests {
    use mercer_rank::Event;

    use super::*;

    #[test]
    fn a_heavy_shopper_bought_on_more_days_than_the_median_one() {
        let event = |kind, day: i64, hour: i64| Event {
            item: Some(0),
            text: None,
            kind,
            value: 1.0,
            at: day * DAY_MS + hour * 3_600_000,
        };
        let mut log = Log::default();
        for (user, days) in [(0, 1), (1, 2), (2, 5)] {
            let bought = (0..days).flat_map(|day| [1, 2].map(|hour| event(InteractionType::Purchase, day, hour)));
            log.set_user(user, bought.collect());
        }
        log.set_user(3, (0..9).map(|day| event(InteractionType::View, day, 1)).collect());
        let lengths = HistoryLengths::of(&log, InteractionType::Purchase, 10 * DAY_MS, 0..4);
        assert_eq!((0..4).map(|user| lengths.baskets(user)).collect::<Vec<_>>(), [1, 2, 5, 0]);
        assert_eq!((lengths.border, lengths.border_days().as_str()), (1, "1 day"));
        assert_eq!((0..4).map(|user| lengths.is_heavy(user)).collect::<Vec<_>>(), [false, true, true, false]);
        // Later days do not count.
        let early = HistoryLengths::of(&log, InteractionType::Purchase, DAY_MS - 1, 0..3);
        assert_eq!((0..3).map(|user| early.baskets(user)).collect::<Vec<_>>(), [1, 1, 1]);
    }
}
