//! What leaves the host: counts with noise, small groups left out, notes without counts (METRICS.md section 5, "DP reports").
//!
//! The guarantee covers counts of users. Means and intervals are not noised; the export says so. One user is part of at most one group of
//! each table, of the total, and of each other count of a row: that many cells bound the sensitivity.

use std::collections::BTreeMap;

use mercer_shared::wire::{
    DifferenceRow, DifferenceWord, ExportPrivacy, GroupFinding, GroupRow, GroupTable, Report, ReportDifference,
};

use crate::reports::export::noise::NoisedCounts;
use crate::reports::group_members::{of_table, places};
use crate::state::problems::Answer;
use crate::state::report_cache::GroupFacts;

/// Groups with a smaller noised count are left out.
pub(crate) const THRESHOLD: u64 = 10;

/// Adds noise: exact counts, cells per user.
pub(crate) type AddNoise<'a> = &'a dyn Fn(&[u64], u32) -> Answer<NoisedCounts>;

/// A report as it may leave the host.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Protected {
    /// The report.
    pub(crate) report: Report,
    /// The difference, where there is one.
    pub(crate) difference: Option<ReportDifference>,
    /// What was done.
    pub(crate) privacy: ExportPrivacy,
}

/// The words for an export of exact numbers.
pub(crate) fn exact() -> ExportPrivacy {
    ExportPrivacy {
        exact: true,
        epsilon: None,
        unit: None,
        cells_per_user: None,
        mechanism: None,
        scale: None,
        threshold: None,
        suppressed: 0,
        spent_today: None,
        daily_budget: None,
        notes: vec!["exact counts: for people who may see them; not for publication".to_owned()],
    }
}

/// Rows of a difference that are of one group; their counts are those of the table.
fn of_group(row: &DifferenceRow) -> bool {
    row.name.starts_with("group/")
}

/// Puts the exact counts in place of those that are rounded: a rounded count can change by ten where one user does.
fn with_exact_counts(report: &mut Report, difference: Option<&mut ReportDifference>, facts: &GroupFacts) {
    let exact = |name: &str, count: &mut u64| *count = facts.exact.get(name).copied().unwrap_or(*count);
    report.rows.iter_mut().chain(&mut report.summary).for_each(|row| exact(&row.name, &mut row.n));
    difference.into_iter().flat_map(|difference| &mut difference.rows).for_each(|row| exact(&row.name, &mut row.n));
    for table in &mut report.groups {
        let Some(members) = of_table(facts, &table.attribute) else { continue };
        let counts: Vec<u64> = table.groups.iter().map(|row| places(members, table, row).len() as u64).collect();
        for (group, count) in table.groups.iter_mut().zip(counts).filter(|(group, _)| counted(group)) {
            group.n = Some(count);
        }
    }
}

/// Counts of a report that are not those of groups: each distinct one is a cell.
fn row_counts(report: &Report, difference: Option<&ReportDifference>) -> BTreeMap<u64, u64> {
    let rows = report.rows.iter().chain(&report.summary).map(|row| row.n);
    let paired = difference.iter().flat_map(|difference| &difference.rows);
    let paired = paired.filter(|row| !of_group(row)).map(|row| row.n);
    std::iter::once(report.users).chain(rows).chain(paired).map(|count| (count, 0)).collect()
}

/// Whether a count of a group is in the report at all.
fn counted(group: &GroupRow) -> bool {
    !group.suppressed
}

/// Adds noise to all counts and leaves out what is too small. `facts` has the exact counts of what the report tells rounded.
///
/// # Errors
/// What `noise` fails with.
pub(crate) fn protect(
    mut report: Report,
    mut difference: Option<ReportDifference>,
    facts: &GroupFacts,
    noise: AddNoise<'_>,
) -> Answer<Protected> {
    with_exact_counts(&mut report, difference.as_mut(), facts);
    let mut counts = row_counts(&report, difference.as_ref());
    let cells = (counts.len() + report.groups.len()) as u32;
    let groups = report.groups.iter().flat_map(|table| &table.groups).filter(|group| counted(group));
    let all: Vec<u64> = counts.keys().copied().chain(groups.map(|group| group.n.unwrap_or(0))).collect();
    let NoisedCounts { counts: noised, scale, epsilon } = noise(&all, cells)?;
    let mut noised = noised.into_iter();
    counts.values_mut().zip(&mut noised).for_each(|(place, count)| *place = count);

    let now = |count: u64| counts.get(&count).copied().unwrap_or(0);
    report.users = now(report.users);
    for row in report.rows.iter_mut().chain(&mut report.summary) {
        row.n = now(row.n);
        // The number of those without a value would need a cell of its own.
        row.n_total = None;
        // A share of two exact counts.
        if row.name == "report-health" {
            row.value = None;
            row.undefined = Some("withheld: it is a share of exact counts".to_owned());
        }
    }
    // Purchases of one shopper are any number of these.
    report.items.iter_mut().flat_map(|table| &mut table.groups).for_each(|group| group.relevant = None);
    let paired = difference.iter_mut().flat_map(|difference| &mut difference.rows);
    paired.filter(|row| !of_group(row)).for_each(|row| row.n = now(row.n));
    let mut suppressed = 0;
    for table in &mut report.groups {
        for group in table.groups.iter_mut().filter(|group| counted(group)) {
            group.n = Some(noised.next().unwrap_or(0));
        }
        suppressed += leave_out(table);
    }
    for row in report.rows.iter_mut().chain(&mut report.summary) {
        if let Some(attribute) = row.name.strip_prefix("worst-group/")
            && report.groups.iter().any(|table| table.attribute == attribute && table.worst.is_none())
        {
            (row.value, row.low, row.high) = (None, None, None);
            row.label = format!("worst group by {attribute}");
            row.undefined = Some("suppressed: the group is too small to leave the host".to_owned());
        }
    }
    difference.iter_mut().flat_map(|difference| &mut difference.rows).for_each(|row| as_in_tables(row, &report.groups));
    let mut dropped = without_counts(&mut report.notes);
    dropped += difference.as_mut().map_or(0, |difference| without_counts(&mut difference.notes));
    let privacy = ExportPrivacy {
        exact: false,
        epsilon: Some(epsilon),
        unit: Some("user".to_owned()),
        cells_per_user: Some(u64::from(cells)),
        mechanism: Some("discrete Laplace".to_owned()),
        scale: Some(scale),
        threshold: Some(THRESHOLD),
        suppressed,
        spent_today: None,
        daily_budget: None,
        notes: words(dropped),
    };
    Ok(Protected { report, difference, privacy })
}

