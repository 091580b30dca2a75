//! Tables with aligned columns: columns say how they may shrink and which may go when the terminal is narrow.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::text;
use crate::tui::theme;
use crate::tui::widgets::draw::{put, window};
use crate::tui::widgets::split::split_top;

/// Blank columns between two columns of a table.
const GAP: usize = 2;

/// One column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// Its title.
    pub title: &'static str,
    /// Whether numbers stand flush right in it.
    pub right: bool,
    /// Narrowest width; a column that may not grow takes what its content needs.
    pub min: usize,
    /// Whether it takes the room that is left.
    pub grows: bool,
    /// Which columns go first where room is short: the highest; 0 never goes.
    pub drop: u8,
}

/// A column of words, as wide as its content.
pub(crate) const fn words(title: &'static str, drop: u8) -> Column {
    Column { title, right: false, min: 0, grows: false, drop }
}

/// A column of numbers.
pub(crate) const fn number(title: &'static str, drop: u8) -> Column {
    Column { title, right: true, min: 0, grows: false, drop }
}

/// A column that takes the room that is left, at least `min`.
pub(crate) const fn wide(title: &'static str, min: usize) -> Column {
    Column { title, right: false, min, grows: true, drop: 0 }
}

/// A table: its columns and its rows, a line for each column.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    /// The columns.
    pub columns: &'a [Column],
    /// The rows.
    pub rows: Vec<Vec<Line<'a>>>,
    /// The selected row, if one can be selected.
    pub selected: Option<usize>,
    /// Whether keys go to this table at the moment.
    pub focused: bool,
}

/// A column as it is shown.
#[derive(Clone, Copy)]
struct Shown {
    /// Its place among the columns of the table.
    column: usize,
    /// Its width in cells.
    width: usize,
}

impl Table<'_> {
    /// The columns that are shown.
    fn layout(&self, columns: usize) -> Vec<Shown> {
        let room = columns.saturating_sub(if self.selected.is_some() { 2 } else { 0 });
        let content = |n: usize| self.rows.iter().filter_map(|row| row.get(n)).map(Line::width).max().unwrap_or(0);
        let needs = |n: usize| {
            let column = &self.columns[n];
            if column.grows {
                return column.min.max(text::width(column.title));
            }
            content(n).max(text::width(column.title)).max(column.min)
        };
        // A column that may go and holds nothing is only a title.
        let idle = |n: usize| self.columns[n].drop > 0 && content(n) == 0 && !self.rows.is_empty();
        let mut shown: Vec<Shown> = (0..self.columns.len())
            .filter(|n| !idle(*n))
            .map(|column| Shown { column, width: needs(column) })
            .collect();
        let total = |shown: &[Shown]| shown.iter().map(|one| one.width + GAP).sum::<usize>().saturating_sub(GAP);
        while total(&shown) > room {
            let Some(worst) = (0..shown.len()).max_by_key(|&n| self.columns[shown[n].column].drop) else { break };
            if self.columns[shown[worst].column].drop == 0 {
                break;
            }
            shown.remove(worst);
        }
        let left = room.saturating_sub(total(&shown));
        let growing: Vec<usize> = (0..shown.len()).filter(|&n| self.columns[shown[n].column].grows).collect();
        for (k, &n) in growing.iter().enumerate() {
            let share = left / growing.len() + usize::from(k < left % growing.len());
            // Wider than its content a column would only tear the row apart.
            shown[n].width += share.min(content(shown[n].column).saturating_sub(shown[n].width));
        }
        shown
    }

    /// Draws a header row and as many rows as fit, the selected one among them.
    pub(crate) fn draw(&self, area: Rect, buf: &mut Buffer) {
        let layout = self.layout(usize::from(area.width));
        let (head, body) = split_top(area, 1);
        put(buf, head, 0, &self.header(&layout));
        let range = window(self.selected.unwrap_or(0), self.rows.len(), usize::from(body.height));
        for (row, n) in range.enumerate() {
            put(buf, body, row, &self.row(&layout, n));
        }
    }

    /// The header row and all rows as lines of at most so many columns.
    pub(crate) fn lines(&self, columns: usize) -> Vec<Line<'static>> {
        let layout = self.layout(columns);
        let rows = (0..self.rows.len()).map(|n| self.row(&layout, n));
        std::iter::once(self.header(&layout)).chain(rows).collect()
    }

    fn header(&self, layout: &[Shown]) -> Line<'static> {
        let mut spans = vec![Span::raw(if self.selected.is_some() { "  " } else { "" })];
        for Shown { column, width } in layout {
            let column = &self.columns[*column];
            let title =
                if column.right { text::pad_left(column.title, *width) } else { text::pad(column.title, *width) };
            spans.push(Span::styled(title, theme::QUIET));
            spans.push(Span::raw(" ".repeat(GAP)));
        }
        spans.pop();
        Line::from(spans)
    }

    fn row(&self, layout: &[Shown], n: usize) -> Line<'static> {
        let selected = self.selected == Some(n);
        let marker = match (self.selected, selected) {
            (None, _) => "",
            (Some(_), true) => "▌ ",
            (Some(_), false) => "  ",
        };
        let mut spans = vec![Span::styled(marker, if self.focused { theme::SELECTED } else { theme::QUIET })];
        for (place, Shown { column, width }) in layout.iter().enumerate() {
            let gap = if place + 1 < layout.len() { GAP } else { 0 };
            let cell = self.rows[n]
                .get(*column)
                .map(|cell| fit(cell, *width, self.columns[*column].right))
                .unwrap_or_default();
            let fill = width.saturating_sub(cell.iter().map(Span::width).sum());
            let strong = if selected && self.focused { theme::STRONG } else { theme::PLAIN };
            spans.extend(cell.into_iter().map(|span| span.patch_style(strong)));
            spans.push(Span::raw(" ".repeat(fill + gap)));
        }
        Line::from(spans)
    }
}

