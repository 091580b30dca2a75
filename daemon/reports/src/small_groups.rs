//! Protects small groups of users in a table (METRICS.md sections 4 and 5: n < 10 is suppressed, and must not follow from the rest).
//!
//! Groups below the limit are merged into one row. Whatever is still hidden then could follow from the total over all users less the
//! rows that are shown. Hiding a further, larger group would protect it, but hides people whom nothing threatens. Instead the numbers
//! of a table are rounded at random ([`crate::table_rounding`]) so far that the difference says nothing, neither of a hidden group nor,
//! between two tables, of one user.

use std::collections::BTreeMap;

use crate::resample::Interval;
use crate::table_rounding::{CellSize, TableDraws, mean_step, outward, tidy};

/// Name of the row of all groups that are too small for a row of their own.
pub const OTHER: &str = "other, small groups";

/// Step of the bounds of a group whose mean is hidden.
const HIDDEN_STEP: f64 = 0.05;
/// Finest step of means and bounds in a table that hides a mean.
const MEAN_STEP: f64 = 0.005;
/// Step of the sizes of single groups.
const SIZE_STEP: usize = 10;

/// A group of users: its name, the metric of each user, ascending, and how many declared values it holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) values: Vec<f64>,
    pub(crate) merged: usize,
}

/// Collects users by label and merges groups below `least` into [`OTHER`]. A single small group keeps its name. Values are sorted, so
/// that nothing depends on the order of the users.
pub(crate) fn collect(values: &[Option<f64>], labels: &[&str], least: usize) -> Vec<Group> {
    let mut members: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (value, label) in values.iter().zip(labels) {
        members.entry(label).or_default().extend(value);
    }
    let small = members.values().filter(|values| values.len() < least).count();
    let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
    for (label, values) in members {
        let name = if small > 1 && values.len() < least { OTHER } else { label };
        let group =
            groups.entry(name).or_insert_with(|| Group { name: name.to_owned(), values: Vec::new(), merged: 0 });
        group.values.extend(values);
        group.merged += 1;
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    for group in &mut groups {
        group.values.sort_by(f64::total_cmp);
    }
    groups
}

/// The draws of a table, which follow from how many users with a value each label has.
pub(crate) fn draws_of(attribute: &str, values: &[Option<f64>], labels: &[&str], seed: u64) -> TableDraws {
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for (label, _) in labels.iter().zip(values).filter(|(_, value)| value.is_some()) {
        *sizes.entry(label).or_default() += 1;
    }
    TableDraws::of(seed, attribute, sizes.into_iter().map(|(cell, users)| CellSize { cell, users }))
}

/// From which sizes on groups are shown and compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) suppress_below: usize,
    pub(crate) compare_from: usize,
}

impl Limits {
    /// Widens both limits at random by fewer than `blur` users, so that crossing one does not tell a size. Never is less hidden than the
    /// first limit says.
    pub(crate) fn blurred(self, blur: usize, draws: &TableDraws) -> Self {
        let suppress_below = self.suppress_below + draws.below("suppress below", blur);
        let compare_from = self.compare_from.saturating_sub(draws.below("compare from", blur));
        Self { suppress_below, compare_from: compare_from.max(suppress_below) }
    }
}

/// How the numbers of a table are rounded: sizes to tens, means and bounds to steps that one user does not exceed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rounding {
    /// Draws that follow from the sizes alone.
    pub(crate) sizes: TableDraws,
    /// Draws that follow from the values as well.
    pub(crate) means: TableDraws,
    /// Finest step: coarser where some mean is hidden.
    pub(crate) finest: f64,
}

impl Rounding {
    pub(crate) fn new(sizes: TableDraws, groups: &[Group], hides: bool) -> Self {
        let means = sizes.with_values(groups.iter().flat_map(|group| group.values.iter().copied()));
        Self { sizes, means, finest: if hides { MEAN_STEP } else { 0.0 } }
    }

    /// Step of the mean of so many users.
    pub(crate) fn step(&self, users: usize) -> f64 {
        mean_step(users).max(self.finest)
    }

    pub(crate) fn size(&self, group: &Group) -> usize {
        self.sizes.size(&group.name, group.values.len())
    }

    pub(crate) fn mean(&self, group: &Group, mean: f64) -> f64 {
        self.means.value(&group.name, mean, self.step(group.values.len()))
    }

    pub(crate) fn interval(&self, users: usize, interval: Interval) -> Interval {
        outward(interval, self.step(users))
    }
}

/// Rounds the mean of a group, or a difference of such means, to 0.005: from exact ones and the mean over all users, that of a hidden group
/// could be reckoned.
#[must_use]
pub fn rounded_mean(value: f64) -> f64 {
    tidy((value / MEAN_STEP).round() * MEAN_STEP)
}

/// Rounds the size of a group to tens, for the same reason.
#[must_use]
pub const fn rounded_size(n: usize) -> usize {
    (n + SIZE_STEP / 2) / SIZE_STEP * SIZE_STEP
}

/// Bounds that tell no mean: rounded outward, and at least one step apart.
#[must_use]
pub fn hidden_bounds(interval: Interval) -> Interval {
    let mut wide = outward(interval, HIDDEN_STEP);
    if wide.high - wide.low < HIDDEN_STEP / 2.0 {
        wide.high = tidy(wide.high + HIDDEN_STEP);
    }
    wide
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_blurred_on_the_safe_side_only() {
        let limits = Limits { suppress_below: 10, compare_from: 30 };
        let draws = |seed| TableDraws::of(seed, "x", []);
        let drawn: Vec<Limits> = (0..50).map(|seed| limits.blurred(3, &draws(seed))).collect();
        assert!(drawn.iter().all(|one| (10..13).contains(&one.suppress_below) && (28..31).contains(&one.compare_from)));
        assert!(drawn.iter().any(|one| one.suppress_below == 12) && drawn.iter().any(|one| one.compare_from == 28));
        assert_eq!(limits.blurred(0, &draws(1)), limits);
        let equal = Limits { suppress_below: 30, compare_from: 30 };
        assert!((0..50).map(|seed| equal.blurred(3, &draws(seed))).all(|one| one.compare_from >= one.suppress_below));
    }

    fn interval(low: f64, high: f64) -> Interval {
        Interval { low, high, level: 0.95, replicates: 100 }
    }

    #[test]
    fn bounds_of_a_hidden_mean_are_rounded_outward_and_never_meet() {
        let wide = hidden_bounds(interval(0.213, 0.441));
        assert_eq!((wide.low, wide.high), (0.2, 0.45));
        let same = hidden_bounds(interval(0.0, 0.0));
        assert_eq!((same.low, same.high), (0.0, 0.05));
        let on_steps = hidden_bounds(interval(0.15, 0.3));
        assert_eq!((on_steps.low, on_steps.high), (0.15, 0.3));
    }

    #[test]
    fn two_small_groups_become_one_and_a_single_one_keeps_its_name() {
        let labels = ["a", "b", "b", "c", "c", "c"];
        let values = [Some(0.1), Some(0.3), Some(0.2), None, Some(1.0), Some(0.5)];
        let names =
            |least| collect(&values, &labels, least).into_iter().map(|g| (g.name, g.merged)).collect::<Vec<_>>();
        let named = |name: &str, merged| (name.to_owned(), merged);
        assert_eq!(names(2), [named("a", 1), named("b", 1), named("c", 1)]);
        assert_eq!(names(3), [named(OTHER, 3)]);
        assert_eq!(collect(&values, &labels, 2)[1].values, [0.2, 0.3]);
    }
}
