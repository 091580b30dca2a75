//! `mercer report`: every number with its interval, what it rests on and, where there is one, its verdict.

use mercer_shared::client::Client;
use mercer_shared::problem::exit;
use mercer_shared::wire::{GroupTable, Report, ReportKind, Verdict};

use super::out::{Done, Out, Stop};
use super::table::Table;
use crate::text;
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// quality, diversity or fairness.
    pub(crate) kind: ReportKind,
    /// Of this version instead of the serving one.
    #[arg(long, value_name = "VERSION")]
    pub(crate) model: Option<String>,
}

/// Runs the command.
pub(crate) async fn run(args: &ReportArgs, client: &Client, out: &mut Out) -> Done {
    let report = client.report(args.kind, args.model.as_deref()).await?;
    if out.json {
        out.document(&report)?;
    } else {
        print(&report, out)?;
    }
    Ok(exit::OK)
}

fn said(verdict: Option<Verdict>) -> Option<String> {
    verdict.map(|verdict| text::word(&verdict))
}

/// Prints a report for people.
pub(crate) fn print(report: &Report, out: &mut Out) -> Result<(), Stop> {
    out.heading(&format!(
        "{} of {}, computed {}",
        text::word(&report.kind),
        report.model,
        text::moment(report.created)
    ))?;
    out.line(format!(
        "{}, window {} to {}",
        text::plural(report.users, "shopper", "shoppers"),
        text::maybe_moment(report.from),
        text::maybe_moment(report.to)
    ))?;
    if !report.rows.is_empty() {
        let mut table = Table::new()
            .text("name")
            .title("what")
            .number("value")
            .text("95 % interval")
            .number("n")
            .number(if report.kind == ReportKind::Fairness { "noise floor" } else { "popularity" })
            .text("verdict");
        for row in &report.rows {
            let value = if row.undefined.is_some() { "undefined".to_owned() } else { text::maybe(row.value) };
            let why = row.undefined.as_ref().map(|why| format!("undefined: {why}"));
            let words: Vec<_> = [said(row.verdict), why].into_iter().flatten().collect();
            table.row([
                row.name.clone(),
                row.label.clone(),
                value,
                text::interval(row.low, row.high),
                text::count(row.n),
                text::maybe(row.baseline),
                words.join("; "),
            ]);
        }
        table.print(out)?;
    }
    report.groups.iter().try_for_each(|group| groups(group, out))?;
    report.notes.iter().try_for_each(|note| out.line(format!("note: {}", text::clean(note))))
}

fn groups(groups: &GroupTable, out: &mut Out) -> Result<(), Stop> {
    out.line("")?;
    out.heading(&format!(
        "{} by {}: {}",
        text::clean(&groups.metric),
        text::clean(&groups.attribute),
        text::word(&groups.verdict)
    ))?;
    let mut table = Table::new().text("group").number("n").number("share").number("mean").text("95 % interval");
    for group in &groups.groups {
        let mean = if group.suppressed { "too few".to_owned() } else { text::maybe(group.mean) };
        table.row([
            group.group.clone(),
            text::count(group.n),
            text::percent(group.share),
            mean,
            text::interval(group.low, group.high),
        ]);
    }
    table.print(out)?;
    out.line(format!(
        "gap {}, noise floor {}, p {}, after Holm {}, served worst: {}",
        text::maybe(groups.gap),
        text::maybe(groups.noise_floor),
        groups.p.map_or_else(|| "-".to_owned(), text::p_value),
        groups.p_holm.map_or_else(|| "-".to_owned(), text::p_value),
        groups.worst.as_deref().map_or_else(|| "-".to_owned(), text::clean)
    ))
}
