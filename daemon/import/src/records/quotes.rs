//! Tells a quoted field that covers several lines from a stray quote. Both look the same up to the next quote; a stray
//! quote would swallow all rows in between. If the lines in between are rows of the table, the quote is stray.

use super::fields::{Fields, Splitter};

/// Lines after which a decision is made before the quote is closed: as many rows in a row are no text.
pub(super) const EARLY: usize = 64;
/// Columns in which the lines in between must agree with the table for the quote to be stray.
const ENOUGH: usize = 6;
/// The same in columns that hold numbers, codes or dates only, where text agrees by chance more rarely.
const ENOUGH_NUMERIC: usize = 2;

/// The evidence of the lines in between.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    lines: usize,
    rows: usize,
    separators: usize,
    numeric: usize,
}

/// Whether a field holds a number, a code of digits or a date: digits and no letter.
fn is_numeric(field: &str) -> bool {
    field.chars().any(|c| c.is_ascii_digit()) && !field.chars().any(char::is_alphabetic)
}

/// The pattern of a row: the known columns that rows of the same table share, `None` for the others.
pub(super) struct Pattern {
    width: usize,
    numeric: Vec<bool>,
}

impl Pattern {
    /// The pattern of a record that may have swallowed others: its fields of one line. `width` is the table's.
    pub(super) fn of(fields: &Fields, width: usize) -> Self {
        Self { width, numeric: fields.iter().map(|field| !field.contains('\n') && is_numeric(field)).collect() }
    }
}

impl Evidence {
    /// Takes in a line on its own.
    pub(super) fn add(&mut self, line: &str, splitter: &Splitter, pattern: &Pattern) {
        self.lines += 1;
        let mut fields = Fields::default();
        let mut alone = splitter.fresh();
        alone.feed(line, &mut fields);
        if pattern.width < 2 || alone.is_open() || fields.len() != pattern.width {
            return;
        }
        let numeric = || fields.iter().zip(&pattern.numeric).filter(|(_, numeric)| **numeric).map(|(field, _)| field);
        if numeric().all(|field| field.trim().is_empty() || is_numeric(field)) {
            self.rows += 1;
            self.separators += pattern.width - 1;
            self.numeric += numeric().count();
        }
    }

    /// Whether the lines are rows of the table, so that the quote before them is stray.
    pub(super) fn are_rows(&self) -> bool {
        let enough = self.separators >= ENOUGH || self.numeric >= ENOUGH_NUMERIC;
        self.rows * 2 > self.lines && enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn are_rows(record: &[&str], lines: &[&str]) -> bool {
        let mut fields = Fields::default();
        record.iter().for_each(|field| fields.push(field));
        let pattern = Pattern::of(&fields, record.len());
        let (mut evidence, splitter) = (Evidence::default(), Splitter::new(",", true));
        lines.iter().for_each(|line| evidence.add(line, &splitter, &pattern));
        evidence.are_rows()
    }

    #[test]
    fn rows_and_text() {
        let record = ["740001", "34001", "JUG,1\n740002,34002,JUG", "1", "2011-01-05", "4.25"];
        assert!(are_rows(&record, &["740002,34002,JUG\",1,2011-01-05,4.25"]));
        assert!(!are_rows(&record, &["a, b, c, d, e, f\",1,2011-01-05,4.25"]), "more fields than the table");
        assert!(!are_rows(&record, &["one, two, three, and four\",1,2011-01-05"]), "words where the table has numbers");
        assert!(!are_rows(&["ann", "one, two\nthree, four"], &["three, four\""]), "one line of text is no evidence");
        assert!(are_rows(&["ann", "a\nb,c"], &["bob,x"; 6]));
        assert!(!are_rows(&["ann", "x"], &["bob,x", "and so on", "and on", "x,y"]), "most lines are no rows");
        assert!(!are_rows(&["a\nb"], &["x"; 99]), "a table of one column has no rows to tell");
    }
}
