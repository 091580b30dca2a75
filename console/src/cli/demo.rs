//! `mercer demo`: a simulated shop on a private daemon, as a console on a terminal and as a script elsewhere.

mod daemon;
mod shop;

use std::time::Duration;

use clap::Args;
use mercer_shared::client::Client;
use mercer_shared::problem::{Code, Problem, exit};
use mercer_shared::wire::{GateVerdict, ImportQuery, ReportKind, Run, RunState, TrainRequest};
use tokio::signal::unix::{SignalKind, signal};

use super::lists::{ListArgs, RecommendArgs, SearchArgs};
use super::models::ModelsCommand;
use super::out::{Done, Out, Stop};
use super::report_args::ReportArgs;
use super::{follow, gate, import, lists, models, reports, runs, status};
use daemon::Daemon;
use shop::Shop;

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct DemoArgs {
    /// Decides everything about the simulated shop and the training run.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// Leave the state directory behind.
    #[arg(long)]
    pub(crate) keep: bool,
}

/// Seconds that the cycle is to fit into: the whole tour is to end within two minutes. With sixty, half as many shoppers are judged, and
/// whether the gate lets the candidate through depends on the hour at which the shop ends.
const BUDGET_SECONDS: u64 = 90;
/// Items of a list that is shown.
const SHOWN: u32 = 5;
/// How often and how long to wait until every item has its vector.
const LOOK: Duration = Duration::from_millis(500);
const LOOKS: u32 = 600;
/// Added to the number of a signal for the exit code, as shells do.
const INTERRUPTED: u8 = 128 + 2;

/// Runs the demo; the daemon and its directory are gone afterwards.
pub(crate) async fn run(args: DemoArgs, out: &mut Out) -> Done {
    let mut interrupts = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    let [interrupt, terminate, hangup] = &mut interrupts;
    let (Ok(interrupt), Ok(terminate), Ok(hangup)) = (interrupt, terminate, hangup) else {
        return Err(Problem::new(Code::Internal, "signals cannot be caught").into());
    };
    if !out.json {
        out.heading("Mercer demo: a SIMULATED shop on a private daemon. No real shopper or item is in it.")?;
        out.flush()?;
    }
    let mut daemon = Daemon::prepare(args.keep)?;
    let done = tokio::select! {
        done = tour(args, &mut daemon, out) => done,
        _ = interrupt.recv() => Ok(INTERRUPTED),
        _ = terminate.recv() => Ok(INTERRUPTED),
        _ = hangup.recv() => Ok(INTERRUPTED),
    };
    daemon.stop().await;
    if args.keep {
        out.say(format!("the simulated shop stays in {}", daemon.dir().display()))?;
    }
    done
}

async fn tour(args: DemoArgs, daemon: &mut Daemon, out: &mut Out) -> Done {
    daemon.start().await?;
    let client = Client::new(daemon.socket());
    if out.terminal && !out.json && std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        return attach(args, daemon, &client, out).await;
    }
    let mut tour = Tour { client: &client, out, number: 0, failed: Vec::new() };
    tour.tell(args, daemon).await?;
    let failed = std::mem::take(&mut tour.failed);
    if failed.is_empty() {
        return Ok(exit::OK);
    }
    out.say(format!("mercer: steps of the demo that failed: {}", failed.join(", ")))?;
    Ok(exit::FAILED)
}

/// On a terminal: imports the shop, trains in the background and shows the console.
async fn attach(args: DemoArgs, daemon: &Daemon, client: &Client, out: &mut Out) -> Done {
    ingest(args.seed, daemon, client, out).await?;
    out.flush()?;
    let (socket, trainer) = (daemon.socket().to_owned(), client.clone());
    let training = tokio::spawn(async move {
        ready(&trainer, async |_, _| Ok(())).await?;
        trainer.train(&training(args.seed)).await.map_err(Stop::from)
    });
    let code = tokio::task::spawn_blocking(move || crate::tui::run(socket))
        .await
        .map_err(|error| Problem::new(Code::Internal, format!("the console broke: {error}")))?;
    // Whoever leaves before the vectors are there leaves without a run; a refused run is told.
    if training.is_finished()
        && let Ok(Err(refused)) = training.await
    {
        return Err(refused);
    }
    Ok(code)
}

fn training(seed: u64) -> TrainRequest {
    TrainRequest {
        budget_seconds: Some(BUDGET_SECONDS),
        seed: Some(seed),
        promote: Some(false),
        ..TrainRequest::default()
    }
}

/// Simulates a shop and sends it in.
async fn ingest(seed: u64, daemon: &Daemon, client: &Client, out: &mut Out) -> Result<Shop, Stop> {
    let file = daemon.simulate(seed).await?;
    let query = ImportQuery {
        file: "simulated-shop.ndjson".to_owned(),
        format: Some("ndjson".to_owned()),
        kind: Some("export".to_owned()),
        ..ImportQuery::default()
    };
    let report = import::send(&query, &file, client, out).await?;
    if !report.adds_up() || !report.rejected.is_empty() || report.accepted == 0 {
        return Err(Problem::new(Code::Internal, "the simulated shop did not go in whole").into());
    }
    Ok(Shop::read(&file)?)
}

