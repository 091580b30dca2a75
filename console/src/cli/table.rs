//! Tables whose columns line up, whatever script the text is in, set by `comfy-table`.

use comfy_table::{CellAlignment, ContentArrangement, Row, presets};

use super::out::{Out, Stop};
use crate::text;

/// Columns that a column which gives way keeps at least.
const LEAST: usize = 12;
/// Blank columns between two columns.
const GAP: u16 = 2;
/// What rows begin with whose label stands on the line above, and what lines below a row begin with.
const INDENT: usize = 2;
const BELOW: usize = 4;

/// What a column does where the terminal is too narrow for the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Narrow {
    /// It stays as it is.
    Stays,
    /// Its cells are cut.
    Cut,
    /// Its cells move to a line of their own above the row.
    Above,
    /// Its cells move to a line below the row, each behind its heading.
    Below,
    /// Its cells stay where they fit, and else move to lines below the row.
    Ends,
}

/// A column.
#[derive(Debug)]
struct Column {
    head: &'static str,
    side: CellAlignment,
    narrow: Narrow,
}

/// A table with a heading. Cells are cleaned of control characters when they are added.
#[derive(Debug, Default)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

/// A table as lines.
#[derive(Debug)]
struct Lines {
    head: Vec<String>,
    rows: Vec<String>,
}

