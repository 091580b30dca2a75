//! Stored reports: `mercer reports`, `mercer report show`, `mercer report trend`; and the difference of two versions.

use clap::Args;
use mercer_shared::client::{Client, StoredReportsQuery};
use mercer_shared::problem::exit;
use mercer_shared::wire::{DifferenceWord, ReportDifference, ReportKind};

use super::out::{Done, Out, Stop};
use super::pages::{Paging, more, pages};
use super::report_tables;
use super::table::Table;
use crate::text;

/// Digits of a hash that are printed; `--json` has all.
const DIGITS: usize = 12;

/// Which stored reports.
#[derive(Debug, Args)]
pub(crate) struct ReportsArgs {
    #[command(flatten)]
    pub(crate) paging: Paging,
    /// Of this kind only.
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<ReportKind>,
    /// Of this version only.
    #[arg(long, value_name = "VERSION")]
    pub(crate) model: Option<String>,
}

/// Lists stored reports, newest first.
pub(crate) async fn list(args: ReportsArgs, client: &Client, out: &mut Out) -> Done {
    let ReportsArgs { paging, kind, model } = args;
    let page = pages(paging.limit, async |cursor, limit| {
        let cursor = cursor.map(str::to_owned);
        client.stored_reports(&StoredReportsQuery { kind, model: model.clone(), cursor, limit }).await
    })
    .await?;
    if out.json {
        out.document(&page)?;
        return Ok(exit::OK);
    }
    let mut table = Table::new()
        .text("report")
        .text("kind")
        .text("model")
        .text("computed")
        .text("window")
        .number("shoppers")
        .text("erased since")
        .text("data")
        .text("version");
    for one in &page.items {
        let hash = |of: fn(&mercer_shared::wire::ReportHashes) -> &String| {
            one.hashes.as_ref().map_or_else(|| "-".to_owned(), |hashes| of(hashes).chars().take(DIGITS).collect())
        };
        table.row([
            one.id.clone(),
            text::word(&one.kind),
            one.model.clone(),
            text::moment(one.created),
            format!("{} to {}", text::maybe_moment(one.from), text::maybe_moment(one.to)),
            text::count(one.users),
            if one.erased_since > 0 { text::count(one.erased_since) } else { "-".to_owned() },
            hash(|hashes| &hashes.data),
            hash(|hashes| &hashes.version),
        ]);
    }
    if table.is_empty() {
        out.line("no stored report; make one: mercer report quality")?;
    } else {
        table.print(out)?;
    }
    more(&page, out)?;
    Ok(exit::OK)
}

/// Shows a stored report.
pub(crate) async fn show(id: &str, client: &Client, out: &mut Out) -> Done {
    let stored = client.stored_report(id).await?;
    if out.json {
        out.document(&stored)?;
        return Ok(exit::OK);
    }
    report_tables::whole(&stored.report, out)?;
    if let Some(hashes) = &stored.hashes {
        out.line(format!("data {}", text::clean(&hashes.data)))?;
        out.line(format!("version {}", text::clean(&hashes.version)))?;
    }
    Ok(exit::OK)
}

/// Prints one number over the stored reports.
pub(crate) async fn trend(kind: ReportKind, row: &str, model: Option<&str>, client: &Client, out: &mut Out) -> Done {
    let trend = client.report_trend(kind, row, model).await?;
    if out.json {
        out.document(&trend)?;
        return Ok(exit::OK);
    }
    out.heading(&format!("{} over the stored {} reports, oldest first", text::clean(&trend.row), text::word(&kind)))?;
    let mut table = Table::new().text("report").text("model").text("computed").number("value").text("95 % interval");
    for point in &trend.points {
        table.row([
            point.id.clone(),
            point.model.clone(),
            text::moment(point.created),
            text::maybe(point.value),
            text::interval(point.low, point.high),
        ]);
    }
    table.print(out)?;
    out.line("windows and versions differ: only mercer report KIND --against VERSION compares two versions")?;
    Ok(exit::OK)
}

/// Prints the difference of two versions.
pub(crate) fn difference(model: &str, difference: &ReportDifference, out: &mut Out) -> Result<(), Stop> {
    let against = text::clean(&difference.against);
    out.line("")?;
    out.heading(&format!("{} less {against}, same window, same shoppers", text::clean(model)))?;
    let mut table = Table::new()
        .label("name")
        .number("value")
        .number("against")
        .number("difference")
        .text("95 % interval")
        .number("smallest detectable")
        .below()
        .number("n")
        .words("verdict");
    for row in &difference.rows {
        let words: Vec<String> =
            [Some(verdict(row.verdict).to_owned()), row.undefined.clone()].into_iter().flatten().collect();
        table.row([
            row.name.clone(),
            text::maybe(row.value),
            text::maybe(row.against),
            row.difference.map_or_else(|| "-".to_owned(), text::signed),
            text::interval(row.low, row.high),
            text::maybe(row.minimum_detectable),
            text::count(row.n),
            words.join("; "),
        ]);
    }
    table.print(out)?;
    difference.notes.iter().try_for_each(|note| out.line(format!("note on {against}: {}", text::clean(note))))
}

const fn verdict(word: DifferenceWord) -> &'static str {
    match word {
        DifferenceWord::Higher => "higher",
        DifferenceWord::Lower => "lower",
        DifferenceWord::Same => "the same for every shopper",
        DifferenceWord::NotMeasurable => "not measurable",
        DifferenceWord::NoInterval => "no interval",
    }
}
