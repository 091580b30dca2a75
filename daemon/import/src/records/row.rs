//! One record as a preset sees it: the columns it uses, by number.

use super::fields::Fields;

/// A record, read through the numbers of the used columns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    fields: &'a Fields,
    /// Where each used column stands among the fields; `None` for a column that the file does not have.
    places: &'a [Option<usize>],
}

impl<'a> Row<'a> {
    pub(crate) const fn new(fields: &'a Fields, places: &'a [Option<usize>]) -> Self {
        Self { fields, places }
    }

    /// The value of a used column, without white space around it; empty where there is none.
    pub(crate) fn get(&self, column: usize) -> &'a str {
        self.places.get(column).copied().flatten().map_or("", |place| self.fields.get(place).trim())
    }
}
