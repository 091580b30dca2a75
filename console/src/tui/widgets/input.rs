//! A line of text being typed, with the editing keys of a shell (those of `tui-input`). Text is cleaned and bounded.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use tui_input::backend::crossterm::to_input_request;
use tui_input::{Input as Editor, InputRequest};

use crate::text;

/// Longest text that can be typed, in characters; longer than any id or query that the daemon takes.
pub(crate) const LONGEST: usize = 1000;

/// A line of text with a cursor.
#[derive(Debug, Clone, Default)]
pub(crate) struct Input {
    editor: Editor,
}

/// The part of a line that fits, and where the cursor stands in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct VisibleInput {
    /// The text in sight.
    pub text: String,
    /// The cursor's column in it.
    pub cursor: usize,
}

impl Input {
    /// A line that begins as this text, the cursor behind it.
    pub(crate) fn new(text: &str) -> Self {
        Self { editor: Editor::new(text::clean(text).chars().take(LONGEST).collect()) }
    }

    /// The typed text.
    pub(crate) fn text(&self) -> String {
        self.editor.value().to_owned()
    }

    /// Lets a key edit the line; returns whether it meant anything.
    pub(crate) fn key(&mut self, key: KeyEvent) -> bool {
        let request = match (key.code, key.modifiers) {
            // As shells do: only what stands before the cursor.
            (KeyCode::Char('u'), KeyModifiers::CONTROL) => Some(InputRequest::DeleteFromStart),
            _ => to_input_request(&Event::Key(key)),
        };
        match request {
            None => return false,
            Some(InputRequest::InsertChar(c)) => self.insert(c),
            Some(request) => _ = self.editor.handle(request),
        }
        true
    }

    /// Types pasted text.
    pub(crate) fn paste(&mut self, text: &str) {
        for c in text::clean(text.trim()).chars() {
            self.insert(c);
        }
    }

    fn insert(&mut self, c: char) {
        if self.editor.value().chars().count() < LONGEST && !c.is_control() {
            self.editor.handle(InputRequest::InsertChar(c));
        }
    }

    /// The part of the line that fits into so many columns with the cursor in it.
    pub(crate) fn visible(&self, columns: usize) -> VisibleInput {
        let columns = columns.max(1);
        let characters: Vec<char> = self.editor.value().chars().collect();
        let text_of = |part: &[char]| part.iter().collect::<String>();
        let cursor = self.editor.cursor();
        // The first character that leaves the cursor in sight, a column kept free for it behind the text.
        let first = (0..=cursor).find(|&n| text::width(&text_of(&characters[n..cursor])) < columns).unwrap_or(cursor);
        let mut shown = String::new();
        for c in &characters[first..] {
            shown.push(*c);
            if text::width(&shown) > columns {
                shown.pop();
                break;
            }
        }
        VisibleInput { text: shown, cursor: text::width(&text_of(&characters[first..cursor])) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &str) -> Input {
        let mut input = Input::default();
        for c in keys.chars() {
            input.key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
        }
        input
    }

    fn press(input: &mut Input, code: KeyCode, modifiers: KeyModifiers) {
        assert!(input.key(KeyEvent::new(code, modifiers)));
    }

    #[test]
    fn edits_like_a_shell() {
        let mut input = typed("red dress");
        press(&mut input, KeyCode::Char('w'), KeyModifiers::CONTROL);
        assert_eq!(input.text(), "red ");
        press(&mut input, KeyCode::Home, KeyModifiers::NONE);
        press(&mut input, KeyCode::Char('红'), KeyModifiers::NONE);
        press(&mut input, KeyCode::Delete, KeyModifiers::NONE);
        assert_eq!(input.text(), "红ed ");
        press(&mut input, KeyCode::Char('u'), KeyModifiers::CONTROL);
        assert_eq!(input.text(), "ed ");
        press(&mut input, KeyCode::End, KeyModifiers::NONE);
        press(&mut input, KeyCode::Backspace, KeyModifiers::NONE);
        input.paste("a\u{1b}[31m\nb");
        assert_eq!(input.text(), "eda [31m b");
        assert!(!input.key(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE)));
        assert!(!input.key(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE)));
    }

    #[test]
    fn a_line_is_bounded() {
        let mut input = typed("");
        input.paste(&"x".repeat(3 * LONGEST));
        assert_eq!(input.text().len(), LONGEST);
    }

    #[test]
    fn the_cursor_stays_in_sight() {
        let mut input = typed("红色连衣裙 a");
        for columns in 1..14 {
            let shown = input.visible(columns);
            assert!(text::width(&shown.text) <= columns && shown.cursor < columns, "{columns}: {shown:?}");
        }
        press(&mut input, KeyCode::Home, KeyModifiers::NONE);
        assert_eq!(input.visible(5), VisibleInput { text: "红色".to_owned(), cursor: 0 });
    }
}
