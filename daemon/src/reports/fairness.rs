//! The fairness report, user side: quality of the lists as served, by groups of shoppers (METRICS.md section 4). The item side is in
//! `item_side`.

use std::collections::BTreeMap;

use mercer_reports::groups::{GroupReport, GroupVerdict, holm_over};
use mercer_reports::resample::percentile_interval;
use mercer_reports::table_rounding::{CellSize, TableDraws, mean_step, outward};
use mercer_reports::{GroupOptions, Measure, bootstrap_statistic, group_report};
use mercer_shared::wire::{GroupFinding, GroupRow, GroupTable, Reference, Report, ReportRow, Verdict};

use crate::reports::evaluated::Evaluated;
use crate::reports::group_members::places;
use crate::reports::history_groups::{HEAVY, HistoryGroups, NEW, history_groups};
use crate::reports::rounding::secret_seed;
use crate::reports::rows::{REPLICATES, interval_row, plain_row};
use crate::reports::user_groups::{Partition, by_training, partitions};
use crate::state::problems::Answer;
use crate::state::report_cache::{GroupFacts, GroupMembers};

/// Level of intervals and tests.
const LEVEL: f64 = 0.95;

/// Tables and rows of the user side, and what they rest on.
///
/// # Errors
/// As [`Evaluated::training_refusers`].
pub(crate) fn user_side(evaluated: &Evaluated<'_>, report: &mut Report) -> Answer<GroupFacts> {
    let any = &evaluated.any;
    let history = history_groups(&evaluated.shoppers());
    let (mut reports, mut facts) = (Vec::new(), GroupFacts::default());
    for (partition, members) in measured(evaluated, &history, &mut report.notes)? {
        let values: Vec<Option<f64>> = members.values.iter().copied().map(Some).collect();
        match group_report(&partition.attribute, "ndcg@10", &values, &partition.names(), &partition.options) {
            Ok(table) => {
                reports.push(table);
                facts.members.push(members);
            }
            Err(why) => report.notes.push(format!("{}: no comparison, {why}", partition.attribute)),
        }
    }
    holm_over(&mut reports, LEVEL);
    report.groups = reports.into_iter().map(table).collect();
    let all = crate::reports::rows::METRICS[0].1;
    report.rows.push(interval_row("ndcg@10/repeat", "ndcg@10, any item, all users", &any.ndcg, &[], all));
    let first = most_telling(&report.groups);
    for (place, table) in report.groups.iter().enumerate() {
        let numbered = |number| (first == Some(place)).then_some(number);
        report.rows.extend(worst(table).map(|row| ReportRow { number: numbered(2), ..row }));
        report.rows.push(ReportRow { number: numbered(3), ..gap(table) });
    }
    let (row, exact) = new_against_heavy(&history, &any.ndcg, secret_seed(evaluated.app, "heavy-minus-new"));
    facts.exact.insert(row.name.clone(), exact);
    report.rows.push(row);
    facts.exact.extend(exact_counts(&report.groups, &facts.members));
    report.notes.extend(history.iter().map(HistoryGroups::words));
    if history.is_empty() {
        report.notes.push(
            "history: all shoppers measured bought on as many days, so new and heavy ones cannot be told apart"
                .to_owned(),
        );
    }
    report.notes.push(
        "attributes are declared and consented, never inferred; who refused personalisation is measured on the list that an unknown visitor \
         gets, as served"
            .to_owned(),
    );
    Ok(facts)
}

/// The partitions with the users and values of each. Those who refused training have a table of their own, because no other number rests
/// on them.
fn measured(
    evaluated: &Evaluated<'_>,
    history: &[HistoryGroups],
    notes: &mut Vec<String>,
) -> Answer<Vec<(Partition, GroupMembers)>> {
    let any = &evaluated.any;
    let of = |partition: Partition, users: Vec<u32>, values: Vec<f64>| {
        let (attribute, labels) = (partition.attribute.clone(), partition.labels.clone());
        (partition, GroupMembers { attribute, users, labels, values })
    };
    let found = partitions(&evaluated.shoppers(), history, notes).into_iter();
    let mut tables: Vec<_> = found.map(|partition| of(partition, any.users.clone(), any.ndcg.clone())).collect();
    let refusers = evaluated.training_refusers()?;
    if !refusers.users.is_empty() {
        let partition = by_training(evaluated.app, any.users.len(), refusers.users.len());
        let users = any.users.iter().chain(&refusers.users).copied().collect();
        let values = any.ndcg.iter().chain(&refusers.ndcg).copied().collect();
        tables.push(of(partition, users, values));
        notes.push(
            "training: who refused it is measured on the list as served, from the own history, and only in this table"
                .to_owned(),
        );
    }
    Ok(tables)
}

/// Exact numbers of users of the rows on tables.
fn exact_counts(tables: &[GroupTable], members: &[GroupMembers]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for (table, members) in tables.iter().zip(members) {
        let users = |row: &GroupRow| places(members, table, row).len() as u64;
        counts.insert(format!("gap/{}", table.attribute), table.groups.iter().map(users).sum());
        let worst = table.groups.iter().find(|row| Some(&row.group) == table.worst.as_ref());
        counts.extend(worst.map(|row| (format!("worst-group/{}", table.attribute), users(row))));
    }
    counts
}

