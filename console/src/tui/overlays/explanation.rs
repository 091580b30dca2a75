//! Text to read, such as the formula of a number. Any key closes it; `?` leads on to the keys.

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;

use crate::text;
use crate::tui::command::Action;
use crate::tui::overlay::{Outcome, Overlay};
use crate::tui::theme;
use crate::tui::widgets::draw::lines;
use crate::tui::widgets::frame;

/// Text to read.
#[derive(Debug)]
pub(crate) struct Explanation {
    /// Its title.
    pub title: String,
    /// Its paragraphs.
    pub paragraphs: Vec<String>,
}

impl Overlay for Explanation {
    fn key(&mut self, _key: KeyEvent, name: &str, _page: usize) -> Outcome {
        if name == "?" { Outcome::Run(Action::Help, None) } else { Outcome::Close }
    }

    fn view(&self, screen: Rect, _footer: Rect, buf: &mut Buffer) -> Option<Position> {
        let columns = frame::inner_columns(screen);
        let mut rows = Vec::new();
        for paragraph in &self.paragraphs {
            rows.extend(text::wrap(&text::clean(paragraph), columns).into_iter().map(Line::from));
            rows.push(Line::default());
        }
        rows.push(Line::styled("any key closes, ? shows the keys", theme::QUIET));
        let inner = frame::draw(&text::clean(&self.title), rows.len(), screen, buf);
        lines(buf, inner, &rows);
        None
    }
}
