//! Inputs and outputs of the console's state: messages and effects.

use crossterm::event::{KeyEvent, MouseEvent};
use mercer_shared::problem::Problem;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::Event;

use super::ask::{Ask, Reply};

/// An effect outside the state.
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

/// A message from outside the state.
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
    Reply(Box<Reply>),
}
