//! The cross-encoder's numbers, as runs show them. The wire calls it `pair`.

use mercer_shared::wire::{MetricValue, PairPart, PairReport};

use super::out::{Out, Stop};
use super::table::{Table, facts};
use crate::text;

/// Rows, shoppers, share of positives and time of a part of the log.
fn part(part: &PairPart) -> String {
    format!(
        "{} of {}, {} positive, {} to {}",
        text::plural(part.rows, "row", "rows"),
        text::plural(part.users, "shopper", "shoppers"),
        text::percent(part.positives),
        text::maybe_moment(part.from),
        text::maybe_moment(part.to)
    )
}

fn value(metric: &MetricValue) -> String {
    metric.value.map_or_else(|| "undefined".to_owned(), text::value)
}

/// Prints the training data, the settings and the metrics on later events.
pub(crate) fn print(report: &PairReport, out: &mut Out) -> Result<(), Stop> {
    out.heading(&format!("Cross-encoder {}", report.name.as_deref().unwrap_or("(not kept)")))?;
    let each = report.seconds / report.steps.max(1) as f64;
    facts(
        out,
        &[
            ("method", report.method.clone()),
            ("negatives", report.negatives.clone()),
            ("learned from", part(&report.train)),
            ("chosen by", part(&report.validation)),
            ("judged on", part(&report.later)),
            ("cut-off", text::moment(report.cut)),
            (
                "training",
                format!(
                    "{} in {}, {each:.2} s a step",
                    text::plural(report.steps, "step", "steps"),
                    text::duration(report.seconds)
                ),
            ),
            ("scoring", format!("{:.1} ms a pair", report.ms_per_pair)),
            ("calibration", report.calibration.clone().unwrap_or_else(|| "none: too few rows to fit one".to_owned())),
            ("threshold", text::maybe(report.threshold)),
        ],
    )?;
    out.line("")?;
    let mut table = Table::new().text("slice").text("metric").number("value").text("95 % interval").number("shoppers");
    for metric in &report.metrics {
        table.row([
            metric.slice.clone(),
            metric.name.clone(),
            value(metric),
            text::interval(metric.low, metric.high),
            text::count(metric.n),
        ]);
    }
    table.print(out)?;
    out.line("gauc: mean over shoppers of their AUC, weighted by their rows")?;
    out.line("ece: 15 bins of equal mass, without what chance adds; ece_plain: with it; ece_chance: chance alone")?;
    out.line("")?;
    out.line(text::clean(&format!(
        "re-scoring the first {} rows of lists by {}: {}",
        report.check.head, report.check.list, report.check.reason
    )))
}
