//! The command line: every screen's content as a subcommand, for people and, with `--json`, for scripts. Each command stands
//! in a file of its own with the arguments it takes; adding one means that file, a variant of [`Command`] and its line in
//! [`run`]. The forms are a contract: scripts rely on them.

mod audit;
mod budget;
mod bulk;
mod compare;
mod consent;
mod cross_encoder;
mod demo;
mod encoders;
mod evals;
mod experiments;
mod explanations;
mod export;
mod follow;
mod gate;
mod import;
mod interact;
mod items;
mod lists;
mod logs;
mod manual;
mod membership;
mod mitigation;
mod models;
mod out;
mod pages;
mod prequential;
mod profile;
mod ranking_parameters;
mod report_args;
mod report_files;
mod report_tables;
mod reports;
mod runs;
mod status;
mod stored_reports;
mod suggest;
mod sweep;
mod table;
mod tensorboard;
mod train;
mod user_data;
mod users;

#[cfg(test)]
mod tests;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser, Subcommand};
use mercer_shared::client::Client;
use mercer_shared::problem::{Code, Problem, exit};
use mercer_shared::socket::{SOCKET_VARIABLE, STATE_VARIABLE, default_socket};

use audit::AuditArgs;
use demo::DemoArgs;
use encoders::EncoderCommand;
use evals::EvalArgs;
use experiments::{CounterfactualArgs, ExposureArgs, InterleaveCommand};
use import::ImportArgs;
use interact::InteractArgs;
use items::ItemsArgs;
use lists::{RecommendArgs, RelatedArgs, SearchArgs, TrendingArgs};
use mitigation::MitigationCommand;
use models::ModelsCommand;
use out::{Done, Out};
use pages::Paging;
use profile::ProfileArgs;
use report_args::ReportArgs;
use runs::RunsCommand;
use stored_reports::ReportsArgs;
use sweep::SweepArgs;
use train::TrainArgs;
use users::{EraseArgs, UserArgs, UsersArgs};

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
    /// Compares Mercer with other methods: makes lists as of a past moment, counts what shoppers then took.
    Eval(EvalArgs),
    /// Trains rankers with other settings, within a budget, and judges them on the window before the gate's.
    Sweep(SweepArgs),
    /// Model versions: list, show, promote, roll back, pin.
    #[command(visible_alias = "model")]
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
    Users(UsersArgs),
    /// Shows or changes what a shopper declared and agreed to, and exports or erases it.
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
    /// Items that sell more than they used to.
    Trending(TrendingArgs),
    /// Quality, diversity or fairness of a model version.
    Report(ReportArgs),
    /// Stored reports, newest first.
    Reports(ReportsArgs),
    /// Re-ranking of the lists of a placement: list, show, set, what-if, undo, off.
    #[command(after_long_help = mitigation::examples())]
    Mitigation {
        #[command(subcommand)]
        command: Option<MitigationCommand>,
    },
    /// What was really shown: exposure in the lists that went out.
    Exposure(ExposureArgs),
    /// What a version would have earned at places that exploration filled.
    Counterfactual(CounterfactualArgs),
    /// Interleaves a version with the serving one and counts what shoppers prefer.
    Interleave {
        #[command(subcommand)]
        command: InterleaveCommand,
    },
    /// Follows what happens, live.
    Events,
    /// What the agent decided and why.
    Decisions(Paging),
    /// Who changed what; checks that the log is whole.
    Audit(AuditArgs),
    /// Writes items, users and interactions as NDJSON to standard output.
    Export,
    /// Erases a shopper, and names the model versions that were trained on their events.
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

