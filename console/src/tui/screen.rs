//! The trait of all screens. A screen owns its state, asks the daemon for what it shows, takes the answers, acts on
//! commands, and draws itself.

use std::any::Any;

use mercer_shared::wire::Event;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::ask::Reply;
use super::command::{Action, Command};
use super::context::Context;

/// What header, footer, help, palette and manual say of a screen.
#[derive(Debug)]
pub(crate) struct About {
    /// Its title in the header.
    pub title: &'static str,
    /// Its name in the palette.
    pub name: &'static str,
    /// What it shows, in a sentence.
    pub help: &'static str,
    /// Whether the keys that move in lists do something on it.
    pub lists: bool,
    /// Its own commands, in the order of the footer. Their keys win over general ones.
    pub commands: &'static [Command],
}

/// A screen.
pub(crate) trait Screen: std::fmt::Debug + Any {
    /// What is said of it.
    fn about(&self) -> &'static About;

    /// Asks for what it shows: on entering it, on `refresh`, and after the daemon came back.
    fn load(&mut self, _context: &mut Context) {}

    /// Asks again for what the stream of events does not carry; called every few seconds while it is shown.
    fn poll(&mut self, _context: &mut Context) {}

    /// Runs a command.
    fn act(&mut self, _action: Action, _argument: Option<String>, _context: &mut Context) {}

    /// Takes the filter that was typed.
    fn filter(&mut self, _text: String, _context: &mut Context) {}

    /// Takes an answer if it is for this screen; gives it back otherwise. Answers about what is no longer shown are
    /// dropped.
    fn reply(&mut self, reply: Reply, _context: &mut Context) -> Option<Reply> {
        Some(reply)
    }

    /// Learns of an event. `shown` says whether this is the current screen.
    fn event(&mut self, _event: &Event, _shown: bool, _context: &mut Context) {}

    /// Draws itself.
    fn view(&self, context: &Context, area: Rect, buf: &mut Buffer);
}
