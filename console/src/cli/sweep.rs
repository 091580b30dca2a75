//! `mercer sweep`: follows the search and prints its table.

use mercer_shared::client::Client;
use mercer_shared::wire::{Run, RunState, SweepRequest};

use super::args::SweepArgs;
use super::out::{Done, Out, Stop};
use super::table::Table;
use super::text::{clean, interval, maybe};
use super::{PAGE, train};

/// Runs the command.
pub(crate) async fn run(args: &SweepArgs, client: &Client, out: &mut Out) -> Done {
    let request =
        SweepRequest { set: args.set.iter().cloned().collect(), budget_seconds: Some(args.budget), seed: args.seed };
    let run = client.sweep(&request).await?;
    let run = train::follow(run, client, out).await?;
    let points = points(&run, client).await?;
    if out.json {
        out.document(&serde_json::json!({ "sweep": run, "points": points }))?;
        return Ok(train::code(run.state));
    }
    if run.state == RunState::Failed {
        return train::finish(&run, out);
    }
    out.heading(&format!("Sweep {}", run.id))?;
    // What is said of single points stands in the table.
    let of_point = |line: &str| points.iter().any(|point| line.starts_with(&point.id));
    run.log.iter().filter(|line| !of_point(line)).try_for_each(|line| out.line(clean(line)))?;
    table(&points, out)?;
    out.line("differences are to the settings as they are, paired by shopper, 95 %; the best of many is flattered")?;
    Ok(train::code(run.state))
}

/// The sweep's points, oldest first: they were numbered after it.
async fn points(sweep: &Run, client: &Client) -> Result<Vec<Run>, Stop> {
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = client.runs(cursor.as_deref(), Some(PAGE)).await?;
        let reached = page.items.iter().any(|run| run.id == sweep.id);
        found.extend(page.items.into_iter().filter(|run| run.record.sweep.as_deref() == Some(&sweep.id)));
        cursor = page.next_cursor;
        if reached || cursor.is_none() {
            found.reverse();
            return Ok(found);
        }
    }
}

fn table(points: &[Run], out: &mut Out) -> Result<(), Stop> {
    let mut table = Table::new()
        .text("run")
        .number("repeat")
        .text("difference")
        .number("new")
        .text("difference")
        .number("loss")
        .title("settings");
    for point in points {
        let metric = |slice: &str, name: &str| {
            let mut all = point.record.metrics.iter();
            all.find(|metric| metric.slice == slice && (metric.name == "ndcg@10") == (name == "value"))
        };
        let value = |slice: &str| maybe(metric(slice, "value").and_then(|metric| metric.value));
        let difference = |slice: &str| {
            metric(slice, "difference").map_or("-".to_owned(), |metric| interval(metric.low, metric.high))
        };
        table.row([
            point.id.clone(),
            value("repeat"),
            difference("repeat"),
            value("new"),
            difference("new"),
            maybe(point.loss),
            point.log.first().cloned().unwrap_or_default(),
        ]);
    }
    table.print(out)
}