/// Cuts a line to its column, with an ellipsis, and sets it flush right where asked.
fn fit(line: &Line<'_>, columns: usize, right: bool) -> Vec<Span<'static>> {
    let mut left = columns;
    let mut spans: Vec<Span<'static>> = Vec::with_capacity(line.spans.len() + 1);
    if right {
        spans.push(Span::raw(" ".repeat(columns.saturating_sub(line.width()))));
        left -= columns.saturating_sub(line.width());
    }
    for (n, span) in line.spans.iter().enumerate() {
        let more = line.spans[n + 1..].iter().any(|s| !s.content.is_empty());
        let text = if span.width() > left || (span.width() == left && more) {
            // Something does not fit: force the ellipsis even where the span itself would end at the edge.
            text::cut(&format!("{}{}", span.content, if more { "  " } else { "" }), left)
        } else {
            span.content.to_string()
        };
        left = left.saturating_sub(text::width(&text));
        spans.push(Span::styled(text, line.style.patch(span.style)));
        if left == 0 {
            break;
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(width: u16, selected: usize) -> Vec<String> {
        let columns = [number("#", 0), wide("title", 6), words("category", 2), number("price", 1)];
        let rows = [("红色连衣裙", "Dresses", "9.95"), ("A lamp that is much too long", "Home", "120.00")];
        let rows = rows
            .iter()
            .enumerate()
            .map(|(n, (a, b, c))| {
                vec![Line::from(format!("{}", n + 1)), Line::from(*a), Line::from(*b), Line::from(*c)]
            })
            .collect();
        let table = Table { columns: &columns, rows, selected: Some(selected), focused: true };
        let area = Rect::new(0, 0, width, 3);
        let mut buf = Buffer::empty(area);
        table.draw(area, &mut buf);
        crate::tui::widgets::draw::rows(&buf)
    }

    #[test]
    fn columns_align_and_go_when_room_is_short() {
        assert_eq!(
            draw(40, 1),
            [
                "  #  title              category   price",
                "  1  红色连衣裙         Dresses     9.95",
                "▌ 2  A lamp that is m…  Home      120.00"
            ]
            .map(|line| line.trim_end().to_owned())
        );
        assert_eq!(draw(22, 0), ["  #  title       price", "▌ 1  红色连衣…    9.95", "  2  A lamp t…  120.00"]);
        assert_eq!(draw(11, 0), ["  #  title", "▌ 1  红色…", "  2  A lam…"]);
        for width in 0..50 {
            draw(width, 0);
        }
    }
}
