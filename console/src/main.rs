//! `mercer`: the console and command line of Mercer.

mod cli;
mod mitigations;
mod progress;
mod text;
mod tui;

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(cli::main())
}
