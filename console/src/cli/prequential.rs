//! `mercer eval --replay`: the prequential experiment, which tells whether fine-tuning the encoder pays. The command line and
//! the wire call it a replay.

use mercer_shared::client::Client;
use mercer_shared::problem::exit;
use mercer_shared::wire::{Replay, ReplayRequest, RunState};

use super::out::{Done, Out, Stop};
use super::table::Table;
use super::{follow, runs};
use crate::text;

/// Makes one, follows it and prints it.
pub(crate) async fn run(request: &ReplayRequest, client: &Client, out: &mut Out) -> Done {
    let run = client.start_replay(request).await?;
    let run = follow::follow(run, client, out).await?;
    if run.state != RunState::Succeeded {
        return runs::finish(&run, out);
    }
    show(&run.id, client, out).await
}

/// Prints one that was made.
pub(crate) async fn show(id: &str, client: &Client, out: &mut Out) -> Done {
    let replay = client.replay(id).await?;
    if out.json {
        out.document(&replay)?;
    } else {
        print(&replay, out)?;
    }
    Ok(exit::OK)
}

fn print(replay: &Replay, out: &mut Out) -> Result<(), Stop> {
    out.heading(&format!(
        "Replay {}: {} of {}",
        replay.id,
        text::plural(replay.windows.len() as u64, "window", "windows"),
        text::plural(replay.window_days, "day", "days")
    ))?;
    out.wrapped(format!(
        "{} per window, {} in the warm-up and in each retraining, {}",
        text::plural(replay.steps.into(), "step", "steps"),
        replay.warm_steps,
        text::plural(replay.seeds.len() as u64, "seed", "seeds")
    ))?;
    let ndcg = |value: Option<&f64>| text::maybe(value.copied());
    for mode in ["repeat", "new"] {
        out.line("")?;
        out.heading(&format!("NDCG@10, {} items", text::slice(mode)))?;
        let mut table =
            Table::new().text("window from").number("n").number("F0").number("F1").number("F2").number("F4");
        table = table.number("P1").number("S1").number("B1").number("B2");
        let cells = |of: &dyn Fn(&str) -> String| ["F0", "F1", "F2", "F4", "P1", "S1", "B1", "B2"].map(of);
        for window in &replay.windows {
            let [a, b, c, d, e, f, g, h] = cells(&|arm| ndcg(window.ndcg.get(mode).and_then(|by_arm| by_arm.get(arm))));
            let day = text::date(window.from);
            let n = text::count(window.shoppers.get(mode).copied().unwrap_or(0));
            table.row([day, n, a, b, c, d, e, f, g, h]);
        }
        let arm_of = |name: &str| replay.arms.iter().find(|arm| arm.name == name);
        let [a, b, c, d, e, f, g, h] = cells(&|name| ndcg(arm_of(name).and_then(|arm| arm.ndcg.get(mode))));
        table.row(["mean".to_owned(), String::new(), a, b, c, d, e, f, g, h]);
        let kept = |name: &str| arm_of(name).and_then(|arm| arm.retention.get(mode));
        let [a, b, c, d, e, f, g, h] =
            cells(&|name| kept(name).map_or_else(|| "-".to_owned(), |change| text::signed(*change)));
        table.row(["kept".to_owned(), String::new(), a, b, c, d, e, f, g, h]);
        table.print(out)?;
    }
    out.line("")?;
    out.heading("Verdict")?;
    replay.verdict.iter().try_for_each(|line| out.wrapped(line))?;
    out.line("")?;
    for arm in &replay.arms {
        out.wrapped(format!("{}: {} ({})", arm.name, arm.what, text::plural(arm.steps, "step", "steps")))?;
    }
    out.wrapped("kept: NDCG@10 of the last encoder on the first window, less that of the first encoder there")?;
    replay.notes.iter().try_for_each(|note| out.wrapped(format!("note: {note}")))
}
