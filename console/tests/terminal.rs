//! The console on a real pseudo-terminal, which `script` of util-linux provides: what it leaves behind, and how much it
//! sends while nothing happens.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const COLUMNS: u16 = 80;
const ROWS: u16 = 24;
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The console running on a terminal of its own, and what it sent.
struct Console {
    script: Child,
    sent: Arc<Mutex<Vec<u8>>>,
    home: tempfile::TempDir,
}

impl Console {
    fn start(environment: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().display();
        let program = env!("CARGO_BIN_EXE_mercer");
        // `$$` is the console's own process id: the shell becomes it.
        let command = format!(
            "stty rows {ROWS} cols {COLUMNS}; echo $$ > {dir}/pid; {environment} exec {program} --socket {dir}/none.sock"
        );
        let mut script = Command::new("script")
            .args(["-qfec", &command, "/dev/null"])
            .env("TERM", "xterm-256color")
            .env("LC_ALL", "C.UTF-8")
            .env("SHELL", "/bin/sh")
            .env_remove("NO_COLOR")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("script of util-linux is needed");
        let sent = Arc::new(Mutex::new(Vec::new()));
        let mut out = script.stdout.take().unwrap();
        let all = Arc::clone(&sent);
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(n @ 1..) = out.read(&mut chunk) {
                all.lock().unwrap().extend_from_slice(&chunk[..n]);
            }
        });
        Self { script, sent, home }
    }

    fn bytes(&self) -> Vec<u8> {
        self.sent.lock().unwrap().clone()
    }

    fn screen(&self) -> vt100::Parser {
        let mut parser = vt100::Parser::new(ROWS.try_into().unwrap(), COLUMNS.try_into().unwrap(), 0);
        parser.process(&self.bytes());
        parser
    }

    fn wait_for(&self, text: &str) {
        let start = Instant::now();
        while !self.screen().screen().contents().contains(text) {
            assert!(start.elapsed() < PATIENCE, "no {text:?} in:\n{}", self.screen().screen().contents());
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    fn press(&mut self, keys: &str) {
        let stdin = self.script.stdin.as_mut().unwrap();
        stdin.write_all(keys.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid: i32 = std::fs::read_to_string(self.home.path().join("pid")).unwrap().trim().parse().unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// Waits for the end; returns the exit code after checking that the terminal is as it was.
    fn end(mut self) -> i32 {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.script.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "the console does not end");
            std::thread::sleep(Duration::from_millis(30));
        };
        // The reader takes what is left after the end.
        std::thread::sleep(Duration::from_millis(200));
        let parser = self.screen();
        let screen = parser.screen();
        assert!(!screen.alternate_screen(), "the alternate screen was left");
        assert!(!screen.hide_cursor(), "the cursor is back");
        assert!(!screen.bracketed_paste(), "pastes are plain again");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None, "the mouse is the terminal's again");
        status.code().unwrap()
    }
}

#[test]
fn starts_without_a_daemon_takes_keys_and_leaves_the_terminal_as_it_was() {
    let mut console = Console::start("");
    console.wait_for("No daemon answers");
    assert!(console.screen().screen().alternate_screen());
    console.press("?");
    console.wait_for("Keys of Overview");
    console.press("\u{1b}");
    console.press("3");
    console.wait_for("3 Search");
    console.press("q");
    assert_eq!(console.end(), 0);
}

#[test]
fn signals_end_it_and_the_terminal_is_given_back() {
    for (signal, code) in [(rustix::process::Signal::TERM, 143), (rustix::process::Signal::HUP, 129)] {
        let mut console = Console::start("");
        console.wait_for("No daemon answers");
        console.press(":mouse\r");
        console.wait_for("The mouse is on");
        console.signal(signal);
        assert_eq!(console.end(), code);
    }
}

#[test]
fn waiting_for_a_daemon_sends_next_to_nothing() {
    let mut console = Console::start("");
    console.wait_for("retry in");
    let before = console.bytes().len();
    std::thread::sleep(Duration::from_secs(4));
    let sent = console.bytes().len() - before;
    // Two countdowns a second are all that changes.
    assert!(sent < 4 * 150, "{sent} bytes in 4 seconds");
    console.press("q");
    console.end();
}

#[test]
fn ascii_and_no_colour_hold_on_the_wire() {
    let mut console = Console::start("MERCER_ASCII=1 NO_COLOR=1");
    console.wait_for("No daemon answers");
    console.press("q");
    let sent = {
        console.wait_for("");
        let bytes = console.bytes();
        console.end();
        bytes
    };
    assert!(sent.is_ascii());
    let text = String::from_utf8(sent).unwrap();
    assert!(!text.contains("\u{1b}[36m") && !text.contains(";36m") && !text.contains("[33m"), "colour was sent");
}
