//! The pair classifier's numbers, as runs show them.

use mercer_shared::wire::{MetricValue, PairPart, PairReport};

use super::out::{Out, Stop};
use super::table::{Table, facts};
use super::text::{clean, count, figure, interval, maybe, maybe_moment, moment};

/// Rows, shoppers, share of positives and time of a part of the log.
fn part(part: &PairPart) -> String {
    format!(
        "{} rows of {} shoppers, {:.1} % positive, {} to {}",
        count(part.rows),
        count(part.users),
        100.0 * part.positives,
        maybe_moment(part.from),
        maybe_moment(part.to)
    )
}

fn value(metric: &MetricValue) -> String {
    metric.value.map_or_else(|| "undefined".to_owned(), figure)
}

/// Prints what was learned from, how, and what it is worth on later events.
pub(crate) fn print(report: &PairReport, out: &mut Out) -> Result<(), Stop> {
    out.heading(&format!("Pair classifier {}", report.name.as_deref().unwrap_or("(not kept)")))?;
    let each = report.seconds / report.steps.max(1) as f64;
    facts(
        out,
        &[
            ("method", report.method.clone()),
            ("negatives", report.negatives.clone()),
            ("learned from", part(&report.train)),
            ("chosen by", part(&report.validation)),
            ("judged on", part(&report.later)),
            ("cut-off", moment(report.cut)),
            ("training", format!("{} steps in {:.0} s, {each:.2} s a step", count(report.steps), report.seconds)),
            ("scoring", format!("{:.1} ms a pair", report.ms_per_pair)),
            ("calibration", report.calibration.clone().unwrap_or_else(|| "none: too few rows to fit one".to_owned())),
            ("threshold", maybe(report.threshold)),
        ],
    )?;
    out.line("")?;
    let mut table = Table::new().text("slice").text("metric").number("value").text("95 % interval").number("shoppers");
    for metric in &report.metrics {
        table.row([
            metric.slice.clone(),
            metric.name.clone(),
            value(metric),
            interval(metric.low, metric.high),
            count(metric.n),
        ]);
    }
    table.print(out)?;
    out.line("gauc is the mean of each shopper's AUC, weighted by their rows; ece has 15 bins of equal mass")?;
    out.line("")?;
    out.line(clean(&format!(
        "first {} rows of lists by {}: {}",
        report.check.head, report.check.list, report.check.reason
    )))
}
