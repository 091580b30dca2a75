//! The command line: every screen's content as a subcommand, for people and, with `--json`, for scripts.

mod args;
mod args_change;
mod args_learn;
mod bulk;
mod compare;
mod demo;
mod evals;
mod export;
mod gate;
mod import;
mod items;
mod lists;
mod logs;
mod manual;
mod models;
mod out;
mod pair;
mod people;
mod profile;
mod replays;
mod reports;
mod status;
mod sweep;
mod table;
mod tensorboard;
mod text;
mod train;

#[cfg(test)]
mod tests;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use clap::Parser;
use mercer_shared::client::Client;
use mercer_shared::problem::{Code, Problem, exit};
use mercer_shared::socket::{STATE_VARIABLE, default_socket};
use mercer_shared::wire::Page;

use args::{Cli, Command};
use out::{Done, Out};

/// Most rows of a page the daemon gives at once.
const PAGE: u32 = 1000;

/// Runs the program; returns its exit code.
pub(crate) fn main() -> u8 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(refusal) => return usage(&refusal),
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

/// Help and version are answers; anything else that clap says is about wrong usage.
fn usage(refusal: &clap::Error) -> u8 {
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

/// The socket to use: named, or where the state is, or where daemons usually listen.
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
        Command::Status => status::status(&client, out).await,
        Command::Import(args) => import::run(&args, &client, out).await,
        Command::Train(args) => train::run(&args, &client, out).await,
        Command::Eval(args) => evals::run(args, &client, out).await,
        Command::Sweep(args) => sweep::run(&args, &client, out).await,
        Command::Models { command } => models::models(command, &client, out).await,
        Command::Runs { command } => train::runs(command, &client, out).await,
        Command::Users(args) => people::users(&args, &client, out).await,
        Command::User(args) => people::user(args, &client, out).await,
        Command::Items(args) => items::items(&args, &client, out).await,
        Command::Interact(args) => items::interact(args, &client, out).await,
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
        Command::Events => logs::events(&client, out).await,
        Command::Decisions(paging) => logs::decisions(paging, &client, out).await,
        Command::Audit(paging) => logs::audit(paging, &client, out).await,
        Command::Export => logs::export(&client, out).await,
        Command::Erase(args) => people::erase(&args, &client, out).await,
        Command::Encoder { command } => models::encoder(command, &client, out).await,
        Command::Demo(args) => demo::run(args, out).await,
        Command::Manual => manual::run(out),
    }
}

/// The first `limit` rows of a collection, page by page; the cursor of the next row stays in the answer.
async fn pages<T>(
    limit: u32,
    mut ask: impl AsyncFnMut(Option<&str>, Option<u32>) -> Result<Page<T>, Problem>,
) -> Result<Page<T>, Problem> {
    let mut all = Page { items: Vec::new(), next_cursor: None };
    loop {
        let wanted = limit.saturating_sub(u32::try_from(all.items.len()).unwrap_or(u32::MAX));
        let page = ask(all.next_cursor.as_deref(), Some(wanted.min(PAGE))).await?;
        let empty = page.items.is_empty();
        all.items.extend(page.items);
        all.next_cursor = page.next_cursor;
        if all.next_cursor.is_none() || empty || all.items.len() >= limit as usize {
            return Ok(all);
        }
    }
}

/// Says that there is more than was shown.
fn more<T>(page: &Page<T>, out: &mut Out) -> Result<(), out::Stop> {
    if page.next_cursor.is_some() {
        out.line(format!("the first {} rows; -n shows more", page.items.len()))?;
    }
    Ok(())
}
