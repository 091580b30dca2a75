//! `mercer train` and `mercer runs`.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use mercer_shared::client::Client;
use mercer_shared::problem::exit;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Run, RunPhase, RunState, TrainModel, TrainRequest, Tuning};

use super::args::{EncoderTuning, Paging, RunsCommand, TrainArgs, TrainedModel};
use super::out::{Done, Out, Stop};
use super::table::{Table, facts};
use super::text::{ago, bytes, clean, count, duration, figure, maybe, maybe_moment, moment, word};
use super::{gate, more, pages, pair};

/// Time between two looks at a run.
const LOOK: Duration = Duration::from_millis(500);
/// Looks between two plain lines of the same phase.
const PLAIN_EVERY: u32 = 10;

/// What to ask of a run.
fn request(args: &TrainArgs) -> TrainRequest {
    TrainRequest {
        model: args.model.map(|model| match model {
            TrainedModel::Ranker => TrainModel::Ranker,
            TrainedModel::Pair => TrainModel::Pair,
        }),
        budget_seconds: args.budget,
        seed: args.seed,
        encoder: args.no_encoder.then_some(false),
        tuning: args.tuning.map(|tuning| match tuning {
            EncoderTuning::Lora => Tuning::Lora,
            EncoderTuning::Adalora => Tuning::Adalora,
            EncoderTuning::Full => Tuning::Full,
        }),
        promote: if args.promote { Some(true) } else { args.no_promote.then_some(false) },
        holdout: args.holdout.then_some(true),
    }
}

/// `mercer train`.
pub(crate) async fn run(args: &TrainArgs, client: &Client, out: &mut Out) -> Done {
    let run = client.train(&request(args)).await?;
    if !args.wait {
        if out.json {
            out.document(&run)?;
        } else {
            out.line(format!("run {} is {}; follow it: mercer runs show {}", run.id, word(&run.state), run.id))?;
        }
        return Ok(exit::OK);
    }
    let run = follow(run, client, out).await?;
    finish(&run, out)
}

/// Prints a run that has ended; what the command exits with.
pub(crate) fn finish(run: &Run, out: &mut Out) -> Done {
    if out.json {
        out.document(run)?;
    } else {
        show(run, out)?;
    }
    Ok(code(run.state))
}

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
fn progress(run: &Run) -> String {
    let mut parts = vec![match run.state {
        RunState::Running => word(&run.phase),
        state => word(&state),
    }];
    if run.steps > 0 {
        parts.push(format!("step {} of {}", count(run.step), count(run.steps)));
    }
    parts.extend(run.loss.map(|loss| format!("loss {}", figure(loss))));
    parts.extend(run.items_per_second.map(|rate| format!("{rate:.0} items/s")));
    parts.extend(run.eta_seconds.map(|eta| format!("ETA {}", duration(eta))));
    parts.join(", ")
}

/// `mercer runs`.
pub(crate) async fn runs(command: Option<RunsCommand>, client: &Client, out: &mut Out) -> Done {
    let run = match command.unwrap_or(RunsCommand::List(Paging { limit: 50 })) {
        RunsCommand::List(paging) => return list(paging, client, out).await,
        RunsCommand::Show { id } => client.run(&id).await?,
        RunsCommand::Cancel { id } => client.cancel(&id).await?,
        RunsCommand::Compare { first, second } => return super::compare::run(&first, &second, client, out).await,
        RunsCommand::Export { id, tensorboard, ndjson } => {
            return super::export::run(&id, tensorboard.as_deref(), ndjson.as_deref(), client, out).await;
        }
    };
    if out.json {
        out.document(&run)?;
    } else {
        show(&run, out)?;
    }
    Ok(exit::OK)
}

async fn list(paging: Paging, client: &Client, out: &mut Out) -> Done {
    let page = pages(paging.limit, async |cursor, limit| client.runs(cursor, limit).await).await?;
    if out.json {
        out.document(&page)?;
        return Ok(exit::OK);
    }
    let mut table = Table::new()
        .text("run")
        .text("kind")
        .text("state")
        .text("phase")
        .text("cause")
        .text("asked")
        .text("took")
        .number("loss")
        .text("gate")
        .text("model");
    for run in &page.items {
        table.row([
            run.id.clone(),
            word(&run.record.kind),
            word(&run.state),
            word(&run.phase),
            word(&run.cause),
            moment(run.created),
            took(run),
            maybe(run.loss),
            run.gate.as_ref().map_or_else(|| "-".to_owned(), |gate| word(&gate.verdict)),
            run.model.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    if table.is_empty() {
        out.line("no training run yet; start one: mercer train")?;
    } else {
        table.print(out)?;
    }
    more(&page, out)?;
    Ok(exit::OK)
}

fn took(run: &Run) -> String {
    run.started.map_or_else(|| "-".to_owned(), |started| ago(started, run.ended.unwrap_or_else(Timestamp::now)))
}

/// Prints a run without the gate's numbers and without its log.
pub(crate) fn head(run: &Run, out: &mut Out) -> Result<(), Stop> {
    out.heading(&format!("Run {}: {}", run.id, progress(run)))?;
    facts(
        out,
        &[
            ("kind", word(&run.record.kind)),
            ("cause", word(&run.cause)),
            ("asked", moment(run.created)),
            ("started", maybe_moment(run.started)),
            ("ended", maybe_moment(run.ended)),
            ("took", took(run)),
            ("device", run.device.clone()),
            ("peak memory", bytes(run.memory_bytes)),
            ("seed", run.seed.to_string()),
            ("model", run.model.clone().unwrap_or_else(|| "-".to_owned())),
        ],
    )?;
    if let (Some(first), Some(last)) = (run.losses.first(), run.losses.last()) {
        out.line(format!(
            "loss {} at step {}, {} at step {}",
            figure(first.loss),
            first.step,
            figure(last.loss),
            last.step
        ))?;
    }
    if let Some(error) = &run.error {
        out.line(format!("error: {}", clean(error)))?;
    }
    Ok(())
}

/// Prints what each phase took.
fn phases(run: &Run, out: &mut Out) -> Result<(), Stop> {
    if run.phases.is_empty() {
        return Ok(());
    }
    out.line("")?;
    out.heading("Phases")?;
    let mut table = Table::new().text("phase").number("seconds").number("CPU seconds");
    for cost in &run.phases {
        table.row([word(&cost.phase), format!("{:.1}", cost.seconds), format!("{:.1}", cost.cpu_seconds)]);
    }
    table.print(out)
}

/// Prints all of a run.
pub(crate) fn show(run: &Run, out: &mut Out) -> Result<(), Stop> {
    head(run, out)?;
    if let Some(report) = &run.gate {
        out.line("")?;
        gate::print(report, out)?;
    }
    if let Some(report) = &run.pair {
        out.line("")?;
        pair::print(report, out)?;
    }
    phases(run, out)?;
    if !run.log.is_empty() {
        out.line("")?;
        out.heading("Log")?;
        run.log.iter().try_for_each(|line| out.line(clean(line)))?;
    }
    Ok(())
}
