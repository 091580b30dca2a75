//! Tables of `mercer report`: numbers, groups of shoppers, groups of items.

use mercer_shared::wire::{
    GroupFinding, GroupRow, GroupTable, ItemTable, PreviousValue, Report, ReportKind, ReportRow,
};

use super::out::{Out, Stop};
use super::table::Table;
use crate::text;

/// Prints all tables of a report.
pub(crate) fn print(report: &Report, out: &mut Out) -> Result<(), Stop> {
    if !report.summary.is_empty() {
        out.line("")?;
        out.heading(if report.unreliable {
            "the 12 numbers: number 12 is unhealthy, so read the others with reserve"
        } else {
            "the 12 numbers"
        })?;
        numbers(&report.summary, "baseline", out)?;
        out.line("")?;
    }
    if !report.rows.is_empty() {
        numbers(&report.rows, baseline(report.kind), out)?;
    }
    report.groups.iter().try_for_each(|table| groups(table, out))?;
    report.items.iter().try_for_each(|table| items(table, out))
}

/// What a number of a report is compared with.
const fn baseline(kind: ReportKind) -> &'static str {
    match kind {
        ReportKind::Fairness => "noise floor",
        ReportKind::Quality | ReportKind::Diversity => "popularity",
        ReportKind::Privacy | ReportKind::Data => "baseline",
    }
}

fn numbers(rows: &[ReportRow], baseline: &'static str, out: &mut Out) -> Result<(), Stop> {
    // Without a version before, no column for it.
    let compared = rows.iter().any(|row| row.previous.is_some());
    let mut table = Table::new()
        .number("no.")
        .above()
        .label("name")
        .label("what")
        .number("value")
        .text("95 % interval")
        .number("n")
        .number(baseline);
    if compared {
        table = table.text("before").below();
    }
    table = table.words("verdict");
    for row in rows {
        let value = if row.undefined.is_some() { "undefined".to_owned() } else { text::maybe(row.value) };
        let mut cells = vec![
            row.number.map(|number| number.to_string()).unwrap_or_default(),
            row.name.clone(),
            row.label.clone(),
            value,
            text::interval(row.low, row.high),
            n(row),
            text::maybe(row.baseline),
        ];
        if compared {
            cells.push(row.previous.as_ref().map(before).unwrap_or_default());
        }
        cells.push(words(row));
        table.row(cells);
    }
    table.print(out)?;
    rows.iter().filter_map(|row| Some((row, row.reference.as_ref()?))).try_for_each(|(row, r)| {
        out.sentence(format!("{}: {} {}", row.name, text::clean(&r.label), text::value(r.value)))
    })
}

/// Units used, and of how many where some have no value.
fn n(row: &ReportRow) -> String {
    match row.n_total {
        Some(total) if total != row.n => format!("{}/{}", text::count(row.n), text::count(total)),
        _ => text::count(row.n),
    }
}

/// The value of the version before. A report names its window; where the two differ, that is said.
pub(crate) fn before(previous: &PreviousValue) -> String {
    let window = if previous.same_window { "" } else { ", other window" };
    format!("{} ({}{window})", text::value(previous.value), text::clean(&previous.model))
}

/// Verdict, change against the version before, and why there is no value.
pub(crate) fn words(row: &ReportRow) -> String {
    let verdict = row.verdict.map(|verdict| text::word(&verdict));
    let change = row.previous.as_ref().and_then(|previous| previous.verdict).map(|verdict| text::word(&verdict));
    let change = change.filter(|word| word.ends_with("before"));
    let why = row.undefined.as_ref().map(|why| format!("undefined: {why}"));
    [verdict, change, why].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// What is found about a group, in words.
pub(crate) fn finding(group: &GroupRow) -> &'static str {
    match (group.finding, group.compared) {
        (GroupFinding::Below, Some(false)) => "below the others, by interval only",
        (GroupFinding::Above, Some(false)) => "above the others, by interval only",
        (GroupFinding::Below, _) => "below the others",
        (GroupFinding::Above, _) => "above the others",
        (GroupFinding::Within, _) => "within noise",
        (GroupFinding::NotTested, Some(_)) => "not compared",
        // A report of an older program.
        (GroupFinding::NotTested, None) => "",
    }
}

