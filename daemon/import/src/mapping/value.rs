//! Values of presets: the content of a column, or an expression over columns.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::columns::Columns;
use super::condition::Condition;
use super::number::integer;
use super::row::Row;
use super::text::clean;
use crate::preset::{MadeSpec, ValueSpec};

/// A value that can be made of records.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// The column as it is.
    Column(usize),
    /// Something made.
    Made(Box<Made>),
}

/// See [`MadeSpec`].
#[derive(Debug, Clone)]
pub(crate) struct Made {
    from: From,
    when: Option<Condition>,
    unless: Option<Condition>,
    then: MadeSpec,
    map: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
enum From {
    Column(usize),
    Columns(Vec<usize>, String),
    FirstOf(Vec<usize>),
    Flags(Vec<(usize, String)>),
    Constant(String),
    Content(String),
}

impl Value {
    /// # Errors
    /// What the value lacks.
    pub(crate) fn new(spec: &ValueSpec, columns: &mut Columns) -> Result<Self, String> {
        let made = match spec {
            ValueSpec::Column(column) => return Ok(Self::Column(columns.number(column))),
            ValueSpec::Made(made) => made,
        };
        let mut from: Vec<From> = Vec::new();
        from.extend(made.column.iter().map(|column| From::Column(columns.number(column))));
        if !made.columns.is_empty() {
            let numbers = made.columns.iter().map(|column| columns.number(column)).collect();
            from.push(From::Columns(numbers, made.with.clone().unwrap_or_else(|| " ".to_owned())));
        }
        if !made.first_of.is_empty() {
            from.push(From::FirstOf(made.first_of.iter().map(|column| columns.number(column)).collect()));
        }
        if !made.flags.is_empty() {
            from.push(From::Flags(made.flags.iter().map(|flag| (columns.number(flag), flag.clone())).collect()));
        }
        from.extend(made.constant.clone().map(From::Constant));
        from.extend(made.content.clone().map(From::Content));
        let (Some(from), true) = (from.pop(), from.is_empty()) else {
            return Err("a value needs exactly one of column, columns, first_of, flags, constant, content".to_owned());
        };
        let mut condition = |spec: &Option<_>| spec.as_ref().map(|spec| Condition::new(spec, columns)).transpose();
        let (when, unless) = (condition(&made.when)?, condition(&made.unless)?);
        Ok(Self::Made(Box::new(Made { from, when, unless, map: made.map.clone(), then: (**made).clone() })))
    }

    /// The value of a record, empty where there is none. `content` names the record.
    pub(crate) fn of<'r>(&self, row: &Row<'r>, content: &str) -> Cow<'r, str> {
        match self {
            Self::Column(column) => Cow::Borrowed(row.get(*column)),
            Self::Made(made) => made.of(row, content),
        }
    }

    /// The columns it is made of, without those of its conditions.
    pub(crate) fn columns(&self) -> Vec<usize> {
        match self {
            Self::Column(column) => vec![*column],
            Self::Made(made) => match &made.from {
                From::Column(column) => vec![*column],
                From::Columns(columns, _) | From::FirstOf(columns) => columns.clone(),
                From::Flags(_) | From::Constant(_) | From::Content(_) => Vec::new(),
            },
        }
    }

    /// Whether it is a whole number by the preset's word.
    pub(crate) fn is_integer(&self) -> bool {
        matches!(self, Self::Made(made) if made.then.integer)
    }

    /// The parts of a value that splits, cleaned, without empty ones.
    pub(crate) fn parts(&self, row: &Row<'_>, content: &str) -> Vec<String> {
        let whole = self.of(row, content);
        let (split, take) = match self {
            Self::Column(_) => (None, None),
            Self::Made(made) => (made.then.split.as_deref(), made.then.take),
        };
        let parts: Vec<&str> = match split {
            Some(separator) if !separator.is_empty() => whole.split(separator).collect(),
            _ => vec![&whole],
        };
        let clean = parts.into_iter().map(|part| clean(part).into_owned()).filter(|part| !part.is_empty());
        clean.take(take.unwrap_or(usize::MAX)).collect()
    }
}

