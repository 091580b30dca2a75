//! Follows a run to its end: a bar on a terminal, a line now and then otherwise.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use mercer_shared::client::Client;
use mercer_shared::problem::exit;
use mercer_shared::wire::{Run, RunPhase, RunState};

use mercer_shared::time::Timestamp;

use super::out::{Out, Stop};
use crate::progress::Remaining;
use crate::text;

/// Time between two looks at a run.
const LOOK: Duration = Duration::from_millis(500);
/// Looks between two plain lines of the same phase.
const PLAIN_EVERY: u32 = 10;

/// What `--wait` exits with.
pub(crate) fn code(state: RunState) -> u8 {
    match state {
        RunState::Succeeded => exit::OK,
        RunState::Cancelled => exit::REFUSED,
        _ => exit::FAILED,
    }
}

/// Watches a run until nothing more will happen to it.
pub(crate) async fn follow(mut run: Run, client: &Client, out: &mut Out) -> Result<Run, Stop> {
    let bar = out.bars.then(|| {
        let bar = ProgressBar::new(0).with_prefix(run.id.clone());
        if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:24}] {msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        bar
    });
    let mut told: Option<(RunState, RunPhase)> = None;
    let mut quiet = 0;
    while !run.state.is_final() {
        if let Some(bar) = &bar {
            bar.set_length(run.steps);
            bar.set_position(run.step);
            bar.set_message(progress(&run));
        } else if !out.json {
            quiet += 1;
            if told != Some((run.state, run.phase)) || quiet >= PLAIN_EVERY {
                told = Some((run.state, run.phase));
                quiet = 0;
                out.say(format!("{}: {}", run.id, progress(&run)))?;
            }
        }
        tokio::time::sleep(LOOK).await;
        run = client.run(&run.id).await?;
    }
    if let Some(bar) = &bar {
        bar.finish_and_clear();
    }
    Ok(run)
}

/// Phase, step, loss, rate and the time that is left, in a line.
pub(crate) fn progress(run: &Run) -> String {
    let mut parts = vec![match run.state {
        RunState::Running => text::phase(&run.phase),
        state => text::word(&state),
    }];
    if run.steps > 0 {
        parts.push(format!("step {} of {}", text::count(run.step), text::count(run.steps)));
    }
    parts.extend(run.loss.map(|loss| format!("loss {}", text::value(loss))));
    parts.extend(run.items_per_second.map(|rate| format!("{} items/s", text::rate(rate))));
    // The moments of a run are the daemon's; on one machine its clock is this one's.
    parts.extend(Remaining::of(run, Timestamp::now()).words());
    parts.join(", ")
}
