//! Where the programs under test are: beside the tests, built by the same run of cargo, or by one more where it did not build
//! them (`cargo test -p mercer-tests`, `cargo bench`).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// Directory with programs to test instead of those built beside the tests, such as an installed pair.
const DIRECTORY: &str = "MERCER_BIN_DIR";

/// Root of the workspace.
#[must_use]
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Path of `mercerd` or `mercer`.
///
/// # Panics
/// If it is missing and cannot be built.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    static READY: OnceLock<PathBuf> = OnceLock::new();
    let dir = READY.get_or_init(|| {
        if let Some(dir) = std::env::var_os(DIRECTORY) {
            return std::path::absolute(&dir).expect("a path");
        }
        let mut dir = std::env::current_exe().expect("a test has a path");
        dir.pop();
        if dir.ends_with("deps") {
            dir.pop();
        }
        if stale(&dir) {
            build(dir.ends_with("release"));
        }
        dir
    });
    let path = dir.join(name);
    assert!(path.exists(), "{} is missing: cargo build --workspace makes it", path.display());
    path
}

/// Whether a program is missing or older than what it is made from: a test of yesterday's program proves nothing.
fn stale(dir: &Path) -> bool {
    let built = |name: &str| dir.join(name).metadata().and_then(|meta| meta.modified());
    let (Ok(daemon), Ok(console)) = (built("mercerd"), built("mercer")) else { return true };
    let source = |part: &str| newest(&workspace().join(part));
    source("shared") > daemon.min(console) || source("daemon") > daemon || source("console") > console
}

/// When a directory's sources last changed; tests, which lie in directories of that name, are no part of the programs.
fn newest(dir: &Path) -> SystemTime {
    let mut latest = SystemTime::UNIX_EPOCH;
    let Ok(entries) = std::fs::read_dir(dir) else { return latest };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if !path.ends_with("tests") && !path.ends_with("benches") && !path.ends_with("examples") {
                latest = latest.max(newest(&path));
            }
        } else if path.extension().is_some_and(|end| end == "rs" || end == "toml") && !path.ends_with("tests.rs") {
            latest = latest.max(entry.metadata().and_then(|meta| meta.modified()).unwrap_or(latest));
        }
    }
    latest
}

fn build(release: bool) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(workspace()).args(["build", "--workspace", "--bins", "--quiet"]);
    if release {
        cargo.arg("--release");
    }
    let status = cargo.status().expect("cargo runs");
    assert!(status.success(), "the programs under test cannot be built");
}
