//! The output of a command: standard output and standard error behind one value, so that tests can read them.

use std::io::{self, BufWriter, IsTerminal, Write};

use mercer_shared::problem::{Code, Problem};
use serde::Serialize;

use crate::text;

/// Columns of text for people, and what its later lines begin with.
const TEXT_COLUMNS: usize = 80;
const INDENT: &str = "  ";

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Something failed or was refused.
    Problem(Box<Problem>),
    /// Standard output or standard error cannot be written.
    Output(io::Error),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// How a command ends: the exit code, or why it ended early.
pub(crate) type Done = Result<u8, Stop>;

/// Output of one command.
pub(crate) struct Out {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    /// Whether documents are wanted instead of text for people.
    pub(crate) json: bool,
    /// Whether standard output is a terminal.
    pub(crate) terminal: bool,
    /// Whether standard error is a terminal, where progress bars go.
    pub(crate) bars: bool,
    /// Columns of the terminal; without one, lines are as long as they are.
    pub(crate) width: Option<usize>,
    colour: bool,
}

impl std::fmt::Debug for Out {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Out").field("json", &self.json).field("terminal", &self.terminal).finish_non_exhaustive()
    }
}

impl Out {
    /// The process's own streams.
    pub(crate) fn standard(json: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            // Not locked for good: the console of the demo draws from a thread of its own.
            out: Box::new(BufWriter::new(io::stdout())),
            err: Box::new(io::stderr()),
            json,
            terminal,
            bars: io::stderr().is_terminal() && !json,
            width: terminal.then(|| crossterm::terminal::size().ok()).flatten().map(|(width, _)| usize::from(width)),
            colour: terminal && !plain,
        }
    }

    /// Streams of a test: no terminal.
    #[cfg(test)]
    pub(crate) fn to(out: impl Write + 'static, err: impl Write + 'static, json: bool) -> Self {
        Self { out: Box::new(out), err: Box::new(err), json, terminal: false, bars: false, width: None, colour: false }
    }

    /// One line of text.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) -> Result<(), Stop> {
        Ok(writeln!(self.out, "{}", text.as_ref())?)
    }

    /// Wraps text at 80 columns, indents continuation lines and removes control characters.
    pub(crate) fn wrapped(&mut self, text: impl AsRef<str>) -> Result<(), Stop> {
        // The later lines are two columns shorter; so is the first, to keep one rule.
        for (n, line) in text::wrap(&text::clean(text.as_ref()), TEXT_COLUMNS - INDENT.len()).iter().enumerate() {
            let indent = if n == 0 { "" } else { INDENT };
            self.line(format!("{indent}{line}"))?;
        }
        Ok(())
    }

    /// A sentence below or above a table: broken at blanks where the terminal is too narrow for it, so that no word is torn apart.
    pub(crate) fn sentence(&mut self, text: impl AsRef<str>) -> Result<(), Stop> {
        match self.width {
            Some(width) if text::width(text.as_ref()) > width => {
                let lines = text::wrap(text.as_ref(), width.saturating_sub(INDENT.len()));
                lines.iter().enumerate().try_for_each(|(n, line)| {
                    let indent = if n == 0 { "" } else { INDENT };
                    self.line(format!("{indent}{line}"))
                })
            }
            _ => self.line(text),
        }
    }

    /// A heading.
    pub(crate) fn heading(&mut self, text: &str) -> Result<(), Stop> {
        let text = self.bold(text);
        self.line(text)
    }

    /// The text, bold where colours are shown.
    pub(crate) fn bold(&self, text: &str) -> String {
        if self.colour { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// A document: indented on a terminal, one line otherwise.
    pub(crate) fn document(&mut self, document: &impl Serialize) -> Result<(), Stop> {
        if self.terminal {
            serde_json::to_writer_pretty(&mut self.out, document).map_err(io::Error::from)?;
        } else {
            serde_json::to_writer(&mut self.out, document).map_err(io::Error::from)?;
        }
        Ok(writeln!(self.out)?)
    }

    /// A document of a stream: always one line.
    pub(crate) fn record(&mut self, document: &impl Serialize) -> Result<(), Stop> {
        serde_json::to_writer(&mut self.out, document).map_err(io::Error::from)?;
        Ok(writeln!(self.out)?)
    }

    /// Brings out what waits in the buffer.
    pub(crate) fn flush(&mut self) -> Result<(), Stop> {
        Ok(self.out.flush()?)
    }

    /// A line on standard error.
    pub(crate) fn say(&mut self, text: impl AsRef<str>) -> Result<(), Stop> {
        self.flush()?;
        Ok(writeln!(self.err, "{}", text.as_ref())?)
    }

    /// A problem on standard error.
    pub(crate) fn problem(&mut self, problem: &Problem) -> Result<(), Stop> {
        if self.json {
            let text = serde_json::to_string(problem).map_err(io::Error::from)?;
            self.say(text)
        } else {
            self.say(format!(
                "mercer: {}: {}\nhint: {}",
                text::clean(&problem.title),
                text::clean(&problem.detail),
                problem.hint
            ))
        }
    }

    /// Ends a command: prints the error and returns the exit code. A closed output is no error.
    pub(crate) fn end(&mut self, done: Done) -> u8 {
        let done = done.and_then(|code| self.flush().map(|()| code));
        let problem = match done {
            Ok(code) => return code,
            Err(Stop::Problem(problem)) => *problem,
            Err(Stop::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => return 0,
            Err(Stop::Output(error)) => Problem::new(Code::BadFile, format!("standard output: {error}")),
        };
        // Standard error that is gone too leaves the exit code to speak.
        let _ = self.problem(&problem);
        problem.code.exit()
    }
}
