//! A daemon under test: started, asked, killed, started again.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use mercer_shared::client::Client;
use mercer_shared::wire::{Health, Run};

use crate::programs::program;
use crate::wait::{eventually, within};

/// How a daemon under test is set up.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Its configuration file, in TOML; by default nothing is trained by itself.
    pub config: Option<String>,
    /// The key of its state, so that two daemons make the same pseudonyms and break ties alike.
    pub key: Option<Vec<u8>>,
}

/// Nothing is trained unless a test asks for it: a cycle in the background would make times and answers depend on luck.
const CALM: &str = "[train]\nevery_seconds = 0\nafter_interactions = 0\ncheckpoint_steps = 2\n";

/// Longest wait for a training run, which yields to everything else on the machine.
const RUN: Duration = Duration::from_secs(600);

/// A daemon on a state directory of its own.
#[derive(Debug)]
pub struct Daemon {
    /// Its directory; the state is in `state`, the socket is `s`, the daemon's log is `log`.
    pub dir: tempfile::TempDir,
    /// A client of it.
    pub client: Client,
    child: Option<Child>,
    runtime: tokio::runtime::Runtime,
}

impl Daemon {
    /// Starts one on an empty state.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&Options::default())
    }

    /// Starts one that is set up in a particular way.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start_with(options: &Options) -> Self {
        let mut daemon = Self::set_up(options);
        if let Some(key) = &options.key {
            use std::os::unix::fs::OpenOptionsExt;
            std::fs::create_dir(daemon.state()).expect("a directory");
            let key_file = daemon.state().join("key");
            let file = std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(key_file);
            std::io::Write::write_all(&mut file.expect("a key file"), key).expect("it takes the key");
        }
        daemon.launch();
        daemon
    }

    /// Starts one on a copy of a state that no daemon is using.
    ///
    /// # Panics
    /// If it cannot be copied, or the daemon does not start.
    #[must_use]
    pub fn start_from(state: &Path, options: &Options) -> Self {
        let mut daemon = Self::set_up(options);
        let copied = Command::new("cp").arg("-a").arg(state).arg(daemon.state()).status().expect("cp runs");
        assert!(copied.success(), "{} is copied", state.display());
        daemon.launch();
        daemon
    }

    /// A directory with a configuration, and no daemon yet.
    fn set_up(options: &Options) -> Self {
        let dir = directory();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = Client::new(dir.path().join("s"));
        std::fs::write(dir.path().join("config.toml"), options.config.as_deref().unwrap_or(CALM)).expect("a file");
        Self { dir, client, child: None, runtime }
    }

    /// Starts it again on the same state and waits until it answers lists.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn launch(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let log = std::fs::File::options().create(true).append(true).open(self.dir.path().join("log")).expect("a log");
        let child = Command::new(program("mercerd"))
            .env_remove("MERCER_STATE")
            .env_remove("MERCER_SOCKET")
            .arg("--state")
            .arg(self.state())
            .arg("--socket")
            .arg(self.socket())
            .arg("--config")
            .arg(self.dir.path().join("config.toml"))
            .stderr(log)
            .stdout(Stdio::null())
            .spawn()
            .expect("mercerd starts");
        self.child = Some(child);
        eventually("the daemon answers lists", || {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            assert!(ended.is_none(), "the daemon ended at once: {ended:?}: {}", self.log());
            let status = self.ask(async |client| client.status().await).ok()?;
            (status.health != Health::Starting).then_some(())
        });
    }

    /// Its state directory.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    /// What it wrote into its log so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// A new file beside the state; the path as text.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.dir.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        path.into_os_string().into_string().expect("a plain path")
    }

    /// Ends it as a power cut would.
    ///
    /// # Panics
    /// If it does not run.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        // Connections to the dead daemon are of no use.
        self.client = Client::new(self.socket());
    }

    /// Ends it as systemd would and returns whether it ended well.
    ///
    /// # Panics
    /// If it does not run or does not end.
    pub fn terminate(&mut self) -> bool {
        let mut child = self.child.take().expect("it runs");
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it can be told");
        let status = eventually("the daemon ends", || child.try_wait().expect("it can be waited for"));
        self.client = Client::new(self.socket());
        status.success()
    }

    /// Asks something with the client.
    pub fn ask<T>(&self, question: impl AsyncFnOnce(Client) -> T) -> T {
        self.runtime.block_on(question(self.client.clone()))
    }

    /// Runs `mercer` against it.
    ///
    /// # Panics
    /// If it cannot be run.
    pub fn mercer(&self, arguments: &[&str]) -> Output {
        mercer(&self.socket(), arguments)
    }

    /// Runs `mercer` and reads its standard output; it must succeed.
    ///
    /// # Panics
    /// If it fails.
    pub fn mercer_ok(&self, arguments: &[&str]) -> String {
        let output = self.mercer(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "mercer {arguments:?} failed: {error}\n{}", self.log());
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The one document `mercer --json` prints; it must succeed.
    ///
    /// # Panics
    /// If it fails or prints something else.
    pub fn mercer_json(&self, arguments: &[&str]) -> serde_json::Value {
        let text = self.mercer_ok(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("mercer {arguments:?}: {error}: {text}"))
    }

    /// Waits until a run satisfies a condition.
    ///
    /// # Panics
    /// If it does not in time.
    pub fn run_until(&self, id: &str, what: &str, holds: impl Fn(&Run) -> bool) -> Run {
        let (run, _) = within(RUN, || self.ask(async |client| client.run(id).await).ok().filter(&holds));
        run.unwrap_or_else(|| panic!("{what}: did not come true in {RUN:?}: {}", self.log()))
    }

    /// A counter or gauge of `/metrics` that has no labels.
    ///
    /// # Panics
    /// If there is none of that name.
    #[must_use]
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.http("GET", "/metrics", "text/plain", b"").body;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        value.unwrap_or_else(|| panic!("no {name}: {text}"))
    }

    /// Waits for the next publication of changes: after it everything that was acknowledged is visible.
    pub fn published(&self) {
        let count = || self.metric("mercer_publications_total");
        let before = count();
        eventually("changes are published", || (count() > before).then_some(()));
    }

    /// Waits until the collaborative index knows the whole log.
    pub fn fitted(&self) {
        eventually("the log is fitted", || (self.metric("mercer_interactions_unfitted") == 0.0).then_some(()));
    }

    /// Waits until every item has its vector: only then do equal questions have equal answers.
    pub fn embedded(&self) {
        // An item that was just written counts from its publication on.
        self.published();
        eventually("every item has its vector", || {
            let status = self.ask(async |client| client.status().await).ok()?;
            (status.counts.embedded == status.counts.items && status.queue.background == 0).then_some(())
        });
    }
}

/// Runs `mercer` on a socket, with a daemon there or without.
///
/// # Panics
/// If it cannot be run.
#[must_use]
pub fn mercer(socket: &Path, arguments: &[&str]) -> Output {
    Command::new(program("mercer"))
        .env("MERCER_SOCKET", socket)
        .env_remove("MERCER_STATE")
        .env("NO_COLOR", "1")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("mercer runs")
}

/// A temporary directory whose path is short enough for a socket.
fn directory() -> tempfile::TempDir {
    let named = tempfile::Builder::new().prefix("mercer").tempdir().expect("a temporary directory");
    if named.path().as_os_str().len() < 80 {
        return named;
    }
    tempfile::Builder::new().prefix("mercer").tempdir_in("/tmp").expect("a temporary directory")
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // The test is over; whether the daemon could be killed twice does not matter.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
