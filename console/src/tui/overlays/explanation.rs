//! Text to read, such as the formula of a number, with a table below it where there is one. It scrolls where it is longer than the
//! screen; any other key closes it; `?` leads on to the keys.

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;

use crate::text;
use crate::tui::command::Action;
use crate::tui::overlay::{Outcome, Overlay};
use crate::tui::theme;
use crate::tui::widgets::draw::{lines, put};
use crate::tui::widgets::frame;
use crate::tui::widgets::split::split_bottom;

/// Text to read.
#[derive(Debug, Default)]
pub(crate) struct Explanation {
    /// Its title.
    pub title: String,
    /// Its paragraphs.
    pub paragraphs: Vec<String>,
    /// Lines below them, which are not wrapped.
    pub lines: Vec<Line<'static>>,
    /// The first row in sight.
    pub first: usize,
}

impl Explanation {
    fn rows(&self, columns: usize) -> Vec<Line<'static>> {
        let mut rows = Vec::new();
        for paragraph in &self.paragraphs {
            rows.extend(text::wrap(&text::clean(paragraph), columns).into_iter().map(Line::from));
            rows.push(Line::default());
        }
        if !self.lines.is_empty() {
            rows.extend(self.lines.iter().cloned());
            rows.push(Line::default());
        }
        rows.pop();
        rows
    }
}

impl Overlay for Explanation {
    fn key(&mut self, _key: KeyEvent, name: &str, page: usize) -> Outcome {
        let first = match name {
            "?" => return Outcome::Run(Action::Help, None),
            "j" | "down" => self.first.saturating_add(1),
            "k" | "up" => self.first.saturating_sub(1),
            "ctrl-d" | "pagedown" | "space" => self.first.saturating_add(page),
            "ctrl-u" | "pageup" => self.first.saturating_sub(page),
            _ => return Outcome::Close,
        };
        // The frame's columns are not known here; at their most, the text has the fewest rows.
        self.first = first.min(self.rows(frame::WIDEST_INSIDE).len().saturating_sub(1));
        Outcome::Stay
    }

    fn view(&self, screen: Rect, _footer: Rect, buf: &mut Buffer) -> Option<Position> {
        let rows = self.rows(frame::inner_columns(screen));
        let inner = frame::draw(&text::clean(&self.title), rows.len() + 2, screen, buf);
        // The keys stay in sight even where the text is longer than the frame.
        let (above, last) = split_bottom(inner, 1);
        let room = usize::from(above.height);
        let first = self.first.min(rows.len().saturating_sub(room));
        lines(buf, above, &rows[first..]);
        let more = rows.len() > room;
        let keys = if more {
            "j and k scroll, any other key closes, ? shows the keys"
        } else {
            "any key closes, ? shows the keys"
        };
        put(buf, last, 0, &Line::styled(keys, theme::QUIET));
        None
    }
}