/// The table that the operator's numbers 2 and 3 are of: above noise first, then the smallest p, then the lowest mean.
fn most_telling(tables: &[GroupTable]) -> Option<usize> {
    let worst = |table: &GroupTable| table.groups.iter().filter_map(|group| group.mean).fold(f64::INFINITY, f64::min);
    let rank = |table: &GroupTable| (table.verdict != Verdict::AboveNoise, table.p_holm.unwrap_or(2.0), worst(table));
    (0..tables.len()).filter(|&place| tables[place].worst.is_some()).min_by(|&a, &b| {
        let (a, b) = (rank(&tables[a]), rank(&tables[b]));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.total_cmp(&b.2))
    })
}

/// The group that is served worst: averages hide harm.
fn worst(table: &GroupTable) -> Option<ReportRow> {
    let name = table.worst.as_ref()?;
    let group = table.groups.iter().find(|group| group.group == *name)?;
    let label = format!("worst group by {}: {name}", table.attribute);
    let formula = "mean ndcg@10 of the lowest group of at least 30 users, of those found below the others if there are any; interval by \
                   bootstrap over users; verdict by the group's permutation p against all others, Holm over the groups";
    let users = group.n.unwrap_or(0) as usize;
    let mut row = plain_row(&format!("worst-group/{}", table.attribute), &label, group.mean, users, formula);
    (row.low, row.high) = (group.low, group.high);
    row.verdict = Some(match group.finding {
        GroupFinding::Below => Verdict::AboveNoise,
        GroupFinding::NotTested => Verdict::InsufficientData,
        _ => Verdict::WithinNoise,
    });
    Some(row)
}

/// The gap between groups, beside what chance makes of groups of these sizes.
fn gap(table: &GroupTable) -> ReportRow {
    let users: u64 = table.groups.iter().filter_map(|group| group.n).sum();
    let label = format!("gap between groups by {}", table.attribute);
    let formula = "largest minus smallest group mean (groups of at least 30, `unknown` among them); baseline: 95th percentile of that gap \
                   when users are dealt to the groups at random; verdict by permutation p, of the gap or of the largest standardised \
                   difference of a group from all others (the smaller, doubled), Holm over attributes";
    let mut row = plain_row(&format!("gap/{}", table.attribute), &label, table.gap, users as usize, formula);
    if table.gap.is_none() {
        row.undefined = Some("fewer than two groups are large enough to be compared".to_owned());
    }
    (row.baseline, row.verdict) = (table.noise_floor, Some(table.verdict));
    row
}

/// The means of new and of heavy shoppers: always measurable, without any attribute. Also how many they are exactly.
fn new_against_heavy(history: &[HistoryGroups], ndcg: &[f64], seed: u64) -> (ReportRow, u64) {
    let formula = "mean ndcg@10 of heavy less that of new shoppers, by distinct days with a purchase before the window (cut points: \
                   quartiles of the log); interval by bootstrap over users; baseline: the gap that chance makes; verdict by permutation";
    let row = plain_row("heavy-minus-new", "heavy less new shoppers", None, 0, formula);
    let row = ReportRow { number: Some(4), ..row };
    let Some(groups) = history.first() else {
        let undefined = Some("all shoppers have histories of the same length".to_owned());
        return (ReportRow { undefined, ..row }, 0);
    };
    let of = |group: &str| -> Vec<f64> {
        groups.labels.iter().zip(ndcg).filter(|(label, _)| **label == group).map(|(_, value)| *value).collect()
    };
    let (new, heavy) = (of(NEW), of(HEAVY));
    let values: Vec<Option<f64>> = new.iter().chain(&heavy).copied().map(Some).collect();
    let labels: Vec<&str> = vec![NEW; new.len()].into_iter().chain(vec![HEAVY; heavy.len()]).collect();
    let options = GroupOptions { seed, ..GroupOptions::default() };
    let exact = values.len() as u64;
    let cells = [CellSize { cell: NEW, users: new.len() }, CellSize { cell: HEAVY, users: heavy.len() }];
    let sizes = TableDraws::of(seed, "history", cells);
    let n = cells.iter().map(|one| sizes.size(one.cell, one.users) as u64).sum();
    let Ok(table) = group_report("history", "ndcg@10", &values, &labels, &options) else { return (row, exact) };
    if table.p.value.is_none() {
        let undefined = Some("fewer than 30 new or 30 heavy shoppers".to_owned());
        return (ReportRow { n, undefined, verdict: Some(Verdict::InsufficientData), ..row }, exact);
    }
    let draws = sizes.with_values(values.iter().flatten().copied());
    let step = mean_step(new.len().min(heavy.len()));
    let both: Vec<f64> = values.into_iter().flatten().collect();
    let difference = |weights: &[u32]| -> Measure {
        let (of_new, of_heavy) = weights.split_at(new.len());
        Ok(mercer_reports::resample::weighted_mean(&both[new.len()..], of_heavy)?
            - mercer_reports::resample::weighted_mean(&both[..new.len()], of_new)?)
    };
    let value = difference(&vec![1; both.len()]).ok();
    let sample = bootstrap_statistic(both.len(), REPLICATES, draws.number("resampling"), difference);
    let interval = percentile_interval(&sample, LEVEL).ok().map(|interval| outward(interval, step));
    let row = ReportRow {
        value: value.map(|value| draws.value("difference", value, step)),
        n,
        low: interval.map(|interval| interval.low),
        high: interval.map(|interval| interval.high),
        baseline: table.noise_floor.value,
        verdict: Some(verdict(table.verdict)),
        reference: mercer_reports::mean(&new)
            .ok()
            .map(|mean| draws.value(NEW, mean, step))
            .map(|value| Reference { label: "mean of new shoppers".to_owned(), value }),
        ..row
    };
    (row, exact)
}

