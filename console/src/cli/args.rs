//! What the command line takes. These forms are a contract: scripts rely on them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use mercer_shared::filter::Filter;
use mercer_shared::ids::{ItemId, UserId};
use mercer_shared::socket::SOCKET_VARIABLE;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{Candidates, ListQuery, Mode, ReportKind};

pub(crate) use super::args_change::{
    DemoArgs, EncoderTuning, ImportArgs, InteractArgs, TrainArgs, TrainedModel, UserArgs,
};
pub(crate) use super::args_learn::{EvalArgs, EvalCommand, RunsCommand, SweepArgs};

/// Watches and steers a running mercerd. Without a command: the console on a terminal, `status` otherwise.
#[derive(Debug, Parser)]
#[command(
    name = "mercer",
    version,
    after_help = "Exit codes: 0 ok, 1 failed, 2 usage, 3 daemon not running, 4 refused or conflict."
)]
pub(crate) struct Cli {
    /// Socket of the daemon [default: mercer.sock in $MERCER_STATE, else where mercerd puts it].
    #[arg(long, global = true, value_name = "PATH", env = SOCKET_VARIABLE, hide_env_values = true)]
    pub(crate) socket: Option<PathBuf>,
    /// Print the wire's documents: one JSON document, or one a line for streams.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// What serves, since when, traffic, queue, training, alarms.
    Status,
    /// Sends files into the daemon and prints a report that adds up.
    Import(ImportArgs),
    /// Starts a training run.
    Train(TrainArgs),
    /// Judges Mercer and what a shop could pick instead on what shoppers took after a moment.
    Eval(EvalArgs),
    /// Trains rankers with other settings, within a budget, and judges them on the window before the gate's.
    Sweep(SweepArgs),
    /// Model versions: list, show, promote, roll back, pin.
    Models {
        #[command(subcommand)]
        command: Option<ModelsCommand>,
    },
    /// Runs: list, show, cancel, compare, export.
    Runs {
        #[command(subcommand)]
        command: Option<RunsCommand>,
    },
    /// Lists shoppers.
    Users(Listing),
    /// Shows or changes what a shopper declared and agreed to.
    User(UserArgs),
    /// Lists items of the catalogue, or shows one.
    Items(ItemsArgs),
    /// Records one interaction.
    Interact(InteractArgs),
    /// What is known of a shopper, and from which events.
    Profile(ProfileArgs),
    /// Recommends items to a shopper, or to many.
    Recommend(RecommendArgs),
    /// Searches the catalogue, for one query or many.
    Search(SearchArgs),
    /// Items related to an item.
    Related(RelatedArgs),
    /// What is popular now.
    Trending(TrendingArgs),
    /// Quality, diversity or fairness of a model version.
    Report(ReportArgs),
    /// Follows what happens, live.
    Events,
    /// What the agent decided and why.
    Decisions(Paging),
    /// Who changed what.
    Audit(Paging),
    /// Writes the whole state as NDJSON to standard output.
    Export,
    /// Erases every trace of a shopper.
    Erase(EraseArgs),
    /// Encoders: list, add.
    Encoder {
        #[command(subcommand)]
        command: EncoderCommand,
    },
    /// Shows a simulated shop on a private daemon.
    Demo(DemoArgs),
    /// Prints the manual in Markdown.
    Manual,
}

/// Model versions.
#[derive(Debug, Subcommand)]
pub(crate) enum ModelsCommand {
    /// All versions, newest first.
    List,
    /// One version with its numbers.
    Show { version: String },
    /// Makes a version answer from now on.
    Promote { version: String },
    /// Goes back to the version that served before.
    Rollback,
    /// Keeps a version when old ones are deleted.
    Pin { version: String },
    /// No longer keeps it.
    Unpin { version: String },
}

/// Encoders.
#[derive(Debug, Subcommand)]
pub(crate) enum EncoderCommand {
    /// Installed encoders.
    List,
    /// Checks and installs one.
    Add {
        /// A directory in Hugging Face layout, or a hub repository `owner/name`.
        #[arg(value_name = "DIR|REPO")]
        source: String,
        /// Build new model versions on it.
        #[arg(long)]
        activate: bool,
    },
}

