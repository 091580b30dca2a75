//! The trait of all screens. A screen owns its state, asks the daemon for what it shows, takes the answers, acts on
//! commands, and draws itself.

use std::any::Any;

use mercer_shared::wire::Event;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::ask::Reply;
use super::command::{Action, Command};
use super::context::Context;

/// Description of a screen for header, footer, help, palette and manual.
#[derive(Debug)]
pub(crate) struct About {
    /// Its title in the header.
    pub title: &'static str,
    /// Its name in the palette.
    pub name: &'static str,
    /// Its content, in a sentence.
    pub help: &'static str,
    /// Whether the keys that move in lists do something on it.
    pub lists: bool,
    /// Its own commands, in the order of the footer. Their keys win over general ones.
    pub commands: &'static [Command],
}

/// A screen.
pub(crate) trait Screen: std::fmt::Debug + Any {
    /// Its description.
    fn about(&self) -> &'static About;

    /// Requests its data: on entering it, on `refresh`, and after a reconnection.
    fn load(&mut self, _context: &mut Context) {}

    /// Requests data again that the stream of events does not carry; called every few seconds while it is shown.
    fn poll(&mut self, _context: &mut Context) {}

    /// Runs a command.
    fn act(&mut self, _action: Action, _argument: Option<String>, _context: &mut Context) {}

    /// Takes the filter that was typed.
    fn filter(&mut self, _text: String, _context: &mut Context) {}

    /// Takes an answer if it is for this screen, else returns it. Answers about data that are no longer shown are
    /// dropped.
    fn reply(&mut self, reply: Reply, _context: &mut Context) -> Option<Reply> {
        Some(reply)
    }

    /// Learns of an event. `shown` says whether this is the current screen.
    fn event(&mut self, _event: &Event, _shown: bool, _context: &mut Context) {}

    /// Draws itself.
    fn view(&self, context: &Context, area: Rect, buf: &mut Buffer);
}
