//! Tables whose columns line up, whatever script the text is in.

use super::out::{Out, Stop};
use super::text::{clean, columns, cut};

/// Columns a shrunk column keeps at least.
const LEAST: usize = 12;

/// Which side of its column a cell keeps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// Rows under a heading. Cells are cleaned of control characters on their way in.
#[derive(Debug, Default)]
pub(crate) struct Table {
    heads: Vec<(&'static str, Side)>,
    /// The column that gives way when the terminal is too narrow.
    shrinks: Option<usize>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// No columns yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A column of text.
    pub(crate) fn text(mut self, head: &'static str) -> Self {
        self.heads.push((head, Side::Left));
        self
    }

    /// A column of numbers.
    pub(crate) fn number(mut self, head: &'static str) -> Self {
        self.heads.push((head, Side::Right));
        self
    }

    /// A column of text that is cut when the terminal is too narrow.
    pub(crate) fn title(mut self, head: &'static str) -> Self {
        self.shrinks = Some(self.heads.len());
        self.text(head)
    }

    /// One row.
    pub(crate) fn row(&mut self, cells: impl Into<Vec<String>>) {
        let cells = cells.into();
        debug_assert_eq!(cells.len(), self.heads.len(), "as many cells as columns");
        self.rows.push(cells.iter().map(|cell| clean(cell)).collect());
    }

    /// Lines of the table, heading first; `width` columns at most, if the column that gives way allows it.
    pub(crate) fn lines(&self, width: Option<usize>) -> Vec<String> {
        let mut widths: Vec<usize> = self.heads.iter().map(|(head, _)| columns(head)).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(columns(cell));
            }
        }
        if let (Some(limit), Some(shrinks)) = (width, self.shrinks) {
            let whole: usize = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
            let over = whole.saturating_sub(limit);
            if let Some(column) = widths.get_mut(shrinks) {
                *column = (*column).saturating_sub(over).max(LEAST.min(*column));
            }
        }
        let heads: Vec<String> = self.heads.iter().map(|(head, _)| (*head).to_owned()).collect();
        std::iter::once(&heads).chain(&self.rows).map(|row| self.format(row, &widths)).collect()
    }

    fn format(&self, row: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((cell, (_, side)), width) in row.iter().zip(&self.heads).zip(widths) {
            let cell = cut(cell, *width);
            let pad = " ".repeat(width.saturating_sub(columns(&cell)));
            if !line.is_empty() || columns(&line) > 0 {
                line.push_str("  ");
            }
            match side {
                Side::Left => line.push_str(&(cell + &pad)),
                Side::Right => line.push_str(&(pad + &cell)),
            }
        }
        line.trim_end().to_owned()
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
    let width = facts.iter().map(|(name, _)| columns(name)).max().unwrap_or(0);
    for (name, value) in facts {
        out.line(format!("{name}{}  {}", " ".repeat(width - columns(name)), clean(value)))?;
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
            ["id  title          score", "a   red dress        1.5", "bb  红色连衣裙[2J  10.25"]
        );
    }

    #[test]
    fn the_title_gives_way() {
        let lines = sample().lines(Some(22));
        assert!(lines.iter().all(|line| columns(line) <= 23), "{lines:?}");
        assert!(lines[2].contains('~') && lines[2].ends_with("10.25"), "{lines:?}");
    }
}
