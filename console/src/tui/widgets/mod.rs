//! The parts that views are put together from. All of them draw into a buffer, clip to their area, and never fail.

pub(crate) mod bars;
pub(crate) mod chrome;
pub(crate) mod input;
pub(crate) mod overlay;
pub(crate) mod plot;
pub(crate) mod table;

use mercer_shared::problem::{Code, Problem};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::app::{App, Remote};
use super::{texts, theme, view};

/// Writes a line on the `row`th row of an area, as far as it fits; an ellipsis says where something is missing.
pub(crate) fn put(buf: &mut Buffer, area: Rect, row: usize, line: &Line<'_>) {
    put_at(buf, area, row, 0, line);
}

/// The same, `column` columns in.
pub(crate) fn put_at(buf: &mut Buffer, area: Rect, row: usize, column: usize, line: &Line<'_>) {
    let area = area.intersection(buf.area);
    let (Ok(row), Ok(column)) = (u16::try_from(row), u16::try_from(column)) else { return };
    if row >= area.height || column >= area.width {
        return;
    }
    let (x, y, room) = (area.x + column, area.y + row, area.width - column);
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

/// The first `n` rows and the rest.
pub(crate) fn split_top(area: Rect, n: u16) -> (Rect, Rect) {
    let n = n.min(area.height);
    (Rect { height: n, ..area }, Rect { y: area.y + n, height: area.height - n, ..area })
}

/// All but the last `n` rows, and these.
pub(crate) fn split_bottom(area: Rect, n: u16) -> (Rect, Rect) {
    split_top(area, area.height.saturating_sub(n))
}

/// The first `n` columns and the rest.
pub(crate) fn split_left(area: Rect, n: u16) -> (Rect, Rect) {
    let n = n.min(area.width);
    (Rect { width: n, ..area }, Rect { x: area.x + n, width: area.width - n, ..area })
}

/// Two columns with a quiet line between them: `n` columns, the line, the rest. `rule` is the row of the horizontal
/// rule above, which the line joins.
pub(crate) fn split_with_rule(buf: &mut Buffer, area: Rect, n: u16) -> (Rect, Rect) {
    let (left, rest) = split_left(area, n);
    let (rule, right) = split_left(rest, 1);
    for row in 0..usize::from(rule.height) {
        put(buf, rule, row, &Line::styled("│", theme::QUIET));
    }
    let right = split_left(right, 1).1;
    (left, right)
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
    let mut spans = vec![Span::styled(texts::pad(label, columns), theme::QUIET)];
    spans.extend(content);
    Line::from(spans)
}

/// A span with a style.
pub(crate) fn span<'a>(text: impl Into<String>, style: Style) -> Span<'a> {
    Span::styled(text.into(), style)
}

/// Words for a pane without content: what is the case, and what to do next.
pub(crate) fn say(buf: &mut Buffer, area: Rect, what: &str, next: &str) {
    let columns = usize::from(area.width).saturating_sub(2);
    let mut all: Vec<Line<'_>> = texts::wrap(&texts::clean(what), columns).into_iter().map(Line::from).collect();
    all.extend(texts::wrap(&texts::clean(next), columns).into_iter().map(|line| Line::styled(line, theme::QUIET)));
    let area = split_left(split_top(area, 1).1, 1).1;
    lines(buf, area, &all);
}

/// A problem in two lines: what happened, what to do.
pub(crate) fn say_problem(app: &App, buf: &mut Buffer, area: Rect, problem: &Problem) {
    let columns = usize::from(area.width).saturating_sub(2);
    let text = texts::clean(&format!("{}: {}", problem.title, problem.detail));
    let mut all: Vec<Line<'_>> = texts::wrap(&text, columns).into_iter().map(|l| Line::styled(l, theme::BAD)).collect();
    // The table's hint names no paths; here they are known.
    let hint = match problem.code {
        Code::NotRunning => format!("start one: {}", view::start_command(app)),
        _ => format!("{}; r asks again", problem.hint),
    };
    all.extend(texts::wrap(&texts::clean(&hint), columns).into_iter().map(|line| Line::styled(line, theme::QUIET)));
    let area = split_left(split_top(area, 1).1, 1).1;
    lines(buf, area, &all);
}

/// What stands in a pane whose content is not there: an error with what to do, or that it is being fetched. Returns the
/// content if it is there.
pub(crate) fn content<'a, T>(
    app: &App,
    remote: &'a Remote<T>,
    area: Rect,
    buf: &mut Buffer,
    what: &str,
) -> Option<&'a T> {
    if remote.value.is_none() {
        match &remote.problem {
            Some(problem) => say_problem(app, buf, area, problem),
            None if remote.loading => say(buf, area, &format!("Asking for {what}"), "It comes in a moment"),
            None if app.stale().is_some() => say(buf, area, &format!("No {what} yet"), "The daemon does not answer"),
            None => say(buf, area, &format!("No {what} yet"), "r asks for it"),
        }
    }
    remote.value.as_ref()
}

/// The rows of a list of `len` that are shown in `height` rows so that the selected one is among them, in the middle
/// where that is possible.
pub(crate) fn window(selected: usize, len: usize, height: usize) -> std::ops::Range<usize> {
    let first = selected.saturating_sub(height / 2).min(len.saturating_sub(height));
    first..(first + height).min(len)
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