impl Made {
    fn of<'r>(&self, row: &Row<'r>, content: &str) -> Cow<'r, str> {
        let fits = self.when.as_ref().is_none_or(|when| when.holds(row));
        if !fits || self.unless.as_ref().is_some_and(|unless| unless.holds(row)) {
            return Cow::Borrowed("");
        }
        let mut value: Cow<'r, str> = match &self.from {
            From::Column(column) => Cow::Borrowed(row.get(*column)),
            From::Columns(columns, with) => {
                let there: Vec<&str> =
                    columns.iter().map(|column| row.get(*column)).filter(|text| !text.is_empty()).collect();
                Cow::Owned(there.join(with))
            }
            From::FirstOf(columns) => {
                let mut there = columns.iter().map(|column| row.get(*column)).filter(|text| !text.is_empty());
                Cow::Borrowed(there.next().unwrap_or_default())
            }
            From::Flags(flags) => {
                let set = flags.iter().filter(|(column, _)| matches!(row.get(*column), "1" | "true" | "True" | "TRUE"));
                let names: Vec<&str> = set.map(|(_, name)| name.as_str()).collect();
                Cow::Owned(names.join(self.then.split.as_deref().unwrap_or(", ")))
            }
            From::Constant(constant) => Cow::Owned(constant.clone()),
            From::Content(prefix) => Cow::Owned(format!("{prefix}{content}")),
        };
        for text in &self.then.remove {
            if value.contains(text.as_str()) {
                value = Cow::Owned(value.replace(text.as_str(), ""));
            }
        }
        if self.then.integer
            && value.contains(['.', 'e', 'E'])
            && let Some(whole) = integer(&value)
        {
            value = Cow::Owned(whole);
        }
        if self.then.absolute
            && let Some(plain) = value.strip_prefix('-')
        {
            value = Cow::Owned(plain.to_owned());
        }
        if !self.then.bands.is_empty()
            && let Some(band) = band(&self.then.bands, &value)
        {
            value = Cow::Owned(band);
        }
        match self.map.get(value.trim()) {
            Some(word) => value = Cow::Owned(word.clone()),
            None if self.then.only_mapped => return Cow::Borrowed(""),
            None => {}
        }
        if self.then.lower {
            value = Cow::Owned(value.to_lowercase());
        }
        if !self.then.prefix.is_empty() && !value.is_empty() {
            value = Cow::Owned(format!("{}{value}", self.then.prefix));
        }
        value
    }
}

/// The band of a number, by the lower ends of the bands.
pub(super) fn band(bands: &[u32], value: &str) -> Option<String> {
    let number = value.trim().parse::<f64>().ok().filter(|number| *number >= 0.0)?;
    let number = number.floor().min(f64::from(u32::MAX)) as u32;
    let above = bands.iter().filter(|lower| **lower <= number).count();
    Some(match (above.checked_sub(1).map(|place| bands[place]), bands.get(above)) {
        (None, Some(first)) => format!("under {first}"),
        (Some(lower), Some(next)) => format!("{lower}-{}", next - 1),
        (Some(lower), None) => format!("{lower}+"),
        (None, None) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::row::CellFormat;
    use crate::records::Fields;

    fn of(text: &str, values: &[&str]) -> String {
        let spec: MadeSpec = toml::from_str(text).unwrap();
        let mut columns = Columns::default();
        for name in ["a", "b"] {
            columns.number(name);
        }
        let value = Value::new(&ValueSpec::Made(Box::new(spec)), &mut columns).unwrap();
        let mut fields = Fields::default();
        values.iter().for_each(|value| fields.push(value));
        let format = CellFormat::for_test(0);
        value.of(&Row::new(&fields, &[Some(0), Some(1)], &format), "c0ffee").into_owned()
    }

    #[test]
    fn what_can_be_made() {
        assert_eq!(of("column = \"a\"\ninteger = true", &["17850.0"]), "17850");
        assert_eq!(of("column = \"a\"\ninteger = true", &["2.50"]), "2.50");
        assert_eq!(of("column = \"a\"\ninteger = true", &["1.7009E+04"]), "17009");
        assert_eq!(of("column = \"a\"\nabsolute = true", &["-6"]), "6");
        assert_eq!(of("columns = [\"a\", \"b\"]\nwith = \". \"", &["x", "y"]), "x. y");
        assert_eq!(of("columns = [\"a\", \"b\"]", &["", "y"]), "y");
        assert_eq!(of("first_of = [\"a\", \"b\"]", &["", "y"]), "y");
        assert_eq!(of("flags = [\"a\", \"b\"]", &["1", "1"]), "a, b");
        assert_eq!(of("content = \"r\"", &[]), "rc0ffee");
        assert_eq!(of("column = \"a\"\nremove = [\" years\", \" \"]", &["25 - 34 years"]), "25-34");
        assert_eq!(of("column = \"a\"\nmap = { F = \"Female\" }", &["F"]), "Female");
        assert_eq!(of("column = \"a\"\nmap = { F = \"Female\" }\nonly_mapped = true", &["X"]), "");
        assert_eq!(of("column = \"a\"\nwhen = { column = \"b\", one_of = [\"yes\"] }", &["x", "no"]), "");
        assert_eq!(
            of(
                "column = \"a\"\nunless = { column = \"b\", one_of = [\"yes\"] }\nprefix = \"u\"\nlower = true",
                &["X", "no"]
            ),
            "ux"
        );
    }

    #[test]
    fn bands() {
        let bands = [18, 25, 65];
        for (age, expected) in
            [("17", "under 18"), ("18", "18-24"), ("24.9", "18-24"), ("25", "25-64"), ("65", "65+"), ("99", "65+")]
        {
            assert_eq!(band(&bands, age).unwrap(), expected);
        }
        assert_eq!(band(&bands, "old"), None);
    }

    #[test]
    fn a_value_has_one_origin() {
        let mut columns = Columns::default();
        for text in ["", "column = \"a\"\nconstant = \"x\""] {
            let spec: MadeSpec = toml::from_str(text).unwrap();
            assert!(Value::new(&ValueSpec::Made(Box::new(spec)), &mut columns).is_err(), "{text}");
        }
    }
}
