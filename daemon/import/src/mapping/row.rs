//! One record with the columns that a preset uses, by number.

use super::null::NullWords;
use crate::preset::Decimal;
use crate::records::Fields;

/// Rules for the cells of a section.
#[derive(Debug, Clone)]
pub(crate) struct CellFormat {
    /// By number of the used column, whether null words mean "no value" in it.
    pub(crate) nullable: Vec<bool>,
    pub(crate) null: NullWords,
    /// The decimal separator, where the preset says it.
    pub(crate) decimal: Option<Decimal>,
}

/// A record, read through the numbers of the used columns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    fields: &'a Fields,
    /// The position of each used column among the fields; `None` for a column that the file does not have.
    places: &'a [Option<usize>],
    format: &'a CellFormat,
}

impl<'a> Row<'a> {
    pub(crate) const fn new(fields: &'a Fields, places: &'a [Option<usize>], format: &'a CellFormat) -> Self {
        Self { fields, places, format }
    }

    /// The file's decimal separator, where the preset says it.
    pub(crate) const fn decimal(&self) -> Option<Decimal> {
        self.format.decimal
    }

    /// The value of a used column, without white space around it; empty where there is none.
    pub(crate) fn get(&self, column: usize) -> &'a str {
        let text = self.places.get(column).copied().flatten().map_or("", |place| self.fields.get(place).trim());
        let nullable = self.format.nullable.get(column).is_some_and(|nullable| *nullable);
        if nullable && self.format.null.has(text) { "" } else { text }
    }
}

#[cfg(test)]
impl CellFormat {
    /// Every column is nullable, with the usual words.
    pub(crate) fn for_test(columns: usize) -> Self {
        Self { nullable: vec![true; columns], null: NullWords::new(None), decimal: None }
    }
}