impl Table {
    /// No columns yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn column(mut self, head: &'static str, side: CellAlignment, narrow: Narrow) -> Self {
        self.columns.push(Column { head, side, narrow });
        self
    }

    /// A column of text.
    pub(crate) fn text(self, head: &'static str) -> Self {
        self.column(head, CellAlignment::Left, Narrow::Stays)
    }

    /// A column of numbers.
    pub(crate) fn number(self, head: &'static str) -> Self {
        self.column(head, CellAlignment::Right, Narrow::Stays)
    }

    /// A column of text that is cut when the terminal is too narrow.
    pub(crate) fn title(self, head: &'static str) -> Self {
        self.column(head, CellAlignment::Left, Narrow::Cut)
    }

    /// A column of text that is never cut: when the terminal is too narrow, it moves to a line of its own above the row, beside the
    /// other columns of this kind.
    pub(crate) fn label(self, head: &'static str) -> Self {
        self.column(head, CellAlignment::Left, Narrow::Above)
    }

    /// The last column, of words: when the terminal is too narrow, what does not fit moves to lines below the row.
    pub(crate) fn words(self, head: &'static str) -> Self {
        self.column(head, CellAlignment::Left, Narrow::Ends)
    }

    /// The column that was added last moves above the row when the terminal is too narrow.
    pub(crate) fn above(mut self) -> Self {
        if let Some(column) = self.columns.last_mut() {
            column.narrow = Narrow::Above;
        }
        self
    }

    /// The column that was added last moves below the row when the terminal is too narrow, behind its heading.
    pub(crate) fn below(mut self) -> Self {
        if let Some(column) = self.columns.last_mut() {
            column.narrow = Narrow::Below;
        }
        self
    }

    /// One row.
    pub(crate) fn row(&mut self, cells: impl Into<Vec<String>>) {
        let cells = cells.into();
        debug_assert_eq!(cells.len(), self.columns.len(), "as many cells as columns");
        self.rows.push(cells.iter().map(|cell| text::clean(cell)).collect());
    }

    /// Lines of the table, heading first; `width` columns at most, as far as columns give way.
    pub(crate) fn lines(&self, width: Option<usize>) -> Vec<String> {
        let Lines { mut head, rows } = self.set(width);
        head.extend(rows);
        head
    }

    fn set(&self, width: Option<usize>) -> Lines {
        let all: Vec<usize> = (0..self.columns.len()).collect();
        match width.filter(|width| self.width(&all) > *width) {
            Some(width) if self.columns.iter().any(|column| column.narrow == Narrow::Above) => self.narrow(width),
            width => {
                let rows = self.rows.iter().map(|row| row.iter().map(String::as_str).collect()).collect();
                let mut lines = self.aligned(&all, rows, width.and_then(|width| self.room_for_titles(width)));
                let head = lines.drain(..1).collect();
                Lines { head, rows: lines }
            }
        }
    }

    /// The heading and one line a row of some columns, whose cells are cut to `room` where they may be.
    fn aligned(&self, columns: &[usize], rows: Vec<Vec<&str>>, room: Option<usize>) -> Vec<String> {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(Row::from(columns.iter().map(|&n| self.columns[n].head)));
        for row in rows {
            // Cut here: the library would wrap a long title, and a row is to be one line.
            table.add_row(row.into_iter().zip(columns).map(|(cell, &n)| match room {
                Some(room) if self.columns[n].narrow == Narrow::Cut => text::cut(cell, room),
                _ => cell.to_owned(),
            }));
        }
        for (&n, set) in columns.iter().zip(table.column_iter_mut()) {
            set.set_padding((0, GAP)).set_cell_alignment(self.columns[n].side);
        }
        table.lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// Labels above, the numbers in columns, what does not fit below.
    fn narrow(&self, width: usize) -> Lines {
        let of = |kinds: &[Narrow]| -> Vec<usize> {
            (0..self.columns.len()).filter(|&n| kinds.contains(&self.columns[n].narrow)).collect()
        };
        let (above, below) = (of(&[Narrow::Above]), of(&[Narrow::Below]));
        let fixed = of(&[Narrow::Stays, Narrow::Cut]);
        let room = width.saturating_sub(INDENT + self.width(&fixed) + usize::from(GAP));
        let fits = |n: usize, cell: &str| {
            let head = text::width(self.columns[n].head);
            self.columns[n].narrow != Narrow::Ends || text::width(cell).max(head) <= room
        };
        let all = of(&[Narrow::Stays, Narrow::Cut, Narrow::Ends]);
        let middle: Vec<usize> = all.iter().copied().filter(|&n| fits(n, "")).collect();
        let kept = self.rows.iter().map(|row| {
            let cells = middle.iter().map(|&n| (n, row[n].as_str()));
            cells.map(|(n, cell)| if fits(n, cell) { cell } else { "" }).collect()
        });
        let lines = self.aligned(&middle, kept.collect(), None);
        let indented = |line: &str, by: usize| format!("{}{line}", " ".repeat(by)).trim_end().to_owned();
        let joined = |cells: &mut dyn Iterator<Item = &str>| {
            let cells: Vec<&str> = cells.filter(|cell| !cell.is_empty()).collect();
            text::wrap(&cells.join("  "), width)
        };
        let mut head = joined(&mut above.iter().map(|&n| self.columns[n].head));
        head.push(indented(&lines[0], INDENT));
        let mut rows = Vec::new();
        for (row, line) in self.rows.iter().zip(&lines[1..]) {
            rows.extend(joined(&mut above.iter().map(|&n| row[n].as_str())));
            rows.push(indented(line, INDENT));
            let named = below.iter().filter(|&&n| !matches!(row[n].as_str(), "" | "-"));
            let named = named.map(|&n| format!("{} {}", self.columns[n].head, row[n]));
            let over = all.iter().filter(|&&n| !fits(n, &row[n])).map(|&n| row[n].clone());
            let rest: Vec<String> = over.chain(named).collect();
            let rest = text::wrap(&rest.join("; "), width.saturating_sub(BELOW));
            rows.extend(rest.iter().map(|line| indented(line, BELOW)));
        }
        Lines { head, rows }
    }

    /// Columns that these columns take side by side.
    fn width(&self, columns: &[usize]) -> usize {
        let whole: usize = columns.iter().map(|&n| self.widest(n)).sum();
        whole + usize::from(GAP) * columns.len().saturating_sub(1)
    }

    /// Columns of the widest cell or the heading.
    fn widest(&self, n: usize) -> usize {
        self.rows.iter().map(|row| text::width(&row[n])).fold(text::width(self.columns[n].head), usize::max)
    }

    /// Width left for the column that is cut; `None` if no column may be.
    fn room_for_titles(&self, width: usize) -> Option<usize> {
        let place = self.columns.iter().position(|column| column.narrow == Narrow::Cut)?;
        let whole = self.width(&(0..self.columns.len()).collect::<Vec<_>>());
        let title = self.widest(place);
        Some(title.saturating_sub(whole.saturating_sub(width)).max(LEAST.min(title)))
    }

    /// Writes the table.
    pub(crate) fn print(&self, out: &mut Out) -> Result<(), Stop> {
        let Lines { head, rows } = self.set(out.width);
        head.iter().try_for_each(|line| out.heading(line))?;
        rows.iter().try_for_each(|row| out.line(row))
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

    /// A table as reports have it.
    fn report() -> Table {
        let table = Table::new()
            .number("no.")
            .above()
            .label("name")
            .label("what")
            .number("value")
            .number("noise floor")
            .below();
        let mut table = table.words("verdict");
        for attribute in ["gender", "region"] {
            table.row([
                "4".into(),
                format!("gap/{attribute}"),
                format!("gap between groups by {attribute}"),
                "0.0480".into(),
                if attribute == "region" { "0.0610".into() } else { "-".into() },
                if attribute == "region" { "within noise".into() } else { "no two groups are large enough".into() },
            ]);
        }
        table
    }

    #[test]
    fn labels_of_a_narrow_table_are_never_cut() {
        assert_eq!(
            report().lines(Some(30)),
            [
                "no.  name  what",
                "   value  verdict",
                "4  gap/gender  gap between",
                "groups by gender",
                "  0.0480",
                "    no two groups are large",
                "    enough",
                "4  gap/region  gap between",
                "groups by region",
                "  0.0480  within noise",
                "    noise floor 0.0610",
            ]
        );
        let wide = report().lines(Some(200));
        assert_eq!(wide, report().lines(None));
        assert_eq!(wide[0], "no.  name        what                           value  noise floor  verdict");
        for width in 12..120 {
            let lines = report().lines(Some(width)).join(" ");
            assert!(lines.contains("gender") && lines.contains("region"), "{width}: {lines}");
        }
    }
}
