//! A line of text being typed, with the editing keys of a shell.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use unicode_width::UnicodeWidthStr;

use super::super::texts;

/// Longest text that can be typed, in characters; longer than any id or query that the daemon takes.
const LONGEST: usize = 1000;

/// A line of text with a cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Input {
    text: Vec<char>,
    cursor: usize,
}

impl Input {
    /// A line that begins as this text, the cursor behind it.
    pub(crate) fn new(text: &str) -> Self {
        let text: Vec<char> = texts::clean(text).chars().take(LONGEST).collect();
        Self { cursor: text.len(), text }
    }

    /// What was typed.
    pub(crate) fn text(&self) -> String {
        self.text.iter().collect()
    }

    /// Lets a key edit the line; whether it meant anything.
    pub(crate) fn key(&mut self, key: KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('a') if control => self.cursor = 0,
            KeyCode::Char('e') if control => self.cursor = self.text.len(),
            KeyCode::Char('u') if control => {
                self.text.drain(..self.cursor);
                self.cursor = 0;
            }
            KeyCode::Char('k') if control => self.text.truncate(self.cursor),
            KeyCode::Char('w') if control => {
                let mut start = self.cursor;
                while start > 0 && self.text[start - 1] == ' ' {
                    start -= 1;
                }
                while start > 0 && self.text[start - 1] != ' ' {
                    start -= 1;
                }
                self.text.drain(start..self.cursor);
                self.cursor = start;
            }
            KeyCode::Char(c) if !control && !key.modifiers.contains(KeyModifiers::ALT) => self.insert(c),
            KeyCode::Backspace if self.cursor > 0 => {
                self.cursor -= 1;
                self.text.remove(self.cursor);
            }
            KeyCode::Delete if self.cursor < self.text.len() => {
                self.text.remove(self.cursor);
            }
            KeyCode::Left => self.cursor = self.cursor.saturating_sub(1),
            KeyCode::Right => self.cursor = (self.cursor + 1).min(self.text.len()),
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.text.len(),
            _ => return false,
        }
        true
    }

    /// Types pasted text.
    pub(crate) fn paste(&mut self, text: &str) {
        for c in texts::clean(text.trim()).chars() {
            self.insert(c);
        }
    }

    fn insert(&mut self, c: char) {
        if self.text.len() < LONGEST && !c.is_control() {
            self.text.insert(self.cursor, c);
            self.cursor += 1;
        }
    }

    /// The part of the line that fits into so many columns with the cursor in it, and the cursor's column.
    pub(crate) fn visible(&self, columns: usize) -> (String, usize) {
        let columns = columns.max(1);
        let mut first = 0;
        let before = |first: usize| self.text[first..self.cursor].iter().collect::<String>().width();
        while before(first) >= columns {
            first += 1;
        }
        let mut text = String::new();
        for c in &self.text[first..] {
            text.push(*c);
            if text.width() > columns {
                text.pop();
                break;
            }
        }
        (text, before(first))
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
        input.paste("a\u{1b}[31m\nb");
        assert_eq!(input.text(), "a [31m bed ");
        assert!(!input.key(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE)));
    }

    #[test]
    fn the_cursor_stays_in_sight() {
        let mut input = typed("红色连衣裙 a");
        for columns in 1..14 {
            let (text, cursor) = input.visible(columns);
            assert!(text.width() <= columns && cursor < columns, "{columns}: {text:?} {cursor}");
        }
        press(&mut input, KeyCode::Home, KeyModifiers::NONE);
        assert_eq!(input.visible(5), ("红色".to_owned(), 0));
    }
}
