//! `mercer`: the console and command line of Mercer.

mod tui;

use std::process::ExitCode;

fn main() -> ExitCode {
    let state = std::env::var_os(mercer_shared::socket::STATE_VARIABLE).map(std::path::PathBuf::from);
    let socket = std::env::var_os(mercer_shared::socket::SOCKET_VARIABLE)
        .map_or_else(|| mercer_shared::socket::default_socket(state.as_deref()), std::path::PathBuf::from);
    ExitCode::from(tui::run(socket))
}
