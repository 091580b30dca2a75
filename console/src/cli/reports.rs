//! `mercer report`: every number with its interval, what it rests on and, where there is one, its verdict.

use mercer_shared::client::Client;
use mercer_shared::problem::exit;
use mercer_shared::wire::{GroupTable, Report, ReportKind, Verdict};

use super::args::ReportArgs;
use super::out::{Done, Out, Stop};
use super::table::Table;
use super::text::{clean, count, interval, maybe, maybe_moment, moment, word};

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
    verdict.map(|verdict| word(&verdict))
}

/// Prints a report for people.
pub(crate) fn print(report: &Report, out: &mut Out) -> Result<(), Stop> {
    out.heading(&format!("{} of {}, computed {}", word(&report.kind), report.model, moment(report.created)))?;
    out.line(format!(
        "{} users, window {} to {}",
        count(report.users),
        maybe_moment(report.from),
        maybe_moment(report.to)
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
            let value = if row.undefined.is_some() { "undefined".to_owned() } else { maybe(row.value) };
            let why = row.undefined.as_ref().map(|why| format!("undefined: {why}"));
            let words: Vec<_> = [said(row.verdict), why].into_iter().flatten().collect();
            table.row([
                row.name.clone(),
                row.label.clone(),
                value,
                interval(row.low, row.high),
                count(row.n),
                maybe(row.baseline),
                words.join("; "),
            ]);
        }
        table.print(out)?;
    }
    report.groups.iter().try_for_each(|group| groups(group, out))?;
    report.notes.iter().try_for_each(|note| out.line(format!("note: {}", clean(note))))
}

fn groups(groups: &GroupTable, out: &mut Out) -> Result<(), Stop> {
    out.line("")?;
    out.heading(&format!("{} by {}: {}", clean(&groups.metric), clean(&groups.attribute), word(&groups.verdict)))?;
    let mut table = Table::new().text("group").number("n").number("share").number("mean").text("95 % interval");
    for group in &groups.groups {
        let mean = if group.suppressed { "too few".to_owned() } else { maybe(group.mean) };
        table.row([
            group.group.clone(),
            count(group.n),
            format!("{:.1} %", 100.0 * group.share),
            mean,
            interval(group.low, group.high),
        ]);
    }
    table.print(out)?;
    out.line(format!(
        "gap {}, noise floor {}, p {}, after Holm {}, served worst: {}",
        maybe(groups.gap),
        maybe(groups.noise_floor),
        maybe(groups.p),
        maybe(groups.p_holm),
        groups.worst.as_deref().map_or_else(|| "-".to_owned(), clean)
    ))
}
