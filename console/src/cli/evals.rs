//! `mercer eval`: a report that is read in a minute at 80 columns; `--json` and `--per-user` have everything.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use mercer_shared::client::Client;
use mercer_shared::problem::{Code, Problem, exit};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{
    DifferenceVerdict, EvaluatedSlice, Evaluation, EvaluationRequest, MembershipRequest, ReplayRequest, RunState,
};

use super::explanations::{self, ExplanationArgs};
use super::out::{Done, Out, Stop};
use super::pages::{Paging, more, pages};
use super::table::Table;
use super::{follow, membership, prequential, runs};
use crate::text;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct EvalArgs {
    #[command(subcommand)]
    pub(crate) command: Option<EvalCommand>,
    /// The cut-off: nothing later is known to any method; truth is the window after it [default: the beginning of the last window].
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<Timestamp>,
    /// Length of the lists.
    #[arg(short, long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) k: u32,
    /// Decides intervals, and whatever is trained for the evaluation.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Only start it; `mercer eval show` prints it later.
    #[arg(long, conflicts_with = "per_user")]
    pub(crate) detach: bool,
    /// Also write the values of each shopper, under pseudonyms, as Parquet.
    #[arg(long, value_name = "FILE")]
    pub(crate) per_user: Option<PathBuf>,
    /// Ask instead whether fine-tuning the encoder pays: window after window, against the untuned encoder, one tuned once, and one tuned on shuffled pairs.
    #[arg(long, conflicts_with_all = ["at", "k", "detach", "per_user"])]
    pub(crate) replay: bool,
    /// Windows of the replay; fewer than 8 prove nothing.
    #[arg(long, default_value_t = 8, requires = "replay", value_parser = clap::value_parser!(u32).range(2..=52))]
    pub(crate) windows: u32,
    /// Steps of the encoder per window of the replay.
    #[arg(long, default_value_t = 40, requires = "replay", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) steps: u32,
    /// Seeds of the replay; a claim needs 5.
    #[arg(long, default_value_t = 1, requires = "replay", value_parser = clap::value_parser!(u32).range(1..=20))]
    pub(crate) seeds: u32,
}

impl EvalArgs {
    /// The prequential experiment that the options ask for.
    fn prequential(&self) -> ReplayRequest {
        ReplayRequest {
            windows: Some(self.windows),
            steps: Some(self.steps),
            warm_steps: None,
            seeds: Some(self.seeds),
            seed: self.seed,
        }
    }
}

/// Evaluations that were made.
#[derive(Debug, Subcommand)]
pub(crate) enum EvalCommand {
    /// Evaluations, newest first.
    List(Paging),
    /// Shows an evaluation, by the id of its run.
    Show {
        /// Run, such as r000001.
        id: String,
        /// Also write the values of each shopper, under pseudonyms, as Parquet.
        #[arg(long, value_name = "FILE")]
        per_user: Option<PathBuf>,
    },
    /// Tests whether a version's users can be told from users that were held out of it: share recognised at 1 % false positives.
    Membership {
        /// Version, such as v000002 [default: the serving one].
        #[arg(long, value_name = "VERSION")]
        model: Option<String>,
        /// Decides negatives and intervals.
        #[arg(long)]
        seed: Option<u64>,
        /// Show the test that a run made instead.
        #[arg(long, value_name = "RUN", conflicts_with_all = ["model", "seed"])]
        show: Option<String>,
    },
    /// Replays the reasons of a sample of lists: are the stated ranks true, and does their order beat chance.
    Explanations(ExplanationArgs),
    /// Shows a replay, by the id of its run.
    Replay {
        /// Run, such as r000001.
        id: String,
    },
}

/// Columns of a name in the tables.
const NAME: usize = 16;
/// Slices whose paired differences are printed; `--json` has all.
const PAIRED: [&str; 3] = ["repeat-all", "new-all", "cold"];

/// Runs the command.
pub(crate) async fn run(args: EvalArgs, client: &Client, out: &mut Out) -> Done {
    let (id, per_user) = match args.command {
        Some(EvalCommand::Explanations(args)) => return explanations::run(&args, client, out).await,
        Some(EvalCommand::List(paging)) => {
            let page = pages(paging.limit, async |cursor, limit| client.evaluations(cursor, limit).await).await?;
            if out.json {
                out.document(&page)?;
                return Ok(exit::OK);
            }
            let mut table =
                Table::new().text("run").text("made").text("model").text("cut-off").number("shoppers").title("verdict");
            for one in &page.items {
                table.row([
                    one.id.clone(),
                    text::moment(one.created),
                    one.model.clone(),
                    text::moment(one.at),
                    text::count(one.shoppers),
                    one.verdict.first().cloned().unwrap_or_default(),
                ]);
            }
            if table.is_empty() {
                out.line("no evaluation yet; make one: mercer eval")?;
            } else {
                table.print(out)?;
            }
            more(&page, out)?;
            return Ok(exit::OK);
        }
        Some(EvalCommand::Show { id, per_user }) => (id, per_user),
        Some(EvalCommand::Membership { show: Some(id), .. }) => return membership::show(&id, client, out).await,
        Some(EvalCommand::Membership { model, seed, show: None }) => {
            return membership::run(&MembershipRequest { model, seed }, client, out).await;
        }
        Some(EvalCommand::Replay { id }) => return prequential::show(&id, client, out).await,
        None if args.replay => return prequential::run(&args.prequential(), client, out).await,
        None => {
            let request = EvaluationRequest { at: args.at, k: Some(args.k), seed: args.seed };
            let run = client.evaluate(&request).await?;
            if args.detach {
                if out.json {
                    out.document(&run)?;
                } else {
                    out.line(format!(
                        "{} is {}; read it: mercer eval show {}",
                        run.id,
                        text::word(&run.state),
                        run.id
                    ))?;
                }
                return Ok(exit::OK);
            }
            let run = follow::follow(run, client, out).await?;
            if run.state != RunState::Succeeded {
                return runs::finish(&run, out);
            }
            (run.id, args.per_user)
        }
    };
    let evaluation = client.evaluation(&id).await?;
    if let Some(file) = &per_user {
        save(&id, file, client).await?;
    }
    if out.json {
        out.document(&evaluation)?;
    } else {
        print(&evaluation, out)?;
        if let Some(file) = &per_user {
            out.line(format!("values per shopper: {}", text::clean(&file.display().to_string())))?;
        }
    }
    Ok(exit::OK)
}

