//! A line of text typed in place of the footer: a filter, or the words of a command.

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use crate::tui::command::Action;
use crate::tui::overlay::{Outcome, Overlay};
use crate::tui::theme;
use crate::tui::widgets::draw::put_at;
use crate::tui::widgets::input::Input;

/// The use of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Filter,
    Command(Action),
}

/// A line being typed.
#[derive(Debug)]
pub(crate) struct Prompt {
    /// Stands before the text.
    label: &'static str,
    purpose: Purpose,
    input: Input,
}

impl Prompt {
    /// Asks for a filter, beginning with the present one.
    pub(crate) fn filter(label: &'static str, present: &str) -> Self {
        Self { label, purpose: Purpose::Filter, input: Input::new(present) }
    }

    /// Asks for the words of a command.
    pub(crate) fn command(label: &'static str, action: Action, present: &str) -> Self {
        Self { label, purpose: Purpose::Command(action), input: Input::new(present) }
    }
}

impl Overlay for Prompt {
    fn key(&mut self, key: KeyEvent, name: &str, _page: usize) -> Outcome {
        let text = || self.input.text().trim().to_owned();
        match (name, self.purpose) {
            ("esc", _) => Outcome::Close,
            ("enter", Purpose::Filter) => Outcome::Filter(text()),
            ("enter", Purpose::Command(action)) => Outcome::Run(action, Some(text())),
            _ => {
                self.input.key(key);
                Outcome::Stay
            }
        }
    }

    fn paste(&mut self, text: &str) {
        self.input.paste(text);
    }

    fn view(&self, _screen: Rect, footer: Rect, buf: &mut Buffer) -> Option<Position> {
        let room = usize::from(footer.width).saturating_sub(2 + self.label.len());
        let shown = self.input.visible(room);
        put_at(
            buf,
            footer,
            Position::new(1, 0),
            &Line::from(vec![Span::styled(self.label, theme::ACCENT), Span::raw(shown.text)]),
        );
        let x = footer.x + u16::try_from(1 + self.label.len() + shown.cursor).unwrap_or(0);
        Some(Position::new(x.min(footer.right().saturating_sub(1)), footer.y))
    }

    fn covers_footer(&self) -> bool {
        true
    }
}
