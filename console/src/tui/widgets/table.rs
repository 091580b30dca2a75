//! Tables with aligned columns: columns say how they may shrink and which may go when the terminal is narrow. A label that does not fit
//! its column stands on lines of its own above its row.

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
    /// Whether a cell that does not fit moves to lines of its own above its row, so that it is never cut.
    pub breaks: bool,
}

/// A column of words, as wide as its content.
pub(crate) const fn words(title: &'static str, drop: u8) -> Column {
    Column { title, right: false, min: 0, grows: false, drop, breaks: false }
}

/// A column of numbers.
pub(crate) const fn number(title: &'static str, drop: u8) -> Column {
    Column { title, right: true, min: 0, grows: false, drop, breaks: false }
}

/// A column that takes the room that is left, at least `min`.
pub(crate) const fn wide(title: &'static str, min: usize) -> Column {
    Column { title, right: false, min, grows: true, drop: 0, breaks: false }
}

/// The same for labels that tell rows apart: they are never cut.
pub(crate) const fn label(title: &'static str, min: usize) -> Column {
    Column { breaks: true, ..wide(title, min) }
}

/// A table: its columns and its rows, a line for each column.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    /// The columns.
    pub columns: &'a [Column],
    /// The rows. A row of a single cell is a heading within the table, across all columns.
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
    fn is_heading(&self, row: &[Line<'_>]) -> bool {
        row.len() == 1 && self.columns.len() > 1
    }

    /// The columns that are shown.
    fn layout(&self, columns: usize) -> Vec<Shown> {
        let room = columns.saturating_sub(if self.selected.is_some() { 2 } else { 0 });
        let rows = || self.rows.iter().filter(|row| !self.is_heading(row));
        let content = |n: usize| rows().filter_map(|row| row.get(n)).map(Line::width).max().unwrap_or(0);
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
        let columns = usize::from(area.width);
        let heights: Vec<usize> = (0..self.rows.len()).map(|n| self.height(&layout, n, columns)).collect();
        let range = window_of(self.selected.unwrap_or(0), &heights, usize::from(body.height));
        let rows = (range.first..self.rows.len()).flat_map(|n| self.block(&layout, n, columns));
        for (row, line) in rows.skip(range.skipped).take(usize::from(body.height)).enumerate() {
            put(buf, body, row, &line);
        }
    }

    /// The header row and all rows as lines of at most so many columns.
    pub(crate) fn lines(&self, columns: usize) -> Vec<Line<'static>> {
        let layout = self.layout(columns);
        let rows = (0..self.rows.len()).flat_map(|n| self.block(&layout, n, columns));
        std::iter::once(self.header(&layout)).chain(rows).collect()
    }

    /// What stands before a row.
    fn marker(&self, n: usize) -> Span<'static> {
        let marker = match self.selected {
            None => "",
            Some(selected) if selected == n => "▌ ",
            Some(_) => "  ",
        };
        Span::styled(marker, if self.focused { theme::SELECTED } else { theme::QUIET })
    }

    /// How many lines a row takes.
    fn height(&self, layout: &[Shown], n: usize, columns: usize) -> usize {
        let room = columns.saturating_sub(self.marker(n).width());
        let row = &self.rows[n];
        if self.is_heading(row) { flow(&row[0], room).len() } else { self.broken(layout, n, room).len() + 1 }
    }

    /// The lines of a label that does not fit its column; none if it does.
    fn broken(&self, layout: &[Shown], n: usize, room: usize) -> Vec<Line<'static>> {
        let does_not_fit = |shown: &&Shown| {
            self.columns[shown.column].breaks
                && self.rows[n].get(shown.column).is_some_and(|cell| cell.width() > shown.width)
        };
        let cell = layout.iter().find(does_not_fit).map(|shown| &self.rows[n][shown.column]);
        cell.map_or_else(Vec::new, |cell| label_lines(cell, room))
    }

    /// All lines of a row, each behind the marker.
    fn block(&self, layout: &[Shown], n: usize, columns: usize) -> Vec<Line<'static>> {
        let room = columns.saturating_sub(self.marker(n).width());
        let mut all = if self.is_heading(&self.rows[n]) {
            flow(&self.rows[n][0], room)
        } else {
            let above = self.broken(layout, n, room);
            let last = self.row(layout, n, !above.is_empty());
            above.into_iter().chain([last]).collect()
        };
        let strong = if self.selected == Some(n) && self.focused { theme::STRONG } else { theme::PLAIN };
        for line in &mut all {
            for span in &mut line.spans {
                span.style = span.style.patch(strong);
            }
            line.spans.insert(0, self.marker(n));
        }
        all
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

    /// The cells of a row; without its label where that stands above.
    fn row(&self, layout: &[Shown], n: usize, broken: bool) -> Line<'static> {
        let mut spans = Vec::new();
        for (place, Shown { column, width }) in layout.iter().enumerate() {
            let gap = if place + 1 < layout.len() { GAP } else { 0 };
            let above = broken && self.columns[*column].breaks;
            let cell = self.rows[n].get(*column).filter(|_| !above);
            let cell = cell.map(|cell| fit(cell, *width, self.columns[*column].right)).unwrap_or_default();
            let fill = width.saturating_sub(cell.iter().map(Span::width).sum());
            spans.extend(cell);
            spans.push(Span::raw(" ".repeat(fill + gap)));
        }
        Line::from(spans)
    }
}