async fn save(id: &str, file: &Path, client: &Client) -> Result<(), Problem> {
    let bytes = client.evaluation_shoppers(id).await?;
    tokio::fs::write(file, &bytes)
        .await
        .map_err(|error| Problem::new(Code::BadFile, format!("{}: {error}", file.display())))
}

/// `.4030`, or nothing.
fn short(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}").replacen("0.", ".", 1))
}

/// `+.041 [+.030,+.052]`.
fn difference(slice: Option<&EvaluatedSlice>, arm: &str) -> String {
    let found = slice.and_then(|slice| slice.against.iter().find(|other| other.arm == arm));
    let signed = |value: f64| format!("{value:+.3}").replacen("0.", ".", 1);
    found.map_or_else(
        || "-".to_owned(),
        |d| {
            let mark = match d.verdict {
                DifferenceVerdict::Better => "",
                DifferenceVerdict::Worse => "!",
                DifferenceVerdict::NoDifferenceShown => "~",
                DifferenceVerdict::Insufficient => "?",
            };
            format!("{mark}{} [{},{}]", signed(d.difference), signed(d.low), signed(d.high))
        },
    )
}

/// Prints an evaluation for people.
fn print(evaluation: &Evaluation, out: &mut Out) -> Result<(), Stop> {
    let e = evaluation;
    out.heading(&format!("Evaluation {}: {} and what a shop could use instead", e.id, e.model))?;
    out.wrapped(format!(
        "what {} took from {} to {}; lists of {} as of the beginning, every item ranked",
        text::plural(e.shoppers, "shopper", "shoppers"),
        text::moment(e.at),
        text::moment(e.to),
        e.k
    ))?;
    out.line("")?;
    out.heading(&format!(
        "{:NAME$} {:>15} {:>15} {:>7} {:>16}",
        format!("NDCG@{}", e.k),
        "all items",
        "novel items",
        "cold",
        "all, by shopper"
    ))?;
    let names = ["all", "warm", "all", "warm", "", "light", "heavy"];
    let heads: Vec<String> = names.iter().map(|name| format!("{name:>7}")).collect();
    out.heading(&format!("{:NAME$} {}", "", heads.join(" ")))?;
    let headline = |slice: &EvaluatedSlice, arm: &str| {
        let values = slice.arms.iter().find(|values| values.arm == arm);
        values.and_then(|values| values.values.first()).and_then(|measured| measured.value)
    };
    for arm in &e.arms {
        let cells: Vec<String> =
            e.slices.iter().map(|slice| format!("{:>7}", short(headline(slice, &arm.name)))).collect();
        out.line(format!("{} {}", text::pad(&text::clean(&arm.name), NAME), cells.join(" ")))?;
    }
    let shoppers: Vec<String> = e.slices.iter().map(|slice| format!("{:>7}", text::count(slice.n))).collect();
    out.line(format!("{:NAME$} {}", "shoppers", shoppers.join(" ")))?;
    out.line("")?;
    out.heading("Mercer less each, paired, 95 % (~ none shown, ! worse, ? too few)")?;
    let heads: Vec<String> = PAIRED.iter().map(|name| format!("{:>20}", text::slice(name))).collect();
    out.heading(&format!("{:NAME$} {}", "", heads.join(" ")))?;
    for arm in e.arms.iter().skip(1) {
        let cells: Vec<String> = PAIRED
            .iter()
            .map(|name| difference(e.slices.iter().find(|slice| slice.name == *name), &arm.name))
            .map(|cell| format!("{cell:>20}"))
            .collect();
        out.line(format!("{} {}", text::pad(&text::clean(&arm.name), NAME), cells.join(" ")))?;
    }
    out.line("")?;
    out.heading("Verdict")?;
    e.verdict.iter().try_for_each(|line| out.wrapped(line))?;
    out.line("")?;
    out.heading("Settings")?;
    let chosen = e.tuned_from.map(|from| {
        format!("chosen on {} to {}, the window before the cut-off", text::moment(from), text::moment(e.at))
    });
    out.wrapped(chosen.unwrap_or_else(|| "not chosen: no window before the cut-off".to_owned()))?;
    for arm in &e.arms {
        let mut said: Vec<String> =
            arm.settings.iter().map(|(mode, setting)| format!("{}: {setting}", text::slice(mode))).collect();
        if said.len() == 2 && arm.settings.get("repeat") == arm.settings.get("new") {
            said = arm.settings.get("new").cloned().into_iter().collect();
        }
        let tried = if arm.tried > 1 { format!(" (of {})", arm.tried) } else { String::new() };
        out.wrapped(format!("{}: {}{tried}", arm.name, said.join("; ")))?;
    }
    let border = format!(
        "light: shoppers who bought on at most {} before; heavy: on more",
        text::plural(e.light_baskets.into(), "day", "days")
    );
    out.wrapped(border)?;
    e.notes.iter().try_for_each(|note| out.wrapped(format!("note: {note}")))
}
