//! The harness of the whole-system tests: the real `mercerd` on a real socket, the real `mercer`, and a client to ask with.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use mercer_shared::client::Client;

/// Longest wait for anything the tests wait for; a limit against hanging, not a measure of speed.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A program built by the same run of cargo.
///
/// # Panics
/// If it was not built.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let mut dir = std::env::current_exe().expect("a test has a path");
    dir.pop();
    if dir.ends_with("deps") {
        dir.pop();
    }
    let path = dir.join(name);
    assert!(path.exists(), "{} is missing: cargo test --workspace builds it", path.display());
    path
}

/// Waits until something holds.
///
/// # Panics
/// If it does not hold in time.
pub fn eventually<T>(what: &str, mut holds: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = holds() {
            return value;
        }
        assert!(begun.elapsed() < PATIENCE, "{what} did not come true in {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A daemon on a state directory of its own.
pub struct Daemon {
    /// Its directory; the state is in `state`, the socket is `s`.
    pub dir: tempfile::TempDir,
    child: Option<Child>,
    runtime: tokio::runtime::Runtime,
    /// A client of it.
    pub client: Client,
}

impl Daemon {
    /// Starts one on an empty state.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = Client::new(dir.path().join("s"));
        let mut daemon = Self { dir, child: None, runtime, client };
        daemon.launch();
        daemon
    }

    /// Starts it again on the same state.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn launch(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let log = std::fs::File::options().create(true).append(true).open(self.dir.path().join("log")).expect("a log");
        let child = Command::new(program("mercerd"))
            .arg("--state")
            .arg(self.dir.path().join("state"))
            .arg("--socket")
            .arg(self.socket())
            .stderr(log)
            .stdout(Stdio::null())
            .spawn()
            .expect("mercerd starts");
        self.child = Some(child);
        eventually("the daemon answers", || self.ask(async |client| client.status().await).ok());
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    /// Ends it as a power cut would.
    ///
    /// # Panics
    /// If it does not run.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        // Connections of the dead daemon are of no use.
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
        Command::new(program("mercer"))
            .env("MERCER_SOCKET", self.socket())
            .env("NO_COLOR", "1")
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("mercer runs")
    }

    /// Runs `mercer` and reads its standard output; it must succeed.
    ///
    /// # Panics
    /// If it fails.
    pub fn mercer_ok(&self, arguments: &[&str]) -> String {
        let output = self.mercer(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "mercer {arguments:?} failed: {error}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// One request by hand, as any HTTP client would send it: status and body.
    ///
    /// # Panics
    /// If the connection breaks.
    pub fn http(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> (u16, serde_json::Value) {
        use std::io::{Read, Write};
        let mut stream = std::os::unix::net::UnixStream::connect(self.socket()).expect("it accepts");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: m\r\nconnection: close\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("it reads");
        stream.write_all(body).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
        let text = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let json = text.find(['{', '[']).and_then(|start| {
            serde_json::Deserializer::from_str(&text[start..]).into_iter().next().and_then(Result::ok)
        });
        (status, json.unwrap_or(serde_json::Value::Null))
    }

    /// A small simulated shop, imported.
    ///
    /// # Panics
    /// If the import fails or does not add up.
    pub fn simulate(&self, seed: u64, users: u32, items: u32) -> PathBuf {
        let file = self.dir.path().join(format!("shop-{seed}.ndjson"));
        simulate(&file, seed, users, items);
        let report = self.mercer_ok(&["import", "--format", "ndjson", "--json", file.to_str().expect("a plain path")]);
        assert!(report.contains("\"accepted\""), "{report}");
        file
    }
}

/// Writes a small simulated shop.
///
/// # Panics
/// If the generator fails.
pub fn simulate(file: &Path, seed: u64, users: u32, items: u32) {
    let out = std::fs::File::create(file).expect("a file");
    let status = Command::new(program("mercerd"))
        .args(["simulate", "--seed", &seed.to_string(), "--users", &users.to_string(), "--items", &items.to_string()])
        .stdout(out)
        .status()
        .expect("mercerd runs");
    assert!(status.success());
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