/// The difference of a group goes with the group: its noised count, or nothing.
fn as_in_tables(row: &mut DifferenceRow, tables: &[GroupTable]) {
    let group = |table: &GroupTable, group: &GroupRow| format!("group/{}/{}", table.attribute, group.group) == row.name;
    let shown = tables.iter().flat_map(|table| table.groups.iter().map(move |one| (table, one)));
    let found = shown.filter(|(_, one)| counted(one)).find(|(table, one)| group(table, one)).map(|(_, one)| one.n);
    let worst = row.name.strip_prefix("worst-group/");
    let hidden =
        worst.is_some_and(|attribute| tables.iter().any(|table| table.attribute == attribute && table.worst.is_none()));
    if of_group(row) {
        row.n = found.flatten().unwrap_or(0);
    }
    if hidden || (of_group(row) && found.is_none()) {
        (row.value, row.against, row.difference, row.n) = (None, None, None, 0);
        (row.low, row.high, row.p, row.minimum_detectable) = (None, None, None, None);
        row.verdict = DifferenceWord::NoInterval;
        row.undefined = Some("suppressed: the group is too small to leave the host".to_owned());
    }
    if let Some(attribute) = worst.filter(|_| hidden) {
        row.label = format!("worst group by {attribute}");
    }
}

fn words(dropped: usize) -> Vec<String> {
    let mut notes = vec![
        "noised: every number of users (n), and the shares made from them".to_owned(),
        "rows that rest on the same users show one noised number; that they do is told exactly".to_owned(),
        "not noised, and not covered by epsilon: means, intervals, gaps, p and curves".to_owned(),
        "several exports add up: epsilon of each counts, also over days".to_owned(),
    ];
    if dropped > 0 {
        notes.push(format!("left out: {dropped} of the report's notes, because they name numbers"));
    }
    notes
}

/// Leaves out groups below the threshold, and where that hides a single one also the smallest other: one hidden cell and a total reveal it.
/// Shares follow the noised counts. Returns how many groups were left out here.
fn leave_out(table: &mut GroupTable) -> u64 {
    let mut hidden: Vec<String> = Vec::new();
    for group in table.groups.iter_mut().filter(|group| counted(group) && group.n < Some(THRESHOLD)) {
        hidden.push(group.group.clone());
        hide(group);
    }
    let all = table.groups.iter().filter(|group| group.suppressed).count();
    if all == 1
        && let Some(smallest) = table.groups.iter_mut().filter(|group| counted(group)).min_by_key(|group| group.n)
    {
        hidden.push(smallest.group.clone());
        hide(smallest);
    }
    let total: u64 = table.groups.iter().filter_map(|group| group.n).sum();
    for group in &mut table.groups {
        group.share = group.n.filter(|_| total > 0).map(|n| n as f64 / total as f64);
    }
    if table.worst.as_ref().is_some_and(|worst| hidden.contains(worst)) {
        table.worst = None;
    }
    hidden.len() as u64
}

fn hide(group: &mut GroupRow) {
    group.suppressed = true;
    (group.n, group.share) = (None, None);
    (group.p, group.p_holm, group.finding) = (None, None, GroupFinding::NotTested);
    (group.mean, group.low, group.high) = (None, None, None);
}

/// Removes the notes that name numbers: they may be exact counts. Returns how many.
fn without_counts(notes: &mut Vec<String>) -> usize {
    let before = notes.len();
    notes.retain(|note| !note.contains(|c: char| c.is_ascii_digit()));
    before - notes.len()
}
