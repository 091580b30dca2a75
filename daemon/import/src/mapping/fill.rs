//! Fills columns that only the first record of a group holds.

use crate::preset::FillDownSpec;
use crate::records::Fields;

use super::columns::Columns;

/// Fills records of a group down, from one record to the next.
#[derive(Debug, Clone)]
pub(super) struct FillDown {
    by: usize,
    columns: Vec<usize>,
    group: String,
    /// The latest value of each filled column in this group.
    values: Vec<String>,
    filled: Fields,
}

impl FillDown {
    pub(super) fn new(spec: &FillDownSpec, columns: &mut Columns) -> Self {
        let by = columns.number(&spec.by);
        let filled: Vec<usize> = spec.columns.iter().map(|name| columns.number(name)).collect();
        let values = vec![String::new(); filled.len()];
        Self { by, columns: filled, group: String::new(), values, filled: Fields::default() }
    }

    /// The used columns of a record, by number, filled from earlier records of its group. A record without a group's
    /// name is a group of its own.
    pub(super) fn fill(&mut self, fields: &Fields, places: &[Option<usize>]) -> &Fields {
        let get = |column: usize| places.get(column).copied().flatten().map_or("", |place| fields.get(place));
        let group = get(self.by).trim();
        if group.is_empty() || group != self.group {
            group.clone_into(&mut self.group);
            self.values.iter_mut().for_each(String::clear);
        }
        for (column, value) in self.columns.iter().zip(&mut self.values) {
            let here = get(*column).trim();
            if !here.is_empty() {
                here.clone_into(value);
            }
        }
        self.filled.clear();
        for column in 0..places.len() {
            let filled = self.columns.iter().position(|filled| *filled == column);
            self.filled.push(filled.map_or_else(|| get(column), |place| &self.values[place]));
        }
        &self.filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_filled_and_the_next_is_not() {
        let spec = FillDownSpec { by: "order".to_owned(), columns: vec!["email".to_owned()] };
        let mut columns = Columns::default();
        let mut fill = FillDown::new(&spec, &mut columns);
        let mut read = |order: &str, email: &str| {
            let mut fields = Fields::default();
            fields.push(email);
            fields.push(order);
            fill.fill(&fields, &[Some(1), Some(0), None]).get(1).to_owned()
        };
        assert_eq!(read("1", "a@x"), "a@x");
        assert_eq!(read("1", " "), "a@x");
        assert_eq!(read("2", ""), "", "the next order has no buyer");
        assert_eq!(read("2", "b@x"), "b@x");
        assert_eq!((read("", ""), read("", "")), (String::new(), String::new()));
    }
}
