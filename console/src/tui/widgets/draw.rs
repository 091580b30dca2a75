//! Makes lines and spans and writes them into a buffer.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::text;
use crate::tui::theme;
use crate::tui::widgets::split::{split_left, split_top};

/// Writes a line on row `row` of an area, cut with an ellipsis if it does not fit.
pub(crate) fn put(buf: &mut Buffer, area: Rect, row: usize, line: &Line<'_>) {
    if let Ok(y) = u16::try_from(row) {
        put_at(buf, area, Position::new(0, y), line);
    }
}

/// The same at a column and row of the area.
pub(crate) fn put_at(buf: &mut Buffer, area: Rect, at: Position, line: &Line<'_>) {
    let area = area.intersection(buf.area);
    if at.y >= area.height || at.x >= area.width {
        return;
    }
    let (x, y, room) = (area.x + at.x, area.y + at.y, area.width - at.x);
    if line.width() <= usize::from(room) {
        buf.set_line(x, y, line, room);
    } else {
        let (end, _) = buf.set_line(x, y, line, room - 1);
        buf.set_string(end, y, "…", theme::QUIET);
    }
}

/// Writes lines from the top of an area; returns how many rows they took.
pub(crate) fn lines(buf: &mut Buffer, area: Rect, lines: &[Line<'_>]) -> usize {
    for (row, line) in lines.iter().enumerate().take(usize::from(area.height)) {
        put(buf, area, row, line);
    }
    lines.len().min(usize::from(area.height))
}

/// A heading: the title in bold, then what is quiet about it.
pub(crate) fn heading<'a>(title: impl Into<String>, quiet: impl Into<String>) -> Line<'a> {
    let quiet: String = quiet.into();
    let mut spans = vec![Span::styled(title.into(), theme::STRONG)];
    if !quiet.is_empty() {
        spans.push(Span::styled(format!("  {quiet}"), theme::QUIET));
    }
    Line::from(spans)
}

/// A row of a form: a quiet label of fixed width, then its content.
pub(crate) fn field<'a>(label: &str, columns: usize, content: Vec<Span<'a>>) -> Line<'a> {
    let mut spans = vec![Span::styled(text::pad(label, columns), theme::QUIET)];
    spans.extend(content);
    Line::from(spans)
}

/// A span with a style.
pub(crate) fn span<'a>(text: impl Into<String>, style: Style) -> Span<'a> {
    Span::styled(text.into(), style)
}

/// Text in lines of at most so many columns, cleaned and in one style.
pub(crate) fn wrapped<'a>(text: &str, columns: usize, style: Style) -> impl Iterator<Item = Line<'a>> {
    text::wrap(&text::clean(text), columns).into_iter().map(move |line| Line::styled(line, style))
}

/// Writes the message of an empty pane: the situation, and what to do next.
pub(crate) fn say(buf: &mut Buffer, area: Rect, what: &str, next: &str) {
    let columns = usize::from(area.width).saturating_sub(2);
    let mut all: Vec<Line<'_>> = wrapped(what, columns, theme::PLAIN).collect();
    all.extend(wrapped(next, columns, theme::QUIET));
    let area = split_left(split_top(area, 1).1, 1).1;
    lines(buf, area, &all);
}

/// The rows of a list of `len` that are shown in `height` rows so that the selected one is among them, in the middle
/// where that is possible.
pub(crate) fn window(selected: usize, len: usize, height: usize) -> std::ops::Range<usize> {
    let first = selected.saturating_sub(height / 2).min(len.saturating_sub(height));
    first..(first + height).min(len)
}

/// A picture as text, a string a row, without trailing blanks. The second cell of a wide character is no character.
#[cfg(test)]
pub(crate) fn rows(buf: &Buffer) -> Vec<String> {
    let width = usize::from(buf.area.width);
    if width == 0 {
        return Vec::new();
    }
    let row = |cells: &[ratatui::buffer::Cell]| {
        let mut row = String::new();
        let mut skip = 0;
        for cell in cells {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            row.push_str(cell.symbol());
            skip = text::width(cell.symbol()).saturating_sub(1);
        }
        row.trim_end().to_owned()
    };
    buf.content.chunks(width).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selected_row_is_always_in_the_window() {
        for len in 1..12 {
            for height in 1..8 {
                for selected in 0..len {
                    let range = window(selected, len, height);
                    assert!(range.contains(&selected) && range.end <= len && range.len() == height.min(len));
                }
            }
        }
        assert!(window(0, 0, 5).is_empty());
        assert!(window(3, 9, 0).is_empty());
    }
}
