//! `mercer runs compare A B`: settings that differ, losses, and results of both runs.

use std::collections::BTreeSet;

use mercer_shared::client::Client;
use mercer_shared::problem::exit;
use mercer_shared::wire::{LossPoint, MetricValue, Run};
use serde::Serialize;

use super::out::{Done, Out, Stop};
use super::table::Table;
use crate::text;

/// A setting that two runs do not share.
#[derive(Debug, Serialize)]
struct Differs {
    name: String,
    first: Option<String>,
    second: Option<String>,
}

/// A curve of two runs in short.
#[derive(Debug, Serialize)]
struct Curve {
    name: String,
    first: Option<Ends>,
    second: Option<Ends>,
}

/// Where a loss began, how low it came, where it ended.
#[derive(Debug, Clone, Copy, Serialize)]
struct Ends {
    steps: u64,
    begin: f64,
    least: f64,
    end: f64,
}

/// A metric of two runs.
#[derive(Debug, Serialize)]
struct Metric {
    name: String,
    slice: String,
    first: Option<MetricValue>,
    second: Option<MetricValue>,
}

/// Everything that is said of two runs.
#[derive(Debug, Serialize)]
struct Comparison {
    first: String,
    second: String,
    config: Vec<Differs>,
    shared_settings: usize,
    curves: Vec<Curve>,
    metrics: Vec<Metric>,
    gates: [Option<String>; 2],
    notes: Vec<String>,
}

/// Runs the command.
pub(crate) async fn run(first: &str, second: &str, client: &Client, out: &mut Out) -> Done {
    let (a, b) = (client.run(first).await?, client.run(second).await?);
    let compared = compare(&a, &b);
    if out.json {
        out.document(&compared)?;
    } else {
        print(&compared, out)?;
    }
    Ok(exit::OK)
}

/// Everything that decided a run, by name.
fn facts(run: &Run) -> std::collections::BTreeMap<String, String> {
    let mut all: std::collections::BTreeMap<String, String> =
        run.record.config.iter().map(|(name, setting)| (name.clone(), setting.to_string())).collect();
    all.insert("kind".to_owned(), text::word(&run.record.kind));
    all.insert("seed".to_owned(), run.seed.to_string());
    all.insert("device".to_owned(), run.device.clone());
    if !run.record.code_version.is_empty() {
        all.insert("code".to_owned(), run.record.code_version.clone());
    }
    if let Some(data) = &run.record.data {
        all.insert("data.interactions".to_owned(), data.interactions.to_string());
        all.insert("data.from".to_owned(), text::maybe_moment(data.from));
        all.insert("data.to".to_owned(), text::maybe_moment(data.to));
        all.insert("data.cursor".to_owned(), data.cursor.to_string());
    }
    all
}

fn ends(points: &[LossPoint]) -> Option<Ends> {
    let (first, last) = (points.first()?, points.last()?);
    let least = points.iter().map(|point| point.loss).fold(f64::INFINITY, f64::min);
    Some(Ends { steps: last.step, begin: first.loss, least, end: last.loss })
}

