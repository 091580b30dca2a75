//! The keys of the screen, then those that work everywhere.

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use crate::text;
use crate::tui::command::Command;
use crate::tui::overlay::{Outcome, Overlay};
use crate::tui::theme;
use crate::tui::widgets::draw::lines;
use crate::tui::widgets::frame;

/// Columns of the keys.
const KEYS: usize = 16;

/// The keys that work here.
#[derive(Debug)]
pub(crate) struct Help {
    title: String,
    rows: Vec<Line<'static>>,
    /// First row in sight.
    first: usize,
}

impl Help {
    /// Help on a screen, from its own commands and from those that work everywhere.
    pub(crate) fn new(screen: &str, own: &[Command], everywhere: &[Command]) -> Self {
        let mut rows: Vec<Line<'static>> = own.iter().map(row).collect();
        if !own.is_empty() {
            rows.push(Line::default());
        }
        rows.extend(everywhere.iter().map(row));
        Self { title: format!("Keys of {screen}"), rows, first: 0 }
    }
}

fn row(command: &Command) -> Line<'static> {
    let keys = if command.keys.is_empty() { format!(":{}", command.name) } else { command.keys.join(" ") };
    Line::from(vec![Span::styled(text::pad(&keys, KEYS), theme::ACCENT), Span::raw(" "), Span::raw(command.help)])
}

impl Overlay for Help {
    fn key(&mut self, _key: KeyEvent, name: &str, page: usize) -> Outcome {
        let first = match name {
            "j" | "down" => self.first.saturating_add(1),
            "k" | "up" => self.first.saturating_sub(1),
            "ctrl-d" | "pagedown" | "space" => self.first.saturating_add(page),
            "ctrl-u" | "pageup" => self.first.saturating_sub(page),
            _ => return Outcome::Close,
        };
        self.first = first.min(self.rows.len().saturating_sub(1));
        Outcome::Stay
    }

    fn view(&self, screen: Rect, _footer: Rect, buf: &mut Buffer) -> Option<Position> {
        let inner = frame::draw(&self.title, self.rows.len(), screen, buf);
        let first = self.first.min(self.rows.len().saturating_sub(usize::from(inner.height)));
        lines(buf, inner, &self.rows[first..]);
        None
    }
}
