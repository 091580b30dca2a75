//! What goes in and out of the state: messages of the world, effects on it, and answers that are kept.

use crossterm::event::{KeyEvent, MouseEvent};
use mercer_shared::problem::Problem;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::Event;

use super::asks::{Answer, Ask};

/// What the world shall do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// Ask the daemon; the answer comes as [`Message::Reply`].
    Ask(Ask),
    /// Open the stream of events.
    OpenStream,
    /// Turn the mouse on or off.
    Mouse(bool),
    /// Forget what the terminal shows and paint everything.
    Repaint,
    /// Leave.
    Quit,
}

/// What the world tells.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    /// A key was pressed.
    Key(KeyEvent),
    /// Text was pasted.
    Paste(String),
    /// The mouse did something.
    Mouse(MouseEvent),
    /// The terminal has this many columns and rows now.
    Resize(u16, u16),
    /// Time passes.
    Tick(Timestamp),
    /// The stream of events is open.
    StreamOpened,
    /// The daemon tells something.
    Event(Box<Event>),
    /// The stream of events ended or could not be opened.
    StreamEnded(Problem),
    /// An answer.
    Reply(Ask, Box<Result<Answer, Problem>>),
}

/// Something fetched from the daemon.
#[derive(Debug, Clone)]
pub(crate) struct Remote<T> {
    /// The latest answer.
    pub value: Option<T>,
    /// Why the last question failed.
    pub problem: Option<Problem>,
    /// Whether an answer is being waited for.
    pub loading: bool,
}

impl<T> Default for Remote<T> {
    fn default() -> Self {
        Self { value: None, problem: None, loading: false }
    }
}

impl<T> Remote<T> {
    /// Notes that it is being asked for.
    pub(crate) fn ask(&mut self, ask: Ask) -> Effect {
        self.loading = true;
        Effect::Ask(ask)
    }

    /// Takes an answer or a problem. A problem leaves an earlier answer in place.
    pub(crate) fn take(&mut self, result: Result<T, Problem>) {
        self.loading = false;
        match result {
            Ok(value) => {
                self.value = Some(value);
                self.problem = None;
            }
            Err(problem) => self.problem = Some(problem),
        }
    }
}
