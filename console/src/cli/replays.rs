//! `mercer eval --replay`: does fine-tuning the encoder pay?

use mercer_shared::client::Client;
use mercer_shared::problem::exit;
use mercer_shared::wire::{Replay, ReplayRequest, RunState};

use super::args::EvalArgs;
use super::out::{Done, Out, Stop};
use super::table::Table;
use super::text::{clean, count, moment};
use super::{evals, train};

/// Makes one, follows it and prints it.
pub(crate) async fn run(args: &EvalArgs, client: &Client, out: &mut Out) -> Done {
    let request = ReplayRequest {
        windows: Some(args.windows),
        steps: Some(args.steps),
        warm_steps: None,
        seeds: Some(args.seeds),
        seed: args.seed,
    };
    let run = client.start_replay(&request).await?;
    let run = train::follow(run, client, out).await?;
    if run.state != RunState::Succeeded {
        return train::finish(&run, out);
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
    out.heading(&format!("Replay {}: {} windows of {} days", replay.id, replay.windows.len(), replay.window_days))?;
    evals::wrapped(
        &format!(
            "{} steps per window, {} in the warm-up and in each retraining, {} seeds",
            replay.steps,
            replay.warm_steps,
            replay.seeds.len()
        ),
        out,
    )?;
    let figure = |value: Option<&f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    for mode in ["repeat", "new"] {
        out.line("")?;
        out.heading(&format!("NDCG@10, {mode}"))?;
        let mut table =
            Table::new().text("window from").number("n").number("F0").number("F1").number("F2").number("F4");
        table = table.number("P1").number("S1").number("B1").number("B2");
        let cells = |of: &dyn Fn(&str) -> String| ["F0", "F1", "F2", "F4", "P1", "S1", "B1", "B2"].map(of);
        for window in &replay.windows {
            let [a, b, c, d, e, f, g, h] =
                cells(&|arm| figure(window.ndcg.get(mode).and_then(|by_arm| by_arm.get(arm))));
            let day = moment(window.from).chars().take(10).collect();
            let n = count(window.shoppers.get(mode).copied().unwrap_or(0));
            table.row([day, n, a, b, c, d, e, f, g, h]);
        }
        let arm_of = |name: &str| replay.arms.iter().find(|arm| arm.name == name);
        let [a, b, c, d, e, f, g, h] = cells(&|name| figure(arm_of(name).and_then(|arm| arm.ndcg.get(mode))));
        table.row(["mean".to_owned(), String::new(), a, b, c, d, e, f, g, h]);
        let kept = |name: &str| arm_of(name).and_then(|arm| arm.retention.get(mode));
        let [a, b, c, d, e, f, g, h] = cells(&|name| kept(name).map_or_else(|| "-".to_owned(), |x| format!("{x:+.4}")));
        table.row(["kept".to_owned(), String::new(), a, b, c, d, e, f, g, h]);
        table.print(out)?;
    }
    out.line("")?;
    out.heading("Verdict")?;
    replay.verdict.iter().try_for_each(|line| evals::wrapped(&clean(line), out))?;
    out.line("")?;
    for arm in &replay.arms {
        evals::wrapped(&clean(&format!("{}: {} ({} steps)", arm.name, arm.what, count(arm.steps))), out)?;
    }
    evals::wrapped("kept: the last encoder on the first window, less the first encoder there", out)?;
    replay.notes.iter().try_for_each(|note| evals::wrapped(&clean(&format!("note: {note}")), out))
}
