//! A program on a terminal: `script` of util-linux gives it one, and an emulator reads what it draws.

use std::io::{Read, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::programs::program;
use crate::wait::{eventually, within};

fn size(cells: u16) -> NonZero<u16> {
    NonZero::new(cells).expect("a terminal has cells")
}

/// `mercer` on a terminal of a size.
pub struct Terminal {
    child: Child,
    keys: ChildStdin,
    screen: Arc<Mutex<vt100::Parser>>,
    device: PathBuf,
    _dir: tempfile::TempDir,
}

impl Terminal {
    /// Starts the console on a socket.
    ///
    /// # Panics
    /// If there is no `script` or it gives no terminal.
    #[must_use]
    pub fn console(socket: &Path, rows: u16, columns: u16) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let name = dir.path().join("tty");
        let command = format!(
            "tty > '{name}'; stty rows {rows} cols {columns}; exec '{mercer}' --socket '{socket}'",
            name = name.display(),
            mercer = program("mercer").display(),
            socket = socket.display(),
        );
        let mut child = Command::new("script")
            .args(["--quiet", "--flush", "--return", "--command", &command, "/dev/null"])
            .env("TERM", "xterm-256color")
            .env("SHELL", "/bin/sh")
            .env_remove("NO_COLOR")
            .env_remove("MERCER_STATE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("script of util-linux runs");
        let keys = child.stdin.take().expect("a pipe");
        let mut output = child.stdout.take().expect("a pipe");
        let screen = Arc::new(Mutex::new(vt100::Parser::new(size(rows), size(columns), 0)));
        let drawn = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut bytes) {
                drawn.lock().expect("no panic").process(&bytes[..read]);
            }
        });
        let device = eventually("the terminal has a name", || {
            std::fs::read_to_string(&name).ok().map(|text| PathBuf::from(text.trim())).filter(|path| path.exists())
        });
        Self { child, keys, screen, device, _dir: dir }
    }

    /// What stands on the screen.
    ///
    /// # Panics
    /// If the emulator broke.
    #[must_use]
    pub fn text(&self) -> String {
        self.screen.lock().expect("no panic").screen().contents()
    }

    /// Waits until a text stands on the screen and returns the whole of it.
    ///
    /// # Panics
    /// If it does not appear.
    pub fn shows(&self, text: &str) -> String {
        let (seen, _) = within(std::time::Duration::from_secs(30), || {
            let screen = self.text();
            screen.contains(text).then_some(screen)
        });
        seen.unwrap_or_else(|| panic!("`{text}` does not appear:\n{}", self.text()))
    }

    /// Presses keys.
    ///
    /// # Panics
    /// If the terminal is gone.
    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the terminal takes keys");
        self.keys.flush().expect("the terminal takes keys");
    }

    /// Changes the size of the window.
    ///
    /// # Panics
    /// If it cannot be changed.
    pub fn resize(&self, rows: u16, columns: u16) {
        self.screen.lock().expect("no panic").screen_mut().set_size(size(rows), size(columns));
        let status = Command::new("stty")
            .arg("-F")
            .arg(&self.device)
            .args(["rows", &rows.to_string(), "cols", &columns.to_string()])
            .status()
            .expect("stty runs");
        assert!(status.success());
    }

    /// Whether the program still runs.
    pub fn lives(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_none())
    }

    /// Waits for the program to end by itself; its exit code.
    ///
    /// # Panics
    /// If it does not end.
    pub fn ends(&mut self) -> Option<i32> {
        eventually("the console ends", || self.child.try_wait().expect("it can be waited for")).code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Hanging up ends the console too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
