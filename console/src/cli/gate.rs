//! The gate's decision with its numbers, as runs and versions show it.

use mercer_shared::wire::GateReport;

use super::out::{Out, Stop};
use super::table::Table;
use super::text::{clean, count, figure, interval, moment, word};

/// Prints the word, the reason and every comparison.
pub(crate) fn print(gate: &GateReport, out: &mut Out) -> Result<(), Stop> {
    out.heading(&format!("Gate: {}", word(&gate.verdict)))?;
    out.line(clean(&gate.reason))?;
    let least = gate.minimum_detectable.map(|effect| format!(", effects from {} on would show", figure(effect)));
    out.line(format!(
        "{} users with later interactions, {} to {}, alpha {}{}",
        count(gate.users),
        moment(gate.from),
        moment(gate.to),
        figure(gate.alpha),
        least.unwrap_or_default()
    ))?;
    if let Some(spent) = &gate.spending {
        out.line(format!(
            "{} gates since {} have spent {} of {} alpha; a new period begins {}",
            spent.gates,
            moment(spent.from),
            figure(spent.spent),
            figure(spent.total),
            moment(spent.until)
        ))?;
    }
    if gate.comparisons.is_empty() {
        return Ok(());
    }
    let mut table = Table::new()
        .text("against")
        .text("metric")
        .text("slice")
        .number("candidate")
        .number("other")
        .number("difference")
        .text("interval")
        .number("p")
        .number("n")
        .text("rule")
        .text("held");
    for row in &gate.comparisons {
        table.row([
            row.against.clone(),
            row.metric.clone(),
            row.slice.clone(),
            figure(row.candidate),
            figure(row.other),
            format!("{:+.4}", row.difference),
            interval(Some(row.low), Some(row.high)),
            format!("{:.4}", row.p),
            count(row.n),
            row.rule.clone(),
            if row.passed { "yes" } else { "no" }.to_owned(),
        ]);
    }
    table.print(out)
}
