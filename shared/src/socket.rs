//! Default paths of the socket and the state directory, the same for the daemon, the console and scripts.

use std::path::{Path, PathBuf};

use crate::problem::{Code, Problem};

/// Names the socket; read by both programs.
pub const SOCKET_VARIABLE: &str = "MERCER_SOCKET";
/// Names the state directory; read by both programs.
pub const STATE_VARIABLE: &str = "MERCER_STATE";
/// Bytes that fit into `sockaddr_un.sun_path` beside the closing zero.
pub const MAX_SOCKET_PATH: usize = 107;

/// The socket to use when none is named: in the state directory if that is named, in `/run/mercer` for root and
/// services, else in the user's runtime directory.
#[must_use]
pub fn default_socket(state: Option<&Path>) -> PathBuf {
    if let Some(state) = state {
        return state.join("mercer.sock");
    }
    let system = Path::new("/run/mercer");
    if rustix::process::geteuid().is_root() || system.join("mercer.sock").exists() {
        return system.join("mercer.sock");
    }
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(runtime) => PathBuf::from(runtime).join("mercer/mercer.sock"),
        None => PathBuf::from(format!("/tmp/mercer-{}/mercer.sock", rustix::process::geteuid().as_raw())),
    }
}

/// The state directory to use when none is named: `/var/lib/mercer` for root, else the user's data directory.
#[must_use]
pub fn default_state() -> PathBuf {
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/lib/mercer");
    }
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("."), PathBuf::from);
    std::env::var_os("XDG_DATA_HOME").map_or_else(|| home.join(".local/share"), PathBuf::from).join("mercer")
}

/// Refuses a path that is too long for a Unix socket, which the kernel would cut off silently.
///
/// # Errors
/// [`Code::SocketPath`] with the length.
pub fn check_socket_path(path: &Path) -> Result<(), Problem> {
    let length = path.as_os_str().len();
    if length == 0 || length > MAX_SOCKET_PATH {
        return Err(Problem::new(
            Code::SocketPath,
            format!("{} has {length} bytes, a Unix socket path takes 1 to {MAX_SOCKET_PATH}", path.display()),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_paths_are_refused() {
        assert!(check_socket_path(Path::new(&"x".repeat(107))).is_ok());
        assert_eq!(check_socket_path(Path::new(&"x".repeat(108))).unwrap_err().code, Code::SocketPath);
        assert_eq!(check_socket_path(Path::new("")).unwrap_err().code, Code::SocketPath);
    }
}
