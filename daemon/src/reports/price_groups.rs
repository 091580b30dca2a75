//! What a mitigation costs the group of shoppers that is served worst: by the groups of the fairness report, with its rules for small ones.

use mercer_reports::table_rounding::{CellSize, TableDraws, interval_step, outward};
use mercer_reports::{GroupOptions, GroupReport, compare_paired, group_report};
use mercer_shared::wire::{MitigationPrice, PriceRow};

use crate::reports::history_groups::history_groups;
use crate::reports::price_rows::{ALPHA, PricedLists, RowText};
use crate::reports::rounding::secret_seed;
use crate::reports::rows::REPLICATES;
use crate::reports::shoppers::Shoppers;
use crate::reports::user_groups::{Partition, partitions};
use crate::reports::window_lists::known;

/// Replicates of the test of the lists after, of which only the worst group is told.
const AFTER_REPLICATES: usize = 400;
/// Finest step of a difference of group means.
const FINEST: f64 = 0.001;

const WORST: &str = "mean ndcg@10 of the group that the fairness report names as served worst before: the lowest of at least 30 shoppers, of \
                     those found below the others if there are any, `unknown` among them; the same shoppers after; paired Poisson bootstrap \
                     over them; sizes and means are rounded at random";

/// Adds a row for the worst group of each partition of the fairness report.
pub(crate) fn worst_groups(shoppers: &Shoppers<'_>, lists: &PricedLists, price: &mut MitigationPrice) {
    let history = history_groups(shoppers);
    for partition in partitions(shoppers, &history, &mut price.notes) {
        let seed = secret_seed(shoppers.app, &format!("price {}", partition.attribute));
        let Some((row, note)) = worst_group(&partition, lists, seed) else { continue };
        price.rows.push(row);
        price.notes.extend(note);
    }
    if !price.rows.iter().any(|row| row.name.starts_with("worst-group")) {
        let text = RowText { name: "worst-group".into(), label: "worst group of users".into(), formula: WORST };
        let undefined = Some("there are no two groups of at least 30 users to compare".to_owned());
        price.rows.push(PriceRow { undefined, ..text.row(0) });
    }
}

/// The row of a partition, and a note where another group is served worst after. `None` where fewer than two groups are large enough.
fn worst_group(partition: &Partition, lists: &PricedLists, seed: u64) -> Option<(PriceRow, Option<String>)> {
    let attribute = &partition.attribute;
    let groups = |ndcg: &[f64], options: &GroupOptions| -> Option<GroupReport> {
        group_report(attribute, "ndcg@10", &known(ndcg), &partition.names(), options).ok()
    };
    let before = groups(&lists.ndcg_before, &partition.options)?;
    let group = before.groups.iter().find(|row| Some(&row.group) == before.worst.as_ref())?;
    let after = groups(&lists.ndcg_after, &GroupOptions { replicates: AFTER_REPLICATES, ..partition.options });
    let note = after.and_then(|after| after.worst).filter(|name| *name != group.group);
    let note = note.map(|name| format!("with the mitigations the worst group by {attribute} is {name}"));

    // Of the merged row are all whose group has no row of its own.
    let named = |label: &str| before.groups.iter().any(|row| row.group == label);
    let is_member =
        |label: &str| label == group.group || (group.group == mercer_reports::groups::OTHER && !named(label));
    let of_group = |ndcg: &[f64]| -> Vec<Option<f64>> {
        partition.labels.iter().zip(ndcg).filter(|(label, _)| is_member(label)).map(|(_, value)| Some(*value)).collect()
    };
    let (mine, theirs) = (of_group(&lists.ndcg_after), of_group(&lists.ndcg_before));
    let cells = [CellSize { cell: &group.group, users: mine.len() }];
    let draws = TableDraws::of(seed, "price", cells).with_values(mine.iter().chain(&theirs).flatten().copied());
    let text = RowText {
        name: format!("worst-group/{attribute}"),
        label: format!("worst group by {attribute}: {}", group.group),
        formula: WORST,
    };
    let pair = compare_paired(&mine, &theirs, ALPHA, REPLICATES, draws.number("resampling"));
    let mut row = text.row(group.n.unwrap_or(0));
    match pair {
        Ok(pair) => {
            let step = interval_step(pair.interval.low, pair.interval.high).max(FINEST);
            let bounds = outward(pair.interval, step);
            let difference = draws.value("difference", pair.difference, step).clamp(bounds.low, bounds.high);
            row.before = group.mean.value;
            row.after = group.mean.value.map(|before| ((before + difference) * 1e6).round() / 1e6);
            (row.difference, row.p) = (Some(difference), Some(pair.p));
            (row.low, row.high) = (Some(bounds.low), Some(bounds.high));
        }
        Err(reason) => row.undefined = Some(reason.to_string()),
    }
    Some((row, note))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shoppers of whom the last `unknown` declared nothing and are served worse.
    fn lists(unknown: usize, loss: f64) -> (Partition, PricedLists) {
        let labels: Vec<String> = (0..200 + unknown)
            .map(|user| if user >= 200 { "unknown" } else { ["f", "m"][user % 2] }.to_owned())
            .collect();
        let ndcg = |user: usize| if user >= 200 { 0.1 } else { 0.4 } + (user % 9) as f64 / 100.0;
        let ndcg_before: Vec<f64> = (0..labels.len()).map(ndcg).collect();
        let ndcg_after = ndcg_before.iter().map(|value| value - loss).collect();
        let lists = PricedLists { ndcg_before, ndcg_after, ..PricedLists::default() };
        (Partition { attribute: "gender".to_owned(), labels, options: GroupOptions::default() }, lists)
    }

    #[test]
    fn those_who_declared_nothing_can_be_the_worst_group() {
        let (partition, lists) = lists(63, 0.02);
        let (row, note) = worst_group(&partition, &lists, 1).unwrap();
        assert_eq!((row.name.as_str(), row.label.as_str()), ("worst-group/gender", "worst group by gender: unknown"));
        assert!([60, 70].contains(&row.n), "{row:?}");
        assert!((row.before.unwrap() - 0.14).abs() < 0.02 && (row.difference.unwrap() + 0.02).abs() < 0.002, "{row:?}");
        assert_eq!(note, None);
    }

    #[test]
    fn a_group_of_fewer_than_30_is_not_named() {
        let (partition, lists) = lists(12, 0.0);
        let (row, _) = worst_group(&partition, &lists, 1).unwrap();
        assert!(!row.label.contains("unknown"), "{row:?}");
        let (mut one, lists) = self::lists(0, 0.0);
        one.labels.iter_mut().for_each(|label| "f".clone_into(label));
        assert!(worst_group(&one, &lists, 1).is_none());
    }

    #[test]
    fn another_worst_group_after_is_said() {
        let (partition, mut lists) = lists(60, 0.0);
        for (user, value) in lists.ndcg_after.iter_mut().enumerate() {
            *value = if user < 200 && user % 2 == 0 { 0.0 } else { *value };
        }
        let (row, note) = worst_group(&partition, &lists, 1).unwrap();
        assert!(row.label.ends_with("unknown"));
        assert_eq!(note.as_deref(), Some("with the mitigations the worst group by gender is f"));
    }
}
