//! The trait of overlays, which lie over a screen and take the keys. Each has its own state, keys and view.

use std::any::Any;

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::ask::Ask;
use super::command::Action;

/// The result of a key.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    /// The overlay stays open.
    Stay,
    /// It closes.
    Close,
    /// It closes and runs a command, with the words that were typed for it.
    Run(Action, Option<String>),
    /// It closes and gives the screen a filter.
    Filter(String),
    /// It closes and sends a command.
    Order(Ask),
    /// It closes without sending the command.
    Decline,
}

/// A component that lies over a screen. At most one is open.
pub(crate) trait Overlay: std::fmt::Debug + Any {
    /// Takes a key. `name` is what [`super::command::key_name`] calls it; `page` is the number of rows of a page.
    fn key(&mut self, key: KeyEvent, name: &str, page: usize) -> Outcome;

    /// Takes pasted text; only what has a line to type in uses it.
    fn paste(&mut self, _text: &str) {}

    /// Draws itself over the screen's area, or in place of the footer; returns the position of the cursor, if it shows
    /// one.
    fn view(&self, screen: Rect, footer: Rect, buf: &mut Buffer) -> Option<Position>;

    /// Whether it replaces the footer.
    fn covers_footer(&self) -> bool {
        false
    }
}
