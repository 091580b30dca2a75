//! The gate's decision with its numbers, as runs and versions show it.

use mercer_shared::wire::{GateGuardrail, GateReport};

use super::out::{Out, Stop};
use super::table::Table;
use crate::text;

/// Prints the word, the reason and every comparison.
pub(crate) fn print(gate: &GateReport, out: &mut Out) -> Result<(), Stop> {
    out.heading(&format!("Gate: {}", text::word(&gate.verdict)))?;
    out.line(text::clean(&gate.reason))?;
    let least = gate.minimum_detectable.map(|effect| format!(", smallest detectable effect {}", text::value(effect)));
    out.line(format!(
        "{} with later interactions, {} to {}, alpha {}{}",
        text::plural(gate.users, "shopper", "shoppers"),
        text::moment(gate.from),
        text::moment(gate.to),
        text::value(gate.alpha),
        least.unwrap_or_default()
    ))?;
    if let Some(spent) = &gate.spending {
        out.line(format!(
            "gates since {}: {}, which spent {} of {} alpha; a new period begins {}",
            spent.gates,
            text::moment(spent.from),
            text::value(spent.spent),
            text::value(spent.total),
            text::moment(spent.until)
        ))?;
    }
    for objective in &gate.objectives {
        let word = match &objective.left_out {
            Some(why) => format!("does not count: {}", text::clean(why)),
            None if objective.better => "better".to_owned(),
            None => "not shown to be better".to_owned(),
        };
        let share = 100.0 * objective.share;
        out.line(format!("objective {}, {share:.0} % of the traffic: {word}", text::slice(&objective.slice)))?;
    }
    if gate.asks {
        out.line("it does harm: promote it by hand if that is accepted")?;
    }
    guardrails(&gate.guardrails, out)?;
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
            text::slice(&row.slice),
            text::value(row.candidate),
            text::value(row.other),
            text::signed(row.difference),
            text::interval(Some(row.low), Some(row.high)),
            text::p_value(row.p),
            text::count(row.n),
            row.rule.clone(),
            if row.passed { "yes" } else { "no" }.to_owned(),
        ]);
    }
    table.print(out)
}

/// Whom or what the candidate might harm.
fn guardrails(all: &[GateGuardrail], out: &mut Out) -> Result<(), Stop> {
    if all.is_empty() {
        return Ok(());
    }
    let mut table = Table::new()
        .text("guardrail")
        .text("metric")
        .number("candidate")
        .number("serving")
        .number("change")
        .text("interval")
        .number("n")
        .number("tolerated")
        .text("verdict");
    for row in all {
        let name = match &row.attribute {
            Some(attribute) => format!("{attribute}: {}", row.name),
            None => row.name.clone(),
        };
        let value = |value: Option<f64>| value.map_or_else(String::new, text::value);
        let word = text::word(&row.verdict);
        table.row([
            text::clean(&name),
            row.metric.clone(),
            value(row.candidate),
            value(row.other),
            row.change.map_or_else(String::new, text::signed),
            text::interval(row.low, row.high),
            row.n.map_or_else(String::new, text::count),
            text::value(row.margin),
            match &row.undefined {
                Some(why) => format!("{word}: {why}"),
                None => word,
            },
        ]);
    }
    table.print(out)
}
