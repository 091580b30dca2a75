//! The fairness report: quality of lists by declared and consented attributes and by length of history (METRICS.md
//! section 4). Nothing is inferred: users who declared nothing are in the group `unknown`.

use std::collections::{BTreeMap, BTreeSet};

use mercer_rank::Snapshot;
use mercer_reports::{GroupOptions, group_report};
use mercer_shared::wire::{GroupRow, GroupTable, Report, ReportRow, Verdict};

use crate::reports::history_length::HistoryLengths;
use crate::reports::rows::{SEED, interval_row, plain_row};
use crate::reports::window_lists::Lists;
use crate::state::app::App;
use crate::state::shop::ShopState;

/// Tables of the fairness report: one per declared and consented attribute, and one by length of history, which needs none.
pub(crate) fn tables(app: &App, view: &ShopState, snapshot: &Snapshot, from: i64, any: &Lists, report: &mut Report) {
    let values: Vec<Option<f64>> = any.ndcg.iter().copied().map(Some).collect();
    let attributes = protected(app, view, any);
    let options = GroupOptions { seed: SEED, ..GroupOptions::default() };
    let mut reports = Vec::new();
    let mut keep =
        |attribute: &str, outcome: Result<mercer_reports::groups::GroupReport, mercer_reports::Undefined>| match outcome
        {
            Ok(table) => reports.push(table),
            Err(why) => report.notes.push(format!("{attribute}: no comparison, {why}")),
        };
    for attribute in &attributes {
        let groups: Vec<&str> = any
            .users
            .iter()
            .map(|&u| {
                view.subject(u)
                    .filter(|s| s.consent.audit_attributes)
                    .and_then(|s| s.attributes.get(attribute))
                    .map_or(mercer_reports::groups::UNKNOWN, String::as_str)
            })
            .collect();
        keep(attribute, group_report(attribute, "ndcg@10", &values, &groups, &options));
    }
    let target = snapshot.index.summary().target;
    let lengths = HistoryLengths::of(&snapshot.log, target, from, any.users.iter().copied());
    let history: Vec<&str> =
        any.users.iter().map(|&user| if lengths.is_heavy(user) { "heavy" } else { "light" }).collect();
    keep("history", group_report("history", "ndcg@10", &values, &history, &options));
    mercer_reports::groups::holm_over(&mut reports, 0.95);
    report.groups = reports.into_iter().map(table).collect();
    let all = crate::reports::rows::METRICS[0].1;
    report.rows.push(interval_row("ndcg@10/repeat", "ndcg@10, any item, all users", &any.ndcg, &[], all));
    report.rows.extend(report.groups.iter().filter_map(worst));
    report.rows.extend(report.groups.iter().map(gap));
    report.notes.push(format!(
        "history: `light` shoppers bought on at most {} before, `heavy` ones on more; attributes are declared and consented, never \
         inferred",
        lengths.border_days()
    ));
}

/// Attributes to compare by: those that the configuration names, else all that are declared with at least two values.
fn protected(app: &App, view: &ShopState, any: &Lists) -> Vec<String> {
    if !app.config.reports.protected.is_empty() {
        return app.config.reports.protected.clone();
    }
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let audited = any.users.iter().filter_map(|&u| view.subject(u)).filter(|s| s.consent.audit_attributes);
    for (name, value) in audited.flat_map(|s| &s.attributes) {
        values.entry(name).or_default().insert(value);
    }
    values.into_iter().filter(|(_, values)| values.len() > 1).map(|(name, _)| name.to_owned()).collect()
}

/// The group that is served worst: averages hide harm.
fn worst(table: &GroupTable) -> Option<ReportRow> {
    let name = table.worst.as_ref()?;
    let group = table.groups.iter().find(|group| group.group == *name)?;
    let label = format!("worst group by {}: {name}", table.attribute);
    let formula = "mean ndcg@10 of the lowest group of at least 30 users; interval by bootstrap over users";
    let mut row = plain_row(&format!("worst-group/{}", table.attribute), &label, group.mean, group.n as usize, formula);
    (row.low, row.high) = (group.low, group.high);
    Some(row)
}

/// The gap between groups, beside what chance makes of groups of these sizes.
fn gap(table: &GroupTable) -> ReportRow {
    let users = table.groups.iter().map(|group| group.n).sum::<u64>();
    let label = format!("gap between groups by {}", table.attribute);
    let formula = "largest minus smallest group mean (groups of at least 30); baseline: 95th percentile of that gap when users \
                   are dealt to the groups at random; verdict by permutation p with Holm over attributes";
    let mut row = plain_row(&format!("gap/{}", table.attribute), &label, table.gap, users as usize, formula);
    if table.gap.is_none() {
        row.undefined = Some("fewer than two groups are large enough to be compared".to_owned());
    }
    (row.baseline, row.verdict) = (table.noise_floor, Some(table.verdict));
    row
}

fn table(report: mercer_reports::groups::GroupReport) -> GroupTable {
    use mercer_reports::groups::{Display, GroupVerdict};
    GroupTable {
        attribute: report.attribute,
        metric: report.metric,
        groups: report
            .groups
            .into_iter()
            .map(|row| GroupRow {
                group: row.group,
                // The size of a suppressed group is hidden too.
                n: row.n.unwrap_or(0) as u64,
                share: row.share.value.unwrap_or(0.0),
                suppressed: matches!(row.display, Display::Suppressed),
                mean: row.mean.value,
                low: row.interval.as_ref().map(|i| i.low),
                high: row.interval.as_ref().map(|i| i.high),
            })
            .collect(),
        gap: report.gap.value,
        noise_floor: report.noise_floor.value,
        p: report.p.value,
        p_holm: report.p_adjusted,
        worst: report.worst,
        verdict: match report.verdict {
            GroupVerdict::WithinNoise => Verdict::WithinNoise,
            GroupVerdict::AboveNoise => Verdict::AboveNoise,
            GroupVerdict::InsufficientData => Verdict::InsufficientData,
        },
    }
}
