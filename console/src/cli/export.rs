//! `mercer runs export`: a run for other programs, as TensorBoard event files or as one document a line.

use std::io::Write;
use std::path::Path;

use mercer_shared::client::Client;
use mercer_shared::problem::{Code, Problem, exit};
use mercer_shared::wire::{LossPoint, Run};
use serde_json::{Value, json};

use super::out::{Done, Out};
use super::tensorboard::{Summary, write_events};
use crate::text;

/// Runs the command.
pub(crate) async fn run(
    id: &str,
    tensorboard: Option<&Path>,
    ndjson: Option<&Path>,
    client: &Client,
    out: &mut Out,
) -> Done {
    let run = client.run(id).await?;
    let bad = |path: &Path, error: &std::io::Error| Problem::new(Code::BadFile, format!("{}: {error}", path.display()));
    if let Some(dir) = tensorboard {
        let file = events(&run, dir).map_err(|error| bad(dir, &error))?;
        out.line(format!(
            "wrote {}; open it: tensorboard --logdir {}",
            text::clean(&file.display().to_string()),
            text::clean(&dir.display().to_string())
        ))?;
    }
    match ndjson {
        Some(path) if path == Path::new("-") => lines(&run).iter().try_for_each(|line| out.record(line))?,
        Some(path) => {
            let text: String = lines(&run).iter().map(|line| format!("{line}\n")).collect();
            std::fs::write(path, text).map_err(|error| bad(path, &error))?;
        }
        None => {}
    }
    Ok(exit::OK)
}

/// Every curve of a run by its name.
fn curves(run: &Run) -> Vec<(String, &[LossPoint])> {
    let mut all: Vec<(String, &[LossPoint])> = Vec::new();
    if !run.losses.is_empty() {
        all.push(("loss/encoder".to_owned(), &run.losses));
    }
    all.extend(run.record.curves.iter().map(|(name, points)| (format!("loss/{name}"), points.as_slice())));
    all
}

/// The run as documents: the run without curves, then a line for each setting, point and metric.
fn lines(run: &Run) -> Vec<Value> {
    let mut head = run.clone();
    head.losses.clear();
    head.record.curves.clear();
    let mut all = vec![json!({ "run": head })];
    for (name, value) in &run.record.config {
        all.push(json!({ "id": run.id, "setting": name, "value": value }));
    }
    for (name, points) in curves(run) {
        all.extend(points.iter().map(|p| json!({ "id": run.id, "curve": name, "step": p.step, "value": p.loss })));
    }
    all.extend(run.record.metrics.iter().map(|metric| json!({ "id": run.id, "metric": metric })));
    all
}

/// Writes the event file of a run into a directory of its own; its path.
fn events(run: &Run, dir: &Path) -> std::io::Result<std::path::PathBuf> {
    let begun = run.started.unwrap_or(run.created).millis() as f64 / 1000.0;
    let ended = run.ended.map_or(begun, |ended| ended.millis() as f64 / 1000.0);
    let mut summaries = Vec::new();
    for (name, points) in curves(run) {
        let last = points.last().map_or(1, |point| point.step.max(1)) as f64;
        for point in points {
            // The moments of single steps are not kept: they are spread evenly over the run.
            let at = begun + (ended - begun) * point.step as f64 / last;
            summaries.push(Summary::scalar(at, point.step, &name, point.loss));
        }
    }
    for metric in &run.record.metrics {
        let tag = format!("{}/{}", metric.name, metric.slice);
        for (ending, value) in [("", metric.value), ("/low", metric.low), ("/high", metric.high)] {
            summaries.extend(value.map(|value| Summary::scalar(ended, 0, &format!("{tag}{ending}"), value)));
        }
    }
    let settings: String = run.record.config.iter().map(|(name, value)| format!("| {name} | {value} |\n")).collect();
    let head =
        format!("| setting | value |\n|---|---|\n| code | {} |\n| seed | {} |\n", run.record.code_version, run.seed);
    summaries.push(Summary::text(begun, 0, "settings", &(head + &settings)));
    if !run.log.is_empty() {
        summaries.push(Summary::text(ended, 0, "log", &run.log.join("\n\n")));
    }
    let dir = dir.join(&run.id);
    std::fs::create_dir_all(&dir)?;
    let path = dir.join(format!("events.out.tfevents.{:.0}.mercer", begun.floor()));
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path)?);
    write_events(&mut file, begun, &summaries)?;
    file.flush()?;
    Ok(path)
}