/// How much of a collection.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Paging {
    /// At most so many rows.
    #[arg(short = 'n', long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
}

/// A collection that can be narrowed.
#[derive(Debug, Args)]
pub(crate) struct Listing {
    /// Start of the id.
    pub(crate) prefix: Option<String>,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

#[derive(Debug, Args)]
pub(crate) struct ItemsArgs {
    /// Start of the id, or words of the title.
    #[arg(conflicts_with = "id")]
    pub(crate) words: Option<String>,
    /// Show this item alone.
    #[arg(long, value_name = "ITEM")]
    pub(crate) id: Option<ItemId>,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

#[derive(Debug, Args)]
pub(crate) struct ProfileArgs {
    pub(crate) user: UserId,
    /// As of that moment: RFC 3339, or a date.
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<Timestamp>,
}

/// Checks a filter here, so that a slip is a usage error; the daemon reads the same text.
fn filter(text: &str) -> Result<String, String> {
    text.parse::<Filter>().map(|filter| filter.to_string()).map_err(|error| error.to_string())
}

/// What every list takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct ListArgs {
    /// How many items.
    #[arg(short, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) k: u32,
    /// Answer as of that moment (RFC 3339, or a date), from interactions up to it only.
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<Timestamp>,
    /// new: leave out what the shopper bought; repeat: do not.
    #[arg(long, value_name = "new|repeat")]
    pub(crate) mode: Option<Mode>,
    /// Which items may appear.
    #[arg(long, value_name = "all|warm|cold")]
    pub(crate) candidates: Option<Candidates>,
    /// Conditions, such as `category:Home,brand:Acme|Apex,price:10..50,stock`.
    #[arg(long, value_name = "FILTER", value_parser = filter)]
    pub(crate) filter: Option<String>,
    /// Say why each item is there.
    #[arg(long)]
    pub(crate) reasons: bool,
}

impl ListArgs {
    /// The wire's form of it.
    pub(crate) fn query(&self) -> ListQuery {
        ListQuery {
            k: Some(self.k),
            filter: self.filter.clone(),
            at: self.at,
            mode: self.mode,
            candidates: self.candidates,
            reasons: self.reasons.then_some(true),
        }
    }
}

/// Forms of output beside the usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// One line a list: the ids and scores alone.
    Ndjson,
}

#[derive(Debug, Args)]
pub(crate) struct RecommendArgs {
    #[arg(required_unless_present = "users", conflicts_with = "users")]
    pub(crate) user: Option<UserId>,
    /// A file with one shopper id a line; `-` is standard input. Implies `--output ndjson`.
    #[arg(long, value_name = "FILE")]
    pub(crate) users: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) list: ListArgs,
    /// ndjson: `{"user": ..., "items": [{"id": ..., "score": ...}]}` a line, in the order asked.
    #[arg(long)]
    pub(crate) output: Option<Form>,
}

#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    #[arg(required_unless_present = "queries", conflicts_with = "queries")]
    pub(crate) query: Option<String>,
    /// A file with `{"id": ..., "text": ...}` a line; `-` is standard input. Implies `--output ndjson`.
    #[arg(long, value_name = "FILE")]
    pub(crate) queries: Option<PathBuf>,
    /// Lean towards this shopper's taste.
    #[arg(long)]
    pub(crate) user: Option<UserId>,
    #[command(flatten)]
    pub(crate) list: ListArgs,
    /// ndjson: `{"query": ..., "items": [{"id": ..., "score": ...}]}` a line, in the order asked.
    #[arg(long)]
    pub(crate) output: Option<Form>,
}

#[derive(Debug, Args)]
pub(crate) struct RelatedArgs {
    pub(crate) item: ItemId,
    #[command(flatten)]
    pub(crate) list: ListArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TrendingArgs {
    #[command(flatten)]
    pub(crate) list: ListArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// quality, diversity or fairness.
    pub(crate) kind: ReportKind,
    /// Of this version instead of the serving one.
    #[arg(long, value_name = "VERSION")]
    pub(crate) model: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct EraseArgs {
    pub(crate) user: UserId,
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
}
