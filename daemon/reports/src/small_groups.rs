//! Protects small groups of users in a table (METRICS.md sections 4 and 5: n < 10 is suppressed, and must not follow from the rest).
//!
//! Groups below the limit are merged into one row. Whatever is still hidden then could follow from the total over all users less the
//! rows that are shown. Hiding a further, larger group would protect it, but hides people whom nothing threatens. Instead the numbers
//! of such a table are rounded so far that the difference says nothing (controlled rounding; Hundepool et al. 2012, section 5.4).

use std::collections::BTreeMap;

use crate::resample::Interval;

/// Name of the row of all groups that are too small for a row of their own.
pub const OTHER: &str = "other, small groups";

/// Step of the bounds of a group whose mean is hidden.
const HIDDEN_STEP: f64 = 0.05;
/// Step of means and bounds in a table that hides a mean.
const MEAN_STEP: f64 = 0.005;
/// Step of sizes in a table that hides a size.
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

/// How the numbers of a table are rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// Not at all: everything is shown.
    Exact,
    /// Means and bounds: some mean is hidden.
    Means,
    /// Sizes as well: some size is hidden.
    SizesAndMeans,
}

impl Rounding {
    pub(crate) fn size(self, n: usize) -> usize {
        if self == Self::SizesAndMeans { rounded_size(n) } else { n }
    }

    pub(crate) fn mean(self, value: f64) -> f64 {
        if self == Self::Exact { value } else { rounded_mean(value) }
    }

    pub(crate) fn interval(self, interval: Interval) -> Interval {
        if self == Self::Exact { interval } else { outward(interval, MEAN_STEP) }
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
pub(crate) fn hidden_bounds(interval: Interval) -> Interval {
    let mut wide = outward(interval, HIDDEN_STEP);
    if wide.high - wide.low < HIDDEN_STEP / 2.0 {
        wide.high = tidy(wide.high + HIDDEN_STEP);
    }
    wide
}

fn outward(interval: Interval, step: f64) -> Interval {
    // The tolerance keeps a bound that stands on a step where it is.
    let low = tidy((interval.low / step + 1e-9).floor() * step);
    let high = tidy((interval.high / step - 1e-9).ceil() * step);
    Interval { low, high, ..interval }
}

/// Removes the last digits that a multiple of a decimal step has in binary, and the sign of zero.
fn tidy(value: f64) -> f64 {
    (value * 1e6).round() / 1e6 + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

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
