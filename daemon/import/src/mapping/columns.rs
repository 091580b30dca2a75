//! The columns that a section of a preset uses.

/// The columns that a section uses, each with its number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Columns {
    names: Vec<String>,
    /// Whether a null word in it means "no value".
    nullable: Vec<bool>,
}

impl Columns {
    /// The number of a column, which is used from now on.
    pub(crate) fn number(&mut self, name: &str) -> usize {
        match self.names.iter().position(|known| known == name) {
            Some(number) => number,
            None => {
                self.names.push(name.to_owned());
                self.nullable.push(false);
                self.names.len() - 1
            }
        }
    }

    /// In these columns null words mean "no value".
    pub(crate) fn make_nullable(&mut self, columns: impl IntoIterator<Item = usize>) {
        for column in columns {
            self.nullable[column] = true;
        }
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// By number, whether null words mean "no value" in a column.
    pub(crate) fn nullable(&self) -> &[bool] {
        &self.nullable
    }
}
