//! `mercerd`: the command line around [`mercer_daemon::run`].

mod commands;
mod docs;
mod socket;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use mercer_daemon::state::config::Config;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::socket::{SOCKET_VARIABLE, STATE_VARIABLE, default_socket};
use tokio::signal::unix::{SignalKind, signal};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long to wait at the end for threads that are still at work.
const LAST_THREADS: Duration = Duration::from_secs(2);

/// Keeps a shop's interactions, learns from them and serves search and recommendations over a Unix socket.
#[derive(Debug, Parser)]
#[command(name = "mercerd", version, args_conflicts_with_subcommands = true)]
struct Cli {
    /// State directory.
    #[arg(long, value_name = "DIR", env = STATE_VARIABLE)]
    state: Option<PathBuf>,
    /// Socket to listen on.
    #[arg(long, value_name = "PATH", env = SOCKET_VARIABLE)]
    socket: Option<PathBuf>,
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What `mercerd` does beside serving.
#[derive(Debug, Subcommand)]
enum Command {
    /// Works on encoders.
    #[command(subcommand)]
    Encoder(commands::EncoderCommand),
    /// Writes a simulated shop as NDJSON to standard output.
    Simulate(commands::Simulate),
    /// Prints the OpenAPI document of the wire.
    Openapi,
    /// Prints a reference page in Markdown, or a complete configuration file.
    Docs {
        /// What to print.
        #[arg(value_name = "DOCUMENT")]
        document: docs::Document,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        None => serve(cli),
        Some(Command::Encoder(command)) => command.run(),
        Some(Command::Simulate(options)) => options.run(),
        Some(Command::Openapi) => commands::openapi(),
        Some(Command::Docs { document }) => commands::docs(document),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("mercerd: {}: {}", problem.title, problem.detail);
            eprintln!("hint: {}", problem.hint);
            ExitCode::from(problem.code.exit())
        }
    }
}

/// The configuration in force: the command line wins over the file, the file over the defaults.
fn settings(cli: &Cli) -> Result<Config, Problem> {
    let mut config = cli.config.as_deref().map_or_else(|| Ok(Config::default()), Config::load)?;
    let named = cli.state.is_some() || config.state != Config::default().state;
    if let Some(state) = &cli.state {
        config.state.clone_from(state);
    }
    config.state = std::path::absolute(&config.state)
        .map_err(|error| Problem::new(Code::BadState, format!("{}: {error}", config.state.display())))?;
    if let Some(socket) = &cli.socket {
        config.socket.clone_from(socket);
    } else if config.socket.as_os_str().is_empty() {
        config.socket = default_socket(named.then_some(config.state.as_path()));
    }
    Ok(config)
}

fn serve(cli: Cli) -> Result<(), Problem> {
    let filter = tracing_subscriber::EnvFilter::builder()
        .with_default_directive(tracing::Level::INFO.into())
        .with_env_var("MERCER_LOG")
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();

    let config = settings(&cli)?;
    mercer_shared::socket::check_socket_path(&config.socket)?;
    // The state's lock first: only its holder may remove the socket of a daemon that died.
    let store = mercer_daemon::open_store(&config.state)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Problem::new(Code::Internal, format!("no runtime: {error}")))?;
    let outcome = runtime.block_on(async {
        let (listener, _bound) = socket::bind(&config.socket, config.operator_group)?;
        let stop = stop_signal()?;
        let ready = |app: &std::sync::Arc<mercer_daemon::state::app::App>| {
            tracing::info!(socket = %app.config.socket.display(), state = %app.config.state.display(), "ready");
            notify(sd_notify::NotifyState::Ready);
        };
        let shutdown = async {
            stop.await;
            notify(sd_notify::NotifyState::Stopping);
        };
        mercer_daemon::run(config, store, listener, shutdown, ready).await
    });
    runtime.shutdown_timeout(LAST_THREADS);
    outcome
}

/// Tells systemd, where it started us.
fn notify(state: sd_notify::NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd could not be told");
    }
}

/// Resolves at the first SIGTERM or SIGINT.
fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, Problem> {
    let hook =
        |kind| signal(kind).map_err(|error| Problem::new(Code::Internal, format!("signals cannot be caught: {error}")));
    let (mut term, mut int) = (hook(SignalKind::terminate())?, hook(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    })
}