/// Waits until every item has its vector, so that search uses meaning; reports progress now and then.
async fn ready(client: &Client, mut tell: impl AsyncFnMut(u64, u64) -> Result<(), Stop>) -> Result<(), Stop> {
    for look in 0..LOOKS {
        let counts = client.status().await?.counts;
        if counts.items > 0 && counts.embedded >= counts.items {
            return Ok(());
        }
        if look % 20 == 0 {
            tell(counts.embedded, counts.items).await?;
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(Problem::new(Code::Internal, "the items got no vectors in time").into())
}

/// The same as a script, step by step.
struct Tour<'a> {
    client: &'a Client,
    out: &'a mut Out,
    number: u32,
    failed: Vec<&'static str>,
}

impl Tour<'_> {
    /// Runs one step under its title. A failed step is reported and counted; only a closed output ends the tour.
    async fn step<T>(
        &mut self,
        title: &'static str,
        step: impl AsyncFnOnce(&Client, &mut Out) -> Result<T, Stop>,
    ) -> Result<Option<T>, Stop> {
        self.number += 1;
        if self.out.json {
            self.out.record(&serde_json::json!({"step": title, "number": self.number, "simulated": true}))?;
        } else {
            self.out.line("")?;
            self.out.heading(&format!("== {}. {title} (simulated) ==", self.number))?;
        }
        let done = step(self.client, self.out).await;
        match done {
            Ok(value) => {
                self.out.flush()?;
                Ok(Some(value))
            }
            Err(Stop::Problem(problem)) => {
                self.out.problem(&problem)?;
                self.failed.push(title);
                Ok(None)
            }
            Err(output) => Err(output),
        }
    }

    async fn tell(&mut self, args: DemoArgs, daemon: &Daemon) -> Result<(), Stop> {
        let shop = self
            .step("Ingest", async |client, out| {
                let shop = ingest(args.seed, daemon, client, out).await?;
                ready(client, async |embedded, items| {
                    if out.json { Ok(()) } else { out.say(format!("{embedded} of {items} items have their vector")) }
                })
                .await?;
                status::run(client, out).await?;
                Ok(shop)
            })
            .await?;
        let Some(shop) = shop else { return Ok(()) };
        let run = self.step("Train", async |client, out| trained(args.seed, client, out).await).await?;
        if let Some(run) = run {
            self.step("Gate", async |_, out| verdict(&run, out)).await?;
            self.step("Promote", async |client, out| promoted(&run, client, out).await).await?;
        }
        self.step("Recommend", async |client, out| recommend(&shop, false, client, out).await).await?;
        self.step("Explain", async |client, out| recommend(&shop, true, client, out).await).await?;
        self.step("Search in English", async |client, out| search(&shop.english, client, out).await).await?;
        self.step("Search in Chinese", async |client, out| search(&shop.chinese, client, out).await).await?;
        for (title, kind) in [
            ("Report: quality", ReportKind::Quality),
            ("Report: diversity", ReportKind::Diversity),
            ("Report: fairness", ReportKind::Fairness),
        ] {
            let args = ReportArgs::of(kind);
            self.step(title, async |client, out| reports::run(&args, client, out).await).await?;
        }
        Ok(())
    }
}

/// One training run with a small budget, to its end.
async fn trained(seed: u64, client: &Client, out: &mut Out) -> Result<Run, Stop> {
    let run = client.train(&training(seed)).await?;
    let run = follow::follow(run, client, out).await?;
    if out.json {
        out.document(&run)?;
    } else {
        runs::head(&run, out)?;
    }
    match run.state {
        RunState::Succeeded => Ok(run),
        _ => Err(Problem::new(Code::Internal, format!("the training run {} did not succeed", run.id)).into()),
    }
}

/// Prints the gate's decision. A rejection with its numbers is a correct result, not a failure.
fn verdict(run: &Run, out: &mut Out) -> Result<(), Stop> {
    match &run.gate {
        Some(report) if out.json => out.document(report),
        Some(report) => gate::print(report, out),
        None => Err(Problem::new(Code::Internal, format!("the run {} ended without a gate", run.id)).into()),
    }
}

/// Promotes the candidate that passed the gate. A rejected one is promoted by hand and rolled back at once, to show
/// both commands.
async fn promoted(run: &Run, client: &Client, out: &mut Out) -> Result<(), Stop> {
    let passed = run.gate.as_ref().is_some_and(|gate| gate.verdict == GateVerdict::Promote);
    let Some(version) = run.model.clone() else {
        return Err(Problem::new(Code::NotFound, format!("the run {} left no model version", run.id)).into());
    };
    if !passed && !out.json {
        out.line("The gate did not let the candidate through: Mercer goes on with what it had.")?;
        out.line("An operator may still promote it by hand, and go back:")?;
    }
    models::run(Some(ModelsCommand::Promote { version }), client, out).await?;
    if !passed {
        models::run(Some(ModelsCommand::Rollback), client, out).await?;
    }
    Ok(())
}

fn list(reasons: bool) -> ListArgs {
    ListArgs {
        k: SHOWN,
        at: None,
        mode: None,
        candidates: None,
        filter: None,
        reasons,
        out_of_stock: None,
        profiling: None,
        placement: None,
    }
}

async fn recommend(shop: &Shop, reasons: bool, client: &Client, out: &mut Out) -> Result<(), Stop> {
    if !out.json {
        out.line(format!("for {}, the simulated shopper with most purchases", shop.user))?;
    }
    let args = RecommendArgs { user: Some(shop.user.clone()), users: None, list: list(reasons), output: None };
    lists::recommend(&args, client, out).await.map(drop)
}

async fn search(query: &str, client: &Client, out: &mut Out) -> Result<(), Stop> {
    if !out.json {
        out.line(format!("\"{query}\", a search of the simulated log"))?;
    }
    let args = SearchArgs { query: Some(query.to_owned()), queries: None, user: None, list: list(false), output: None };
    lists::search(&args, client, out).await.map(drop)
}
