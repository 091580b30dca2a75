//! New against heavy shoppers: groups that need no demographics, by the days and by the baskets before the window, with cut points from
//! the log (METRICS.md section 4). Lines are never counted: ten lines of one basket are one visit.

use mercer_rank::DAY_MS;

use crate::reports::shoppers::Shoppers;

/// Where the groups begin and end, in days or baskets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cuts {
    /// Most of a new shopper: the lower quartile.
    pub(crate) new_up_to: u32,
    /// Fewest of a heavy shopper: the upper quartile, and more than that of a new one.
    pub(crate) heavy_from: u32,
}

impl Cuts {
    /// The quartiles of the log; `None` where all shoppers are alike.
    pub(crate) fn of(counts: &[u32]) -> Option<Self> {
        let mut sorted = counts.to_vec();
        sorted.sort_unstable();
        let last = sorted.len().checked_sub(1)?;
        let new_up_to = sorted[last / 4];
        let heavy_from = sorted[last - last / 4].max(new_up_to + 1);
        (sorted[last] >= heavy_from).then_some(Self { new_up_to, heavy_from })
    }

    /// The group of a shopper.
    pub(crate) const fn group(self, count: u32) -> &'static str {
        if count <= self.new_up_to {
            NEW
        } else if count >= self.heavy_from {
            HEAVY
        } else {
            "middle"
        }
    }
}

/// The group of few days or baskets.
pub(crate) const NEW: &str = "new";
/// The group of many.
pub(crate) const HEAVY: &str = "heavy";

/// The shoppers of a report in groups by history.
pub(crate) struct HistoryGroups {
    /// `days` or `baskets`.
    pub(crate) unit: &'static str,
    pub(crate) cuts: Cuts,
    /// Group of each user.
    pub(crate) labels: Vec<&'static str>,
}

impl HistoryGroups {
    fn of(unit: &'static str, counts: &[u32]) -> Option<Self> {
        let cuts = Cuts::of(counts)?;
        Some(Self { unit, cuts, labels: counts.iter().map(|count| cuts.group(*count)).collect() })
    }

    /// The cut points in words.
    pub(crate) fn words(&self) -> String {
        let Self { unit, cuts, .. } = self;
        let words = |count: u32| match count {
            1 => format!("1 {}", unit.trim_end_matches('s')),
            many => format!("{many} {unit}"),
        };
        format!(
            "history/{unit}: new up to {} before the window, heavy from {} (quartiles of the shoppers measured)",
            words(cuts.new_up_to),
            words(cuts.heavy_from)
        )
    }
}

/// The groups by days, and by baskets where the log tells two baskets of a day apart.
pub(crate) fn history_groups(shoppers: &Shoppers<'_>) -> Vec<HistoryGroups> {
    let distinct = |user: u32, moment: fn(i64) -> i64| {
        // Oldest first, so equal moments stand together.
        let mut moments: Vec<i64> = shoppers.purchases(user).map(|(_, at)| moment(at)).collect();
        moments.dedup();
        moments.len() as u32
    };
    let users = shoppers.users;
    let days: Vec<u32> = users.iter().map(|&user| distinct(user, |at| at.div_euclid(DAY_MS))).collect();
    let baskets: Vec<u32> = users.iter().map(|&user| distinct(user, |at| at)).collect();
    let by_days = HistoryGroups::of("days", &days);
    let by_baskets = HistoryGroups::of("baskets", &baskets).filter(|_| baskets != days);
    by_days.into_iter().chain(by_baskets).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_points_are_the_quartiles_of_the_log() {
        let cuts = Cuts::of(&[1, 1, 1, 2, 3, 4, 8, 10, 12]).unwrap();
        assert_eq!(cuts, Cuts { new_up_to: 1, heavy_from: 8 });
        assert_eq!([1, 2, 8].map(|days| cuts.group(days)), [NEW, "middle", HEAVY]);
    }

    #[test]
    fn one_day_is_a_day() {
        let groups = HistoryGroups::of("days", &[1, 1, 1, 2, 3, 4, 8, 10, 12]).unwrap();
        let words =
            "history/days: new up to 1 day before the window, heavy from 8 days (quartiles of the shoppers measured)";
        assert_eq!(groups.words(), words);
    }

    #[test]
    fn shoppers_who_are_alike_have_no_groups() {
        assert_eq!(Cuts::of(&[2, 2, 2]), None);
        assert_eq!(Cuts::of(&[]), None);
        // A log in which most came once still has heavy shoppers.
        assert_eq!(Cuts::of(&[1, 1, 1, 1, 1, 1, 1, 5]), Some(Cuts { new_up_to: 1, heavy_from: 2 }));
    }
}
