//! `mercer sweep`: follows the search and prints its table.

use mercer_shared::client::Client;
use mercer_shared::wire::{Run, RunState, SweepRequest};

use super::budget::seconds;
use super::out::{Done, Out, Stop};
use super::pages::PAGE;
use super::table::Table;
use super::{follow, runs};
use crate::text;
use clap::Args;
use mercer_shared::wire::Setting;

#[derive(Debug, Args)]
pub(crate) struct SweepArgs {
    /// Values of a setting, such as `ranker.hidden=32,64`; the grid is the product of all that are named.
    #[arg(long = "set", value_name = "KEY=V1,V2", required = true, value_parser = grid)]
    pub(crate) set: Vec<(String, Vec<Setting>)>,
    /// No further point is begun after that time, such as 10m.
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = seconds)]
    pub(crate) budget: u64,
    /// Decides everything random in it.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

/// Reads `KEY=V1,V2`: numbers, `true`, `false` or words.
fn grid(text: &str) -> Result<(String, Vec<Setting>), String> {
    let Some((name, values)) = text.split_once('=').filter(|(name, values)| !name.is_empty() && !values.is_empty())
    else {
        return Err(format!("`{text}` is not KEY=VALUE,VALUE"));
    };
    let value = |word: &str| match (word, word.parse::<f64>()) {
        ("true" | "on" | "yes", _) => Setting::Flag(true),
        ("false" | "off" | "no", _) => Setting::Flag(false),
        (_, Ok(number)) if number.is_finite() => Setting::Number(number),
        _ => Setting::Text(word.to_owned()),
    };
    Ok((name.to_owned(), values.split(',').map(|word| value(word.trim())).collect()))
}

/// Runs the command.
pub(crate) async fn run(args: &SweepArgs, client: &Client, out: &mut Out) -> Done {
    let request =
        SweepRequest { set: args.set.iter().cloned().collect(), budget_seconds: Some(args.budget), seed: args.seed };
    let run = client.sweep(&request).await?;
    let run = follow::follow(run, client, out).await?;
    let points = points(&run, client).await?;
    if out.json {
        out.document(&serde_json::json!({ "sweep": run, "points": points }))?;
        return Ok(follow::code(run.state));
    }
    if run.state == RunState::Failed {
        return runs::finish(&run, out);
    }
    out.heading(&format!("Sweep {}", run.id))?;
    // What is said of single points stands in the table.
    let of_point = |line: &str| points.iter().any(|point| line.starts_with(&point.id));
    run.log.iter().filter(|line| !of_point(line)).try_for_each(|line| out.line(text::clean(line)))?;
    table(&points, out)?;
    out.line("differences are to the settings as they are, paired by shopper, 95 %; the best of many is flattered")?;
    Ok(follow::code(run.state))
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
        .number("all")
        .text("difference")
        .number("novel")
        .text("difference")
        .number("loss")
        .title("settings");
    for point in points {
        let metric = |slice: &str, name: &str| {
            let mut all = point.record.metrics.iter();
            all.find(|metric| metric.slice == slice && (metric.name == "ndcg@10") == (name == "value"))
        };
        let value = |slice: &str| text::maybe(metric(slice, "value").and_then(|metric| metric.value));
        let difference = |slice: &str| {
            metric(slice, "difference").map_or("-".to_owned(), |metric| text::interval(metric.low, metric.high))
        };
        table.row([
            point.id.clone(),
            value("repeat"),
            difference("repeat"),
            value("new"),
            difference("new"),
            text::maybe(point.loss),
            point.log.first().cloned().unwrap_or_default(),
        ]);
    }
    table.print(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids() {
        let numbers = vec![Setting::Number(32.0), Setting::Number(0.5)];
        assert_eq!(grid("ranker.hidden=32,.5"), Ok(("ranker.hidden".to_owned(), numbers)));
        assert_eq!(grid("ranker.dropout=true, off").unwrap().1, [Setting::Flag(true), Setting::Flag(false)]);
        for bad in ["", "x", "x=", "=1"] {
            assert!(grid(bad).is_err(), "{bad}");
        }
    }
}
