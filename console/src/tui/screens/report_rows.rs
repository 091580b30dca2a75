//! The rows of the screen of reports.

use mercer_shared::wire::{GroupTable, ItemTable, Report, ReportRow};

/// One row of the screen: a number of the report, a table of groups, or a group of one.
#[derive(Debug, Clone, Copy)]
pub(super) enum Row<'a> {
    Head(&'static str),
    Number(&'a ReportRow),
    Table(&'a GroupTable),
    Group(&'a GroupTable, usize),
    Items(&'a ItemTable),
    ItemGroup(&'a ItemTable, usize),
}

/// All rows of a report, in its order.
pub(super) fn rows(report: &Report) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    if !report.summary.is_empty() {
        rows.push(Row::Head(if report.unreliable { "The 12 numbers, with reserve" } else { "The 12 numbers" }));
        rows.extend(report.summary.iter().map(Row::Number));
        rows.push(Row::Head("All numbers of this report"));
    }
    rows.extend(report.rows.iter().map(Row::Number));
    for table in &report.groups {
        rows.push(Row::Table(table));
        rows.extend((0..table.groups.len()).map(|n| Row::Group(table, n)));
    }
    for table in &report.items {
        rows.push(Row::Items(table));
        rows.extend((0..table.groups.len()).map(|n| Row::ItemGroup(table, n)));
    }
    rows
}
