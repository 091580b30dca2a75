//! Asks for confirmation before a command is sent: says what will happen, then takes yes or no.

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use crate::text;
use crate::tui::ask::Ask;
use crate::tui::overlay::{Outcome, Overlay};
use crate::tui::theme;
use crate::tui::widgets::draw::{lines, put};
use crate::tui::widgets::frame;
use crate::tui::widgets::split::split_bottom;

/// Asks for confirmation of a command.
#[derive(Debug)]
pub(crate) struct Confirm {
    /// The question.
    pub title: String,
    /// What will happen, a paragraph each.
    pub paragraphs: Vec<String>,
    /// The order.
    pub order: Ask,
    /// The verb of Enter.
    pub verb: &'static str,
}

impl Overlay for Confirm {
    fn key(&mut self, _key: KeyEvent, name: &str, _page: usize) -> Outcome {
        match name {
            "y" | "enter" => Outcome::Order(self.order.clone()),
            "n" | "esc" | "q" => Outcome::Decline,
            // Any other key leaves the question open.
            _ => Outcome::Stay,
        }
    }

    fn view(&self, screen: Rect, _footer: Rect, buf: &mut Buffer) -> Option<Position> {
        let columns = frame::inner_columns(screen);
        let mut rows = vec![Line::default()];
        for paragraph in &self.paragraphs {
            rows.extend(text::wrap(&text::clean(paragraph), columns).into_iter().map(Line::from));
        }
        rows.push(Line::default());
        let answer = Line::from(vec![
            Span::styled("y", theme::ACCENT),
            Span::styled(format!(" {}   ", self.verb), theme::STRONG),
            Span::styled("n", theme::ACCENT),
            Span::styled(" leave it", theme::QUIET),
        ]);
        let inner = frame::draw(&text::clean(&self.title), rows.len() + 1, screen, buf);
        // The answers stay in sight even where the text is cut.
        let (above, last) = split_bottom(inner, 1);
        lines(buf, above, &rows);
        put(buf, last, 0, &answer);
        None
    }
}
