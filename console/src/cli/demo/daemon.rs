//! The demo's private daemon: its own directory and process, both removed at the end.

use std::fs::{DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use mercer_shared::client::Client;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::socket::{MAX_SOCKET_PATH, SOCKET_VARIABLE, STATE_VARIABLE};
use tokio::process::{Child, Command};

/// How long the daemon may take to answer, and to stop.
const START: Duration = Duration::from_secs(120);
const STOP: Duration = Duration::from_secs(20);
/// Time between two looks at it.
const LOOK: Duration = Duration::from_millis(100);
/// Options of the simulated shop: large enough that two weeks of it decide the gate and show which group is served
/// worse, small enough that the whole tour ends within two minutes on two cores.
const SHOP: [&str; 8] = ["--users", "4000", "--items", "400", "--days", "130", "--interactions", "200000"];
/// The tour starts its one training cycle itself.
const CONFIG: &str = "[train]\nevery_seconds = 0\nafter_interactions = 0\n\n\
                      [reports]\nprotected = [\"age_band\", \"gender\", \"language\", \"region\"]\n";
/// Bytes of its log that are shown when it does not start.
const LOG_SHOWN: usize = 2000;

/// A daemon and its directory.
#[derive(Debug)]
pub(super) struct Daemon {
    program: PathBuf,
    dir: PathBuf,
    socket: PathBuf,
    keep: bool,
    child: Option<Child>,
}

/// The path of `mercerd`: beside this program, or else the first on the path.
fn program() -> Result<PathBuf, Problem> {
    let beside = std::env::current_exe().ok().and_then(|this| Some(this.parent()?.join("mercerd")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|dir| dir.join("mercerd"));
    beside.into_iter().chain(on_path).find(|program| program.is_file()).ok_or_else(|| {
        Problem::new(
            Code::Internal,
            "mercerd is neither beside mercer nor on the PATH; build it: cargo build --release",
        )
    })
}

/// A new directory that only this user can look into.
fn directory() -> Result<PathBuf, Problem> {
    let named = std::env::temp_dir();
    // A path of a socket is short; the state's name and the socket's name come behind this one.
    let long = named.as_os_str().len() + 48 > MAX_SOCKET_PATH;
    let root = if long { PathBuf::from("/tmp") } else { named };
    let pid = std::process::id();
    let mut last = None;
    for number in 0..100 {
        let dir = root.join(format!("mercer-demo-{pid}-{number}"));
        match DirBuilder::new().mode(0o700).create(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) => last = Some(error),
        }
    }
    let why = last.map(|error| error.to_string()).unwrap_or_default();
    Err(Problem::new(Code::BadState, format!("{}: {why}", root.display())))
}

impl Daemon {
    /// Finds the program and makes the directory.
    pub(super) fn prepare(keep: bool) -> Result<Self, Problem> {
        let program = program()?;
        let dir = directory()?;
        let socket = dir.join("mercer.sock");
        Ok(Self { program, dir, socket, keep, child: None })
    }

    /// Where everything of the demo is.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the daemon listens.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    fn broken(&self, what: &str) -> Problem {
        let log = std::fs::read(self.dir.join("mercerd.log")).unwrap_or_default();
        let tail = String::from_utf8_lossy(&log[log.len().saturating_sub(LOG_SHOWN)..]).into_owned();
        Problem::new(Code::Internal, format!("{}: {what}: {}", self.program.display(), tail.trim()))
    }

    /// The program without what the environment says about other daemons.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env_remove(SOCKET_VARIABLE).env_remove(STATE_VARIABLE).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    fn create(&self, name: &str) -> Result<File, Problem> {
        let path = self.dir.join(name);
        File::create(&path).map_err(|error| Problem::new(Code::BadState, format!("{}: {error}", path.display())))
    }

    /// Starts the daemon and waits until it answers.
    pub(super) async fn start(&mut self) -> Result<(), Problem> {
        let log = self.create("mercerd.log")?;
        let mut config = self.create("mercer.toml")?;
        config.write_all(CONFIG.as_bytes()).map_err(|error| self.broken(&error.to_string()))?;
        let mut command = self.command();
        command.arg("--state").arg(self.dir.join("state")).arg("--socket").arg(&self.socket);
        command.arg("--config").arg(self.dir.join("mercer.toml"));
        // A group of its own: keys that interrupt the console do not reach it.
        let started = command.stdout(Stdio::null()).stderr(log).process_group(0).spawn();
        self.child = Some(started.map_err(|error| self.broken(&error.to_string()))?);
        let (client, began) = (Client::new(&self.socket), Instant::now());
        while began.elapsed() < START {
            if client.status().await.is_ok() {
                return Ok(());
            }
            if let Some(Ok(Some(status))) = self.child.as_mut().map(Child::try_wait) {
                return Err(self.broken(&format!("ended at once with {status}")));
            }
            tokio::time::sleep(LOOK).await;
        }
        Err(self.broken("did not answer in time"))
    }

    /// Writes the simulated shop into a file of the directory.
    pub(super) async fn simulate(&self, seed: u64) -> Result<PathBuf, Problem> {
        let file = self.create("simulated-shop.ndjson")?;
        let mut command = self.command();
        command.args(["simulate", "--seed", &seed.to_string()]).args(SHOP).stdout(file).stderr(Stdio::piped());
        let started = command.spawn().map_err(|error| self.broken(&error.to_string()))?;
        let ended = started.wait_with_output().await.map_err(|error| self.broken(&error.to_string()))?;
        if !ended.status.success() {
            let said = String::from_utf8_lossy(&ended.stderr).into_owned();
            return Err(Problem::new(Code::Internal, format!("mercerd simulate: {}: {}", ended.status, said.trim())));
        }
        Ok(self.dir.join("simulated-shop.ndjson"))
    }

    /// Stops the daemon: asks first, then insists.
    pub(super) async fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let asked = child
            .id()
            .and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?))
            .map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::TERM));
        let ended = matches!(asked, Some(Ok(()))) && tokio::time::timeout(STOP, child.wait()).await.is_ok();
        if !ended {
            // It is gone already, or it is killed now: either way nothing is left to wait for.
            let _ = child.kill().await;
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if !self.keep
            && let Err(error) = std::fs::remove_dir_all(&self.dir)
        {
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "mercer: {} stays behind: {error}", self.dir.display());
        }
    }
}
