//! Styles over the sixteen named colours, and a last pass that removes colour or non-ASCII characters where the
//! terminal cannot show them. Views therefore need not know the terminal.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use unicode_width::UnicodeWidthStr;

/// The abilities of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Theme {
    /// Colours may be used.
    pub colour: bool,
    /// Characters beyond ASCII may be used.
    pub unicode: bool,
}

impl Theme {
    /// Reads `NO_COLOR` (<https://no-color.org>), `TERM`, `MERCER_ASCII` and the locale through `variable`.
    pub(crate) fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default();
        let utf8 = locale.to_ascii_lowercase().replace('-', "").contains("utf8");
        Self {
            colour: set("NO_COLOR").is_none() && variable("TERM").as_deref() != Some("dumb"),
            unicode: utf8 && set("MERCER_ASCII").is_none_or(|value| value == "0"),
        }
    }
}

/// Plain text.
pub(crate) const PLAIN: Style = Style::new();
/// Words that explain numbers; borders.
pub(crate) const QUIET: Style = Style::new().add_modifier(Modifier::DIM);
/// The number that matters, headings.
pub(crate) const STRONG: Style = Style::new().add_modifier(Modifier::BOLD).remove_modifier(Modifier::DIM);
/// The one accent: where the operator is.
pub(crate) const ACCENT: Style = Style::new().fg(Color::Cyan);
/// Style of the current place and of the object of a key.
pub(crate) const SELECTED: Style = Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD);
/// All is well.
pub(crate) const GOOD: Style = Style::new().fg(Color::Green);
/// Look here.
pub(crate) const WARN: Style = Style::new().fg(Color::Yellow);
/// Broken.
pub(crate) const BAD: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);

/// Fills that distinguish the parts of a stacked bar without colour, and their colours.
pub(crate) const PARTS: [(&str, Style); 8] = [
    ("█", Style::new().fg(Color::Cyan)),
    ("▒", Style::new().fg(Color::Yellow)),
    ("░", Style::new().fg(Color::Magenta)),
    ("▓", Style::new().fg(Color::Green)),
    ("╱", Style::new().fg(Color::Blue)),
    ("╳", Style::new().fg(Color::Red)),
    ("▪", Style::new().fg(Color::LightCyan)),
    ("▫", Style::new().fg(Color::LightYellow)),
];

/// Marks a region as stale.
pub(crate) fn fade(buf: &mut Buffer, area: Rect) {
    let area = area.intersection(buf.area);
    buf.set_style(area, Style::new().add_modifier(Modifier::DIM).remove_modifier(Modifier::BOLD));
}

/// The last pass over a picture: takes out what the terminal cannot show.
pub(crate) fn finish(buf: &mut Buffer, theme: Theme) {
    let width = usize::from(buf.area.width.max(1));
    let mut wide = false;
    for (n, cell) in buf.content.iter_mut().enumerate() {
        if !theme.colour {
            cell.fg = Color::Reset;
        }
        if theme.unicode {
            continue;
        }
        let second = std::mem::take(&mut wide) && n % width != 0;
        if second {
            cell.set_symbol("?");
        } else if !cell.symbol().is_ascii() {
            wide = cell.symbol().width() > 1;
            let plain = ascii(cell.symbol());
            cell.set_symbol(plain);
        }
    }
}

/// One ASCII character for one symbol of the views.
fn ascii(symbol: &str) -> &'static str {
    let Some(c) = symbol.chars().next() else { return " " };
    match c {
        '─' | '━' | '–' | '—' | '▔' => "-",
        '│' | '┃' | '▏' => "|",
        '┌' | '┐' | '└' | '┘' | '├' | '┤' | '┬' | '┴' | '┼' | '╭' | '╮' | '╰' | '╯' | '✓' => {
            "+"
        }
        '▌' | '▸' | '›' | '→' => ">",
        '←' | '‹' => "<",
        '↑' | '▲' => "^",
        '↓' | '▼' => "v",
        '…' => "~",
        '·' | '∙' => "-",
        '•' | '●' | '○' => "o",
        '×' | '✗' | '╳' => "x",
        '±' => "~",
        '▁' => "_",
        '▂' | '▫' => ".",
        '▃' | '▪' => ":",
        '▄' => "-",
        '▅' => "=",
        '▆' => "+",
        '▇' => "*",
        '█' => "#",
        '▓' => "%",
        '▒' => "=",
        '░' => "-",
        '╱' => "/",
        '\u{2800}' => " ",
        '\u{2801}'..='\u{28ff}' => braille(c),
        _ => "?",
    }
}

/// A braille cell of a plot by where its dots are: above, below or both.
fn braille(c: char) -> &'static str {
    let dots = u32::from(c) - 0x2800;
    // Dots 1, 2, 4 and 5 are the upper half, 3, 6, 7 and 8 the lower one (Unicode chapter 21.1).
    match (dots & 0b0001_1011 != 0, dots & 0b1110_0100 != 0) {
        (true, false) => "'",
        (false, _) => ".",
        (true, true) => ":",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment() {
        let theme = |pairs: &'static [(&str, &str)]| {
            Theme::from_environment(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
        };
        assert_eq!(theme(&[("LANG", "C.UTF-8")]), Theme { colour: true, unicode: true });
        assert_eq!(theme(&[("LANG", "C.UTF-8"), ("LC_ALL", "C")]), Theme { colour: true, unicode: false });
        assert_eq!(theme(&[("LANG", "en_US.utf8"), ("NO_COLOR", "1")]), Theme { colour: false, unicode: true });
        assert!(theme(&[("LANG", "en_US.utf8"), ("NO_COLOR", "")]).colour, "an empty NO_COLOR does not count");
        assert!(!theme(&[("LANG", "en_US.utf8"), ("MERCER_ASCII", "1")]).unicode);
        assert!(!theme(&[]).unicode);
    }

    #[test]
    fn ascii_keeps_the_columns() {
        let mut buf = Buffer::with_lines(["─▌红裙…a█⣿"]);
        let before = buf.area.width;
        finish(&mut buf, Theme { colour: false, unicode: false });
        let text: String = buf.content.iter().map(|cell| cell.symbol()).collect();
        assert_eq!(text, "->????~a#:");
        assert_eq!(usize::from(before), text.len());
    }
}
