//! Tests of the console as a whole: messages in, pictures out.

mod fixtures;
mod link;
mod painting;
mod pictures;
mod sizes;
mod steering;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use unicode_width::UnicodeWidthStr;

use super::app::{App, Effect, Message};
use super::theme::Theme;
use super::view;

/// A terminal that can show everything.
const FULL: Theme = Theme { colour: true, unicode: true };

/// A picture as text, a string a row, without trailing blanks. The second cell of a wide character is no character.
pub(crate) fn rows(buf: &Buffer) -> Vec<String> {
    let width = usize::from(buf.area.width);
    if width == 0 {
        return Vec::new();
    }
    buf.content
        .chunks(width)
        .map(|cells| {
            let mut text = String::new();
            let mut skip = 0;
            for cell in cells {
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                text.push_str(cell.symbol());
                skip = cell.symbol().width().saturating_sub(1);
            }
            text.trim_end().to_owned()
        })
        .collect()
}

fn picture(app: &App, theme: Theme) -> (Buffer, Option<Position>) {
    let mut buf = Buffer::empty(Rect::new(0, 0, app.size.0, app.size.1));
    let cursor = view::draw(app, theme, &mut buf);
    (buf, cursor)
}

/// What the console shows, as text.
fn shown(app: &App) -> String {
    rows(&picture(app, FULL).0).join("\n")
}

fn press(app: &mut App, code: KeyCode) -> Vec<Effect> {
    app.update(Message::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

/// Types characters one by one; returns the effects of the last.
fn keys(app: &mut App, text: &str) -> Vec<Effect> {
    text.chars().map(|c| press(app, KeyCode::Char(c))).last().unwrap_or_default()
}
