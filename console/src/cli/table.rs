//! Tables whose columns line up, whatever script the text is in, set by `comfy-table`.

use comfy_table::{CellAlignment, ContentArrangement, Row, presets};

use super::out::{Out, Stop};
use crate::text;

/// Columns that a column which gives way keeps at least.
const LEAST: usize = 12;
/// Blank columns between two columns.
const GAP: u16 = 2;

/// A column.
#[derive(Debug)]
struct Column {
    head: &'static str,
    side: CellAlignment,
    /// Whether it gives way when the terminal is too narrow.
    shrinks: bool,
}

/// A table with a heading. Cells are cleaned of control characters when they are added.
#[derive(Debug, Default)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// No columns yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A column of text.
    pub(crate) fn text(mut self, head: &'static str) -> Self {
        self.columns.push(Column { head, side: CellAlignment::Left, shrinks: false });
        self
    }

    /// A column of numbers.
    pub(crate) fn number(mut self, head: &'static str) -> Self {
        self.columns.push(Column { head, side: CellAlignment::Right, shrinks: false });
        self
    }

    /// A column of text that is cut when the terminal is too narrow.
    pub(crate) fn title(mut self, head: &'static str) -> Self {
        self.columns.push(Column { head, side: CellAlignment::Left, shrinks: true });
        self
    }

    /// One row.
    pub(crate) fn row(&mut self, cells: impl Into<Vec<String>>) {
        let cells = cells.into();
        debug_assert_eq!(cells.len(), self.columns.len(), "as many cells as columns");
        self.rows.push(cells.iter().map(|cell| text::clean(cell)).collect());
    }

    /// Lines of the table, heading first; `width` columns at most, if the column that gives way allows it.
    pub(crate) fn lines(&self, width: Option<usize>) -> Vec<String> {
        let room = width.and_then(|width| self.room_for_titles(width));
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(Row::from(self.columns.iter().map(|column| column.head)));
        for row in &self.rows {
            // Cut here: the library would wrap a long title, and a row is to be one line.
            table.add_row(row.iter().zip(&self.columns).map(|(cell, column)| match room {
                Some(room) if column.shrinks => text::cut(cell, room),
                _ => cell.clone(),
            }));
        }
        for (column, set) in self.columns.iter().zip(table.column_iter_mut()) {
            set.set_padding((0, GAP)).set_cell_alignment(column.side);
        }
        table.lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// Width left for the shrinkable column; `None` if everything fits or no column shrinks.
    fn room_for_titles(&self, width: usize) -> Option<usize> {
        let place = self.columns.iter().position(|column| column.shrinks)?;
        let widest = |n: usize| {
            let cells = self.rows.iter().map(|row| text::width(&row[n]));
            cells.fold(text::width(self.columns[n].head), usize::max)
        };
        let whole: usize = (0..self.columns.len()).map(widest).sum::<usize>()
            + usize::from(GAP) * self.columns.len().saturating_sub(1);
        let title = widest(place);
        (whole > width).then(|| title.saturating_sub(whole - width).max(LEAST.min(title)))
    }

    /// Writes the table.
    pub(crate) fn print(&self, out: &mut Out) -> Result<(), Stop> {
        let lines = self.lines(out.width);
        if let Some((head, rows)) = lines.split_first() {
            out.heading(head)?;
            rows.iter().try_for_each(|row| out.line(row))?;
        }
        Ok(())
    }

    /// Whether there are no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}
/// Names and values below each other, the values lined up.
pub(crate) fn facts(out: &mut Out, facts: &[(&str, String)]) -> Result<(), Stop> {
    let width = facts.iter().map(|(name, _)| text::width(name)).max().unwrap_or(0);
    for (name, value) in facts {
        out.line(format!("{name}{}  {}", " ".repeat(width - text::width(name)), text::clean(value)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::new().text("id").title("title").number("score");
        table.row(["a".into(), "red dress".into(), "1.5".into()]);
        table.row(["bb".into(), "红色连衣裙\u{1b}[2J".into(), "10.25".into()]);
        table
    }

    #[test]
    fn columns_line_up_in_any_script() {
        assert_eq!(
            sample().lines(None),
            ["id  title           score", "a   red dress         1.5", "bb  红色连衣裙 [2J  10.25"]
        );
    }

    #[test]
    fn the_title_gives_way() {
        let lines = sample().lines(Some(22));
        assert!(lines.iter().all(|line| text::width(line) <= 23), "{lines:?}");
        assert!(lines[2].contains('…') && lines[2].ends_with("10.25"), "{lines:?}");
    }
}
