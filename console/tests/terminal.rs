//! The console on a real pseudo-terminal, which `script` of util-linux provides: what it leaves behind, and how much it
//! sends while nothing happens.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

const COLUMNS: u16 = 80;
const ROWS: u16 = 24;
/// How long anything may take on a busy machine: a limit against hanging, not a measure of speed.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the console sent so far.
#[derive(Default)]
struct Sent {
    bytes: Vec<u8>,
    /// The terminal is closed: nothing more comes.
    closed: bool,
}

/// The console running on a terminal of its own, and what it sent.
struct Console {
    script: Child,
    sent: Arc<(Mutex<Sent>, Condvar)>,
    home: tempfile::TempDir,
}

/// A console that has ended.
struct Ended {
    code: i32,
    bytes: Vec<u8>,
}

/// The screen after these bytes.
fn screen_after(bytes: &[u8]) -> vt100::Parser {
    let mut parser = vt100::Parser::new(ROWS.try_into().unwrap(), COLUMNS.try_into().unwrap(), 0);
    parser.process(bytes);
    parser
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
        let sent = Arc::new((Mutex::new(Sent::default()), Condvar::new()));
        let mut out = script.stdout.take().unwrap();
        let all = Arc::clone(&sent);
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(n @ 1..) = out.read(&mut chunk) {
                all.0.lock().unwrap().bytes.extend_from_slice(&chunk[..n]);
                all.1.notify_all();
            }
            all.0.lock().unwrap().closed = true;
            all.1.notify_all();
        });
        Self { script, sent, home }
    }

    /// Waits until what was sent satisfies a condition; looks whenever something came.
    fn until<T>(&self, what: &str, holds: impl Fn(&Sent) -> Option<T>) -> T {
        let (sent, came) = &*self.sent;
        let mut found = None;
        let (sent, _) = came
            .wait_timeout_while(sent.lock().unwrap(), PATIENCE, |sent| {
                found = holds(sent);
                found.is_none() && !sent.closed
            })
            .unwrap();
        found.unwrap_or_else(|| panic!("no {what} in:\n{}", screen_after(&sent.bytes).screen().contents()))
    }

    fn bytes(&self) -> Vec<u8> {
        self.sent.0.lock().unwrap().bytes.clone()
    }

    fn screen(&self) -> vt100::Parser {
        screen_after(&self.bytes())
    }

    fn wait_for(&self, text: &str) {
        assert!(!text.is_empty(), "every screen holds nothing");
        self.until(&format!("{text:?}"), |sent| {
            screen_after(&sent.bytes).screen().contents().contains(text).then_some(())
        });
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

    /// Waits for the end and for everything that was sent before it, and checks that the terminal is as it was.
    fn end(mut self) -> Ended {
        let bytes = self.until("end of the console", |sent| sent.closed.then(|| sent.bytes.clone()));
        let status = self.script.wait().unwrap();
        let parser = screen_after(&bytes);
        let screen = parser.screen();
        assert!(!screen.alternate_screen(), "the alternate screen was left");
        assert!(!screen.hide_cursor(), "the cursor is back");
        assert!(!screen.bracketed_paste(), "pastes are plain again");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None, "the mouse is the terminal's again");
        Ended { code: status.code().unwrap(), bytes }
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
    assert_eq!(console.end().code, 0);
}

#[test]
fn signals_end_it_and_the_terminal_is_given_back() {
    for (signal, code) in [(rustix::process::Signal::TERM, 143), (rustix::process::Signal::HUP, 129)] {
        let mut console = Console::start("");
        console.wait_for("No daemon answers");
        console.press(":mouse\r");
        console.wait_for("The mouse is on");
        console.signal(signal);
        assert_eq!(console.end().code, code);
    }
}

/// The seconds until the next try to connect, as the screen shows them.
fn countdown(screen: &vt100::Parser) -> Option<String> {
    let text = screen.screen().contents();
    let (_, rest) = text.split_once("retry in ")?;
    Some(rest.chars().take_while(|sign| !sign.is_whitespace()).collect())
}

#[test]
fn waiting_for_a_daemon_sends_next_to_nothing() {
    /// Seconds that are counted down.
    const TICKS: usize = 4;
    let mut console = Console::start("");
    console.wait_for("retry in");
    let before = console.bytes().len();
    let mut shown = countdown(&console.screen());
    for _ in 0..TICKS {
        shown = console.until("other countdown", |sent| {
            let now = countdown(&screen_after(&sent.bytes));
            (now.is_some() && now != shown).then_some(now)
        });
    }
    let sent = console.bytes().len() - before;
    // Two countdowns a second are all that changes.
    assert!(sent < TICKS * 150, "{sent} bytes while {TICKS} seconds were counted down");
    console.press("q");
    console.end();
}

#[test]
fn ascii_and_no_colour_hold_on_the_wire() {
    let mut console = Console::start("MERCER_ASCII=1 NO_COLOR=1");
    console.wait_for("No daemon answers");
    console.press("q");
    let sent = console.end().bytes;
    assert!(sent.is_ascii());
    let text = String::from_utf8(sent).unwrap();
    assert!(!text.contains("\u{1b}[36m") && !text.contains(";36m") && !text.contains("[33m"), "colour was sent");
}
