//! Updates the terminal in as few bytes as possible: only cells that changed, cursor moves and attributes only where
//! needed, and the short form of the sixteen named colours. Two equal pictures need no byte. Our own instead of
//! ratatui's backend, which sends colours as 38;5 codes and the cursor with each run of cells: over SSH a tick has a
//! budget of bytes.

use std::io::Write;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

/// The picture on the terminal.
#[derive(Debug)]
pub(crate) struct Painter {
    shown: Buffer,
    cursor: Option<Position>,
    /// Whether the picture on the terminal is unknown.
    blank: bool,
}

impl Painter {
    /// A painter of a terminal that shows nothing that is known.
    pub(crate) fn new() -> Self {
        Self { shown: Buffer::empty(Rect::ZERO), cursor: None, blank: true }
    }

    /// Forgets what the terminal shows; the next picture is painted whole.
    pub(crate) fn forget(&mut self) {
        self.blank = true;
    }

    /// Takes the next picture and appends the bytes that lead to it.
    pub(crate) fn paint(&mut self, next: Buffer, cursor: Option<Position>, out: &mut Vec<u8>) {
        let start = out.len();
        if self.blank || self.shown.area != next.area {
            self.shown = Buffer::empty(next.area);
            self.cursor = None;
            self.blank = false;
            out.extend_from_slice(b"\x1b[?25l\x1b[0m\x1b[2J");
        }
        let changes = self.shown.diff(&next);
        if (!changes.is_empty() || self.cursor != cursor) && self.cursor.is_some() && out.len() == start {
            out.extend_from_slice(b"\x1b[?25l");
        }
        let mut at: Option<(u16, u16)> = None;
        let mut pen = Pen::default();
        for (x, y, cell) in &changes {
            let (x, y) = (*x, *y);
            if at != Some((x, y)) {
                match at {
                    Some((_, row)) if row == y && x == 0 => out.push(b'\r'),
                    Some((column, row)) if row == y && column < x && x - column == 1 => {
                        out.extend_from_slice(b"\x1b[C")
                    }
                    Some((column, row)) if row == y && column < x => {
                        write_to(out, format_args!("\x1b[{}C", x - column))
                    }
                    _ => write_to(out, format_args!("\x1b[{};{}H", y + 1, x + 1)),
                }
            }
            pen.change(Pen { fg: cell.fg, bg: cell.bg, modifier: cell.modifier }, out);
            out.extend_from_slice(cell.symbol().as_bytes());
            let width = u16::try_from(cell.symbol().width()).unwrap_or(1).max(1);
            // In the last column terminals differ about where the cursor is: say it anew.
            at = (x + width < next.area.right()).then_some((x + width, y));
        }
        pen.change(Pen::default(), out);
        if let Some(position) = cursor
            && (out.len() > start || self.cursor != cursor)
        {
            write_to(out, format_args!("\x1b[{};{}H\x1b[?25h", position.y + 1, position.x + 1));
        }
        self.cursor = cursor;
        self.shown = next;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pen {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

impl Default for Pen {
    fn default() -> Self {
        Self { fg: Color::Reset, bg: Color::Reset, modifier: Modifier::empty() }
    }
}

impl Pen {
    fn change(&mut self, next: Self, out: &mut Vec<u8>) {
        if *self == next {
            return;
        }
        let mut codes: Vec<u8> = Vec::new();
        let gone = self.modifier - next.modifier;
        let mut before = *self;
        if !gone.is_empty() {
            // Bold and dim share their end, and some terminals know no end of single attributes: begin anew.
            codes.push(0);
            before = Self::default();
        }
        let new = next.modifier - before.modifier;
        for (modifier, code) in [
            (Modifier::BOLD, 1),
            (Modifier::DIM, 2),
            (Modifier::ITALIC, 3),
            (Modifier::UNDERLINED, 4),
            (Modifier::REVERSED, 7),
        ] {
            if new.contains(modifier) {
                codes.push(code);
            }
        }
        if before.fg != next.fg {
            codes.push(colour(next.fg));
        }
        if before.bg != next.bg {
            codes.push(colour(next.bg) + 10);
        }
        *self = next;
        if codes == [0] {
            out.extend_from_slice(b"\x1b[m");
        } else if !codes.is_empty() {
            let text: Vec<String> = codes.iter().map(ToString::to_string).collect();
            write_to(out, format_args!("\x1b[{}m", text.join(";")));
        }
    }
}

/// The foreground code of a named colour (ECMA-48 and the bright ones of aixterm).
fn colour(colour: Color) -> u8 {
    match colour {
        Color::Black => 30,
        Color::Red => 31,
        Color::Green => 32,
        Color::Yellow => 33,
        Color::Blue => 34,
        Color::Magenta => 35,
        Color::Cyan => 36,
        Color::Gray => 37,
        Color::DarkGray => 90,
        Color::LightRed => 91,
        Color::LightGreen => 92,
        Color::LightYellow => 93,
        Color::LightBlue => 94,
        Color::LightMagenta => 95,
        Color::LightCyan => 96,
        Color::White => 97,
        _ => 39,
    }
}

fn write_to(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to a vector cannot fail.
    let _ = out.write_fmt(text);
}
