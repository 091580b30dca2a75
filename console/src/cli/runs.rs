//! `mercer runs`: training runs; list, show, cancel, compare, export.

use std::path::PathBuf;

use clap::Subcommand;
use mercer_shared::client::Client;
use mercer_shared::problem::exit;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::Run;

use super::follow::{code, progress};
use super::out::{Done, Out, Stop};
use super::pages::{Paging, more, pages};
use super::table::{Table, facts};
use super::{compare, cross_encoder, export, gate};
use crate::text;

/// Training runs.
#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// Runs, newest first.
    List(Paging),
    /// One run with its log and the gate's numbers.
    Show {
        /// Run, such as r000001.
        id: String,
    },
    /// Stops a run.
    Cancel {
        /// Run, such as r000001.
        id: String,
    },
    /// What two runs differ in, and what each came to.
    Compare {
        /// Run, such as r000001.
        #[arg(value_name = "A")]
        first: String,
        /// The run it is compared with.
        #[arg(value_name = "B")]
        second: String,
    },
    /// Writes a run's settings, curves and numbers for other programs.
    #[command(group = clap::ArgGroup::new("into").required(true).multiple(true).args(["tensorboard", "ndjson"]))]
    Export {
        /// Run, such as r000001.
        id: String,
        /// A directory for TensorBoard event files; each run gets a directory of its own in it.
        #[arg(long, value_name = "DIR")]
        tensorboard: Option<PathBuf>,
        /// One document a line; `-` is standard output.
        #[arg(long, value_name = "FILE")]
        ndjson: Option<PathBuf>,
    },
}

/// `mercer runs`.
pub(crate) async fn run(command: Option<RunsCommand>, client: &Client, out: &mut Out) -> Done {
    let run = match command.unwrap_or(RunsCommand::List(Paging { limit: 50 })) {
        RunsCommand::List(paging) => return list(paging, client, out).await,
        RunsCommand::Show { id } => client.run(&id).await?,
        RunsCommand::Cancel { id } => client.cancel(&id).await?,
        RunsCommand::Compare { first, second } => return compare::run(&first, &second, client, out).await,
        RunsCommand::Export { id, tensorboard, ndjson } => {
            return export::run(&id, tensorboard.as_deref(), ndjson.as_deref(), client, out).await;
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
            text::word(&run.record.kind),
            text::word(&run.state),
            text::phase(&run.phase),
            text::word(&run.cause),
            text::moment(run.created),
            took(run),
            text::maybe(run.loss),
            run.gate.as_ref().map_or_else(|| "-".to_owned(), |gate| text::word(&gate.verdict)),
            run.model.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    if table.is_empty() {
        out.line("no run yet; start one: mercer train")?;
    } else {
        table.print(out)?;
    }
    more(&page, out)?;
    Ok(exit::OK)
}

fn took(run: &Run) -> String {
    run.started
        .map_or_else(|| "-".to_owned(), |started| text::between(started, run.ended.unwrap_or_else(Timestamp::now)))
}

/// Prints a run without the gate's numbers and without its log.
pub(crate) fn head(run: &Run, out: &mut Out) -> Result<(), Stop> {
    out.heading(&format!("Run {}: {}", run.id, progress(run)))?;
    facts(
        out,
        &[
            ("kind", text::word(&run.record.kind)),
            ("cause", text::word(&run.cause)),
            ("asked", text::moment(run.created)),
            ("started", text::maybe_moment(run.started)),
            ("ended", text::maybe_moment(run.ended)),
            ("took", took(run)),
            ("device", run.device.clone()),
            ("peak memory", text::bytes(run.memory_bytes)),
            ("seed", run.seed.to_string()),
            ("model", run.model.clone().unwrap_or_else(|| "-".to_owned())),
        ],
    )?;
    if let (Some(first), Some(last)) = (run.losses.first(), run.losses.last()) {
        out.line(format!(
            "loss {} at step {}, {} at step {}",
            text::value(first.loss),
            first.step,
            text::value(last.loss),
            last.step
        ))?;
    }
    if let Some(error) = &run.error {
        out.line(format!("error: {}", text::clean(error)))?;
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
        table.row([text::phase(&cost.phase), format!("{:.1}", cost.seconds), format!("{:.1}", cost.cpu_seconds)]);
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
        cross_encoder::print(report, out)?;
    }
    phases(run, out)?;
    if !run.log.is_empty() {
        out.line("")?;
        out.heading("Log")?;
        run.log.iter().try_for_each(|line| out.line(text::clean(line)))?;
    }
    Ok(())
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