fn compare(a: &Run, b: &Run) -> Comparison {
    let (mine, theirs) = (facts(a), facts(b));
    let names: BTreeSet<&String> = mine.keys().chain(theirs.keys()).collect();
    let shared = names.iter().filter(|name| mine.get(**name) == theirs.get(**name)).count();
    let config = names
        .iter()
        .filter(|name| mine.get(**name) != theirs.get(**name))
        .map(|name| Differs {
            name: (*name).clone(),
            first: mine.get(*name).cloned(),
            second: theirs.get(*name).cloned(),
        })
        .collect();
    let curve_of = |run: &Run, name: &str| match name {
        "encoder" => ends(&run.losses),
        name => run.record.curves.get(name).and_then(|points| ends(points)),
    };
    let names: BTreeSet<&str> = ["encoder"]
        .into_iter()
        .chain(a.record.curves.keys().chain(b.record.curves.keys()).map(String::as_str))
        .collect();
    let curves = names
        .into_iter()
        .map(|name| Curve { name: name.to_owned(), first: curve_of(a, name), second: curve_of(b, name) })
        .filter(|curve| curve.first.is_some() || curve.second.is_some())
        .collect();
    let keys: BTreeSet<(&str, &str)> = [a, b]
        .into_iter()
        .flat_map(|run| &run.record.metrics)
        .map(|metric| (metric.name.as_str(), metric.slice.as_str()))
        .collect();
    let metric_of = |run: &Run, (name, slice): (&str, &str)| {
        run.record.metrics.iter().find(|metric| metric.name == name && metric.slice == slice).cloned()
    };
    let metrics = keys
        .into_iter()
        .map(|key| Metric {
            name: key.0.to_owned(),
            slice: key.1.to_owned(),
            first: metric_of(a, key),
            second: metric_of(b, key),
        })
        .collect();
    let window = |run: &Run| {
        let (gate, config) = (run.gate.as_ref(), &run.record.config);
        gate.map(|gate| (gate.from.to_string(), gate.to.to_string()))
            .or_else(|| Some((config.get("at")?.to_string(), config.get("to")?.to_string())))
    };
    let mut notes = vec!["these are the intervals of each run; none is of a paired difference".to_owned()];
    if window(a) != window(b) {
        notes.push("the two were measured on different windows: their metrics cannot be compared".to_owned());
    }
    let gate = |run: &Run| run.gate.as_ref().map(|gate| format!("{}: {}", text::word(&gate.verdict), gate.reason));
    Comparison {
        first: a.id.clone(),
        second: b.id.clone(),
        config,
        shared_settings: shared,
        curves,
        metrics,
        gates: [gate(a), gate(b)],
        notes,
    }
}

fn print(compared: &Comparison, out: &mut Out) -> Result<(), Stop> {
    let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let (first, second) = (&compared.first, &compared.second);
    out.heading(&format!("{first} (A) against {second} (B)"))?;
    if compared.config.is_empty() {
        out.line(format!("all {} settings are the same", compared.shared_settings))?;
    } else {
        let mut table = Table::new().text("differs in").text("A").text("B");
        compared.config.iter().for_each(|row| table.row([row.name.clone(), dash(&row.first), dash(&row.second)]));
        table.print(out)?;
        out.line(format!("{} other settings are the same", compared.shared_settings))?;
    }
    if !compared.curves.is_empty() {
        out.line("")?;
        let mut table = Table::new().text("loss").text("A: begin, least, end").text("B: begin, least, end");
        let said = |ends: Option<Ends>| {
            ends.map_or_else(
                || "-".to_owned(),
                |e| {
                    format!(
                        "{} {} {} ({})",
                        text::value(e.begin),
                        text::value(e.least),
                        text::value(e.end),
                        text::plural(e.steps, "step", "steps")
                    )
                },
            )
        };
        compared.curves.iter().for_each(|row| table.row([row.name.clone(), said(row.first), said(row.second)]));
        table.print(out)?;
    }
    if !compared.metrics.is_empty() {
        out.line("")?;
        let mut table = Table::new()
            .text("metric")
            .text("slice")
            .number("A")
            .text("A 95 %")
            .number("B")
            .text("B 95 %")
            .number("B - A");
        for row in &compared.metrics {
            let value = |metric: &Option<MetricValue>| metric.as_ref().and_then(|metric| metric.value);
            let range = |metric: &Option<MetricValue>| {
                metric.as_ref().map_or_else(|| "-".to_owned(), |metric| text::interval(metric.low, metric.high))
            };
            let difference = value(&row.first).zip(value(&row.second)).map(|(a, b)| text::signed(b - a));
            table.row([
                row.name.clone(),
                text::slice(&row.slice),
                text::maybe(value(&row.first)),
                range(&row.first),
                text::maybe(value(&row.second)),
                range(&row.second),
                dash(&difference),
            ]);
        }
        table.print(out)?;
    }
    out.line("")?;
    for (name, gate) in ["A", "B"].iter().zip(&compared.gates) {
        out.line(format!("gate of {name}: {}", dash(gate)))?;
    }
    compared.notes.iter().try_for_each(|note| out.line(format!("note: {note}")))
}