/// The part of rows of several lines that is shown.
struct Range {
    /// The first row.
    first: usize,
    /// Its lines that are out of sight.
    skipped: usize,
}

/// The same as [`window`] for rows of so many lines each.
fn window_of(selected: usize, heights: &[usize], rows: usize) -> Range {
    let before: usize = heights.iter().take(selected).sum();
    let first_line = window(before, heights.iter().sum(), rows).start;
    let mut lines = 0;
    let hidden = |height: &&usize| {
        lines += **height;
        lines <= first_line
    };
    let first = heights.iter().take_while(hidden).count();
    let skipped = first_line.saturating_sub(heights[..first].iter().sum());
    Range { first, skipped }
}

/// A label in lines of at most so many columns, each set in as far as the first.
fn label_lines(cell: &Line<'_>, columns: usize) -> Vec<Line<'static>> {
    let whole: String = cell.spans.iter().map(|span| span.content.as_ref()).collect();
    let indent = whole.len() - whole.trim_start().len();
    let style = cell.spans.first().map_or(cell.style, |span| cell.style.patch(span.style));
    let lines = text::wrap(whole.trim(), columns.saturating_sub(indent));
    lines.into_iter().map(|line| Line::styled(format!("{}{line}", " ".repeat(indent)), style)).collect()
}

/// A heading: its spans side by side, and on a further line where they do not fit.
fn flow(heading: &Line<'_>, columns: usize) -> Vec<Line<'static>> {
    let mut lines: Vec<Line<'static>> = vec![Line::default()];
    for span in heading.spans.iter().filter(|span| !span.content.is_empty()) {
        let style = heading.style.patch(span.style);
        let used = lines.last().map_or(0, Line::width);
        let gap = if used == 0 { 0 } else { GAP };
        if used > 0 && used + gap + span.width() > columns {
            lines.push(Line::from(Span::styled(
                format!("  {}", text::cut(&span.content, columns.saturating_sub(2))),
                style,
            )));
        } else if let Some(line) = lines.last_mut() {
            line.spans.push(Span::raw(" ".repeat(gap)));
            line.spans.push(Span::styled(text::cut(&span.content, columns.saturating_sub(used + gap)), style));
        }
    }
    lines
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

    /// A table of labels that differ at their end, the selected row marked.
    fn labels(width: u16, height: u16, selected: usize) -> Vec<String> {
        let columns = [label("number", 12), number("value", 0)];
        let row = |label: &str| vec![Line::from(label.to_owned()), Line::from("0.5")];
        let head = Line::from(vec![Span::raw("by region"), Span::raw("gap 0.05"), Span::raw("within noise")]);
        let rows = vec![vec![head], row("gap between groups by gender"), row("worst"), row("  groups by region")];
        let table = Table { columns: &columns, rows, selected: Some(selected), focused: true };
        let area = Rect::new(0, 0, width, height);
        let mut buf = Buffer::empty(area);
        table.draw(area, &mut buf);
        crate::tui::widgets::draw::rows(&buf)
    }

    #[test]
    fn labels_that_do_not_fit_stand_above_their_row() {
        assert_eq!(
            labels(24, 9, 1),
            [
                "  number           value",
                "  by region  gap 0.05",
                "    within noise",
                "▌ gap between groups by",
                "▌ gender",
                "▌                    0.5",
                "  worst              0.5",
                "    groups by region",
                "                     0.5",
            ]
        );
        let wide = labels(60, 5, 2);
        assert_eq!(wide[2..4], ["  gap between groups by gender    0.5", "▌ worst                           0.5"]);
    }

    #[test]
    fn the_selected_row_is_in_sight_with_its_label() {
        for height in 4..12 {
            for (selected, word) in [(0, "by region"), (1, "gender"), (2, "worst"), (3, "groups by region")] {
                let shown = labels(30, height, selected);
                assert!(shown.iter().any(|line| line.contains('▌') && line.contains(word)), "{height}: {shown:?}");
            }
        }
    }
}