fn groups(groups: &GroupTable, out: &mut Out) -> Result<(), Stop> {
    out.line("")?;
    out.heading(&format!(
        "{} by {}: {}",
        text::clean(&groups.metric),
        text::clean(&groups.attribute),
        text::word(&groups.verdict)
    ))?;
    let mut table = Table::new()
        .label("group")
        .number("n")
        .number("share")
        .number("mean")
        .text("95 % interval")
        .number("p (Holm)")
        .words("against the others");
    for group in &groups.groups {
        if group.suppressed {
            let suppressed = || "suppressed".to_owned();
            table.row([
                group.group.clone(),
                suppressed(),
                String::new(),
                suppressed(),
                String::new(),
                String::new(),
                finding(group).to_owned(),
            ]);
            continue;
        }
        table.row([
            group.group.clone(),
            group.n.map(text::count).unwrap_or_default(),
            group.share.map(text::percent).unwrap_or_default(),
            text::maybe(group.mean),
            text::interval(group.low, group.high),
            group.p_holm.map(text::p_value).unwrap_or_default(),
            finding(group).to_owned(),
        ]);
    }
    table.print(out)?;
    let p = |p: Option<f64>| p.map_or_else(|| "-".to_owned(), text::p_value);
    out.sentence(format!(
        "gap {}, noise floor {}, p of the gap {}, of any group {}, verdict after Holm {}, served worst: {}",
        text::maybe(groups.gap),
        text::maybe(groups.noise_floor),
        p(groups.p),
        p(groups.p_any),
        p(groups.p_holm),
        groups.worst.as_deref().map_or_else(|| "-".to_owned(), text::clean)
    ))?;
    if !groups.not_compared.is_empty() {
        let names: Vec<String> = groups.not_compared.iter().map(|name| text::clean(name)).collect();
        out.sentence(format!("not compared, fewer than 30 shoppers: {}", names.join(", ")))?;
    }
    if groups.rounded {
        out.sentence("sizes are rounded at random to tens, means and bounds to steps that one shopper cannot change for certain; below 30 shoppers bounds are outward to .05")?;
    }
    Ok(())
}

fn items(items: &ItemTable, out: &mut Out) -> Result<(), Stop> {
    out.line("")?;
    let heading = format!(
        "exposure by {}: largest {} with {}, concentration (HHI) {}",
        text::clean(&items.by.replace('_', " ")),
        items.top.as_deref().map_or_else(|| "-".to_owned(), text::clean),
        items.top_share.map_or_else(|| "-".to_owned(), text::percent),
        text::maybe(items.hhi)
    );
    out.sentence(out.bold(&heading))?;
    let mut table = Table::new()
        .label("group")
        .number("items")
        .number("bought")
        .number("of items")
        .below()
        .number("of relevance")
        .number("of exposure")
        .number("merit ratio")
        .text("interval")
        .number("other model")
        .below()
        .words("verdict");
    for group in &items.groups {
        table.row([
            group.group.clone(),
            text::count(group.items),
            group.relevant.map(text::count).unwrap_or_default(),
            text::percent(group.catalogue_share),
            text::percent(group.relevance_share),
            text::percent(group.exposure_share),
            text::maybe(group.merit_ratio),
            text::interval(group.low, group.high),
            text::maybe(group.other_ratio),
            text::word(&group.verdict),
        ]);
    }
    table.print(out)?;
    out.sentence(format!(
        "merit ratio: exposure per relevance over that of all others; exposure {}, other model {}; {} with fewer than 30 purchases not compared",
        items.exposure_model,
        items.other_model,
        text::plural(items.not_compared, "group", "groups")
    ))
}

/// Prints a report for people.
pub(crate) fn whole(report: &Report, out: &mut Out) -> Result<(), Stop> {
    out.heading(&format!(
        "{} of {}, computed {}",
        text::word(&report.kind),
        report.model,
        text::moment(report.created)
    ))?;
    out.sentence(format!(
        "{}, window {} to {}",
        text::plural(report.users, "shopper", "shoppers"),
        text::maybe_moment(report.from),
        text::maybe_moment(report.to)
    ))?;
    print(report, out)?;
    report.notes.iter().try_for_each(|note| out.sentence(format!("note: {}", text::clean(note))))
}