/// Runs the program; returns its exit code.
pub(crate) fn main() -> u8 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(refusal) => return usage(refusal),
    };
    let socket = socket(&cli);
    if cli.command.is_none() && !cli.json && std::io::stdout().is_terminal() && std::io::stdin().is_terminal() {
        return crate::tui::run(socket);
    }
    let mut out = Out::standard(cli.json);
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return out.end(Err(Problem::new(Code::Internal, format!("no runtime: {error}")).into()));
        }
    };
    let done = runtime.block_on(run(cli, &socket, &mut out));
    // A thread may still wait for standard input.
    runtime.shutdown_background();
    out.end(done)
}

/// Prints what is wrong with the arguments. Help and version are answers, not errors.
fn usage(refusal: clap::Error) -> u8 {
    let refusal = suggest::near_ones_only(refusal);
    let json = std::env::args_os().any(|arg| arg == "--json");
    if refusal.use_stderr() && json {
        let text = refusal.render().to_string();
        let problem = Problem::new(Code::BadParameter, text.trim().trim_start_matches("error: "));
        return Out::standard(true).end(Err(problem.into()));
    }
    // A closed pipe is the reader's choice.
    let _ = refusal.print();
    u8::try_from(refusal.exit_code()).unwrap_or(exit::USAGE)
}

/// The socket to use: the named one, the one in the state directory, or the default of daemons.
fn socket(cli: &Cli) -> PathBuf {
    let state = std::env::var_os(STATE_VARIABLE).filter(|state| !state.is_empty()).map(PathBuf::from);
    match &cli.socket {
        Some(socket) if !socket.as_os_str().is_empty() => socket.clone(),
        _ => default_socket(state.as_deref()),
    }
}

/// Runs one command against the daemon behind the socket.
pub(crate) async fn run(cli: Cli, socket: &Path, out: &mut Out) -> Done {
    let client = Client::new(socket);
    match cli.command.unwrap_or(Command::Status) {
        Command::Status => status::run(&client, out).await,
        Command::Import(args) => import::run(&args, &client, out).await,
        Command::Train(args) => train::run(&args, &client, out).await,
        Command::Eval(args) => evals::run(args, &client, out).await,
        Command::Sweep(args) => sweep::run(&args, &client, out).await,
        Command::Models { command } => models::run(command, &client, out).await,
        Command::Runs { command } => runs::run(command, &client, out).await,
        Command::Users(args) => users::users(&args, &client, out).await,
        Command::User(args) => users::user(args, &client, out).await,
        Command::Items(args) => items::run(&args, &client, out).await,
        Command::Interact(args) => interact::run(args, &client, out).await,
        Command::Profile(args) => profile::run(&args, &client, out).await,
        Command::Recommend(args) => match &args.users {
            Some(file) => bulk::recommend(file, &args.list, &client, out).await,
            None => lists::recommend(&args, &client, out).await,
        },
        Command::Search(args) => match &args.queries {
            Some(file) => bulk::search(file, &args, &client, out).await,
            None => lists::search(&args, &client, out).await,
        },
        Command::Related(args) => lists::related(&args, &client, out).await,
        Command::Trending(args) => lists::trending(&args, &client, out).await,
        Command::Report(args) => reports::run(&args, &client, out).await,
        Command::Reports(args) => stored_reports::list(args, &client, out).await,
        Command::Mitigation { command } => mitigation::run(command, &client, out).await,
        Command::Exposure(args) => experiments::exposure(&args, &client, out).await,
        Command::Counterfactual(args) => experiments::counterfactual(&args, &client, out).await,
        Command::Interleave { command } => experiments::interleave(&command, &client, out).await,
        Command::Events => logs::events(&client, out).await,
        Command::Decisions(paging) => logs::decisions(paging, &client, out).await,
        Command::Audit(args) => audit::run(args, &client, out).await,
        Command::Export => logs::export(&client, out).await,
        Command::Erase(args) => users::erase(&args, &client, out).await,
        Command::Encoder { command } => encoders::run(command, &client, out).await,
        Command::Demo(args) => demo::run(args, out).await,
        Command::Manual => manual::run(Cli::command(), out),
    }
}