const fn verdict(verdict: GroupVerdict) -> Verdict {
    match verdict {
        GroupVerdict::WithinNoise => Verdict::WithinNoise,
        GroupVerdict::AboveNoise => Verdict::AboveNoise,
        GroupVerdict::InsufficientData => Verdict::InsufficientData,
    }
}

fn table(report: GroupReport) -> GroupTable {
    use mercer_reports::groups::{Display, Finding, UNKNOWN};
    let not_compared = report.not_compared().map(|row| row.group.clone()).collect();
    let row = |row: mercer_reports::groups::GroupRow| GroupRow {
        // The value that fewer than ten declared may name one of them; that others declared none names nobody.
        group: if row.display == Display::Suppressed && row.group != UNKNOWN {
            "(too few)".to_owned()
        } else {
            row.group
        },
        n: row.n.map(|n| n as u64),
        share: row.share.value,
        suppressed: row.display == Display::Suppressed,
        mean: row.mean.value,
        low: row.interval.map(|interval| interval.low),
        high: row.interval.map(|interval| interval.high),
        compared: Some(row.compared),
        p: row.p,
        p_holm: row.p_adjusted,
        finding: match row.finding {
            Finding::Below => GroupFinding::Below,
            Finding::Above => GroupFinding::Above,
            Finding::Within => GroupFinding::Within,
            Finding::NotTested => GroupFinding::NotTested,
        },
    };
    GroupTable {
        attribute: report.attribute,
        metric: report.metric,
        groups: report.groups.into_iter().map(row).collect(),
        gap: report.gap.value,
        noise_floor: report.noise_floor.value,
        p: report.p.value,
        p_any: report.p_any.value,
        p_holm: report.p_adjusted,
        worst: report.worst,
        verdict: verdict(report.verdict),
        not_compared,
        rounded: true,
        may_gate: report.may_gate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reports::history_groups::Cuts;

    fn history(days: &[u32]) -> Vec<HistoryGroups> {
        let cuts = Cuts::of(days).unwrap();
        vec![HistoryGroups { unit: "days", cuts, labels: days.iter().map(|day| cuts.group(*day)).collect() }]
    }

    #[test]
    fn a_twofold_gap_by_shopping_days_is_found() {
        // .261 for one day, .527 for ten and more: the case in which counting lines hid the gap.
        let days: Vec<u32> = (0..400).map(|user| [1, 3, 5, 10][user % 4]).collect();
        let ndcg: Vec<f64> =
            (0..400).map(|user| [0.26, 0.38, 0.4, 0.53][user % 4] + (user % 7) as f64 * 0.01 - 0.03).collect();
        let (row, exact) = new_against_heavy(&history(&days), &ndcg, 1);
        assert!((row.value.unwrap() - 0.27).abs() < 0.016 && row.low.unwrap() > 0.2, "{row:?}");
        assert_eq!(exact, 200);
        assert_eq!((row.verdict, row.number, row.n), (Some(Verdict::AboveNoise), Some(4), 200));
        assert!(row.baseline.unwrap() < row.value.unwrap());
    }

    #[test]
    fn too_few_new_shoppers_are_not_judged() {
        let (row, _) = new_against_heavy(&history(&[1, 2, 3, 4]), &[0.1, 0.2, 0.3, 0.4], 1);
        assert_eq!((row.value, row.verdict), (None, Some(Verdict::InsufficientData)));
        let (none, _) = new_against_heavy(&[], &[0.1], 1);
        assert!(none.value.is_none() && none.undefined.is_some());
    }

    #[test]
    fn the_operators_numbers_are_of_the_table_above_noise() {
        let of = |attribute: &str, verdict, p| GroupTable {
            attribute: attribute.to_owned(),
            verdict,
            p_holm: Some(p),
            worst: Some("x".to_owned()),
            ..GroupTable::default()
        };
        let tables = [of("a", Verdict::WithinNoise, 0.04), of("b", Verdict::AboveNoise, 0.049)];
        assert_eq!(most_telling(&tables), Some(1));
        assert_eq!(most_telling(&[GroupTable::default()]), None);
    }
}
