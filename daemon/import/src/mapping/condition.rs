//! Conditions of presets, resolved to column numbers.

use super::columns::Columns;
use super::number::number;
use super::row::Row;
use crate::preset::{ConditionSpec, Decimal};

/// A condition that can be asked of records.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    column: usize,
    tests: Vec<Test>,
    any: Option<Vec<Self>>,
    all: Vec<Self>,
    not: Option<Box<Self>>,
}

#[derive(Debug, Clone)]
enum Test {
    Empty(bool),
    OneOf(Vec<String>),
    NoneOf(Vec<String>),
    StartsWith(Vec<String>),
    Like(Vec<Vec<char>>),
    Unlike(Vec<Vec<char>>),
    LowerCase(bool),
    Below(f64),
    AtMost(f64),
    Above(f64),
    AtLeast(f64),
}

impl Condition {
    /// # Errors
    /// What the condition lacks.
    pub(crate) fn new(spec: &ConditionSpec, columns: &mut Columns) -> Result<Self, String> {
        let patterns = |list: Vec<String>| list.into_iter().map(|pattern| pattern.chars().collect()).collect();
        let said = spec.clone();
        let tests: Vec<Test> = [
            said.empty.map(Test::Empty),
            said.one_of.map(Test::OneOf),
            said.none_of.map(Test::NoneOf),
            said.starts_with.map(Test::StartsWith),
            said.like.map(|list| Test::Like(patterns(list))),
            said.unlike.map(|list| Test::Unlike(patterns(list))),
            said.lower_case.map(Test::LowerCase),
            said.below.map(Test::Below),
            said.at_most.map(Test::AtMost),
            said.above.map(Test::Above),
            said.at_least.map(Test::AtLeast),
        ]
        .into_iter()
        .flatten()
        .collect();
        let column = match (&spec.column, tests.is_empty()) {
            (Some(column), false) => columns.number(column),
            (None, true) if spec.any.is_some() || spec.all.is_some() || spec.not.is_some() => 0,
            (Some(column), true) => return Err(format!("the condition on `{column}` says nothing about it")),
            (None, _) => return Err("a condition needs a column".to_owned()),
        };
        let mut inner =
            |list: &Vec<ConditionSpec>| list.iter().map(|spec| Self::new(spec, columns)).collect::<Result<Vec<_>, _>>();
        let any = spec.any.as_ref().map(&mut inner).transpose()?;
        let all = spec.all.as_ref().map(&mut inner).transpose()?.unwrap_or_default();
        let not = spec.not.as_ref().map(|spec| Self::new(spec, columns).map(Box::new)).transpose()?;
        Ok(Self { column, tests, any, all, not })
    }

    pub(crate) fn holds(&self, row: &Row<'_>) -> bool {
        let value = row.get(self.column);
        self.tests.iter().all(|test| test.holds(value, row.decimal()))
            && self.any.as_ref().is_none_or(|any| any.iter().any(|condition| condition.holds(row)))
            && self.all.iter().all(|condition| condition.holds(row))
            && self.not.as_ref().is_none_or(|condition| !condition.holds(row))
    }
}

impl Test {
    fn holds(&self, value: &str, decimal: Option<Decimal>) -> bool {
        let number = || number(value, decimal).ok();
        match self {
            Self::Empty(empty) => value.is_empty() == *empty,
            Self::OneOf(words) => words.iter().any(|word| word == value),
            Self::NoneOf(words) => words.iter().all(|word| word != value),
            Self::StartsWith(starts) => starts.iter().any(|start| value.starts_with(start.as_str())),
            Self::Like(patterns) => patterns.iter().any(|pattern| like(pattern, value)),
            Self::Unlike(patterns) => !patterns.iter().any(|pattern| like(pattern, value)),
            Self::LowerCase(wanted) => {
                let lower = value.chars().any(char::is_alphabetic) && !value.chars().any(char::is_uppercase);
                lower == *wanted
            }
            Self::Below(limit) => number().is_some_and(|number| number < *limit),
            Self::AtMost(limit) => number().is_some_and(|number| number <= *limit),
            Self::Above(limit) => number().is_some_and(|number| number > *limit),
            Self::AtLeast(limit) => number().is_some_and(|number| number >= *limit),
        }
    }
}

/// Whether a text looks like a pattern (`#` digit, `@` letter, `?` any, `*` any number). Steps back only to the last star, so
/// it takes at most pattern times text steps.
fn like(pattern: &[char], text: &str) -> bool {
    let (mut at, mut star) = (0, None);
    let mut rest = text.chars();
    loop {
        let before = rest.clone();
        match (pattern.get(at), rest.next()) {
            (Some('*'), _) => {
                rest = before.clone();
                star = Some((at + 1, before));
                at += 1;
            }
            (None, None) => return true,
            (Some(wanted), Some(letter)) if matches(*wanted, letter) => at += 1,
            _ => {
                // The star takes one letter more.
                let Some((after, from)) = &mut star else { return false };
                if from.next().is_none() {
                    return false;
                }
                (at, rest) = (*after, from.clone());
            }
        }
    }
}

fn matches(pattern: char, letter: char) -> bool {
    match pattern {
        '#' => letter.is_ascii_digit(),
        '@' => letter.is_alphabetic(),
        '?' => true,
        plain => plain == letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::row::CellFormat;

    fn holds(condition: &str, value: &str) -> bool {
        let spec: ConditionSpec = toml::from_str(&format!("column = \"a\"\n{condition}")).unwrap();
        let mut columns = Columns::default();
        let condition = Condition::new(&spec, &mut columns).unwrap();
        let mut fields = crate::records::Fields::default();
        fields.push(value);
        condition.holds(&Row::new(&fields, &[Some(0)], &CellFormat::for_test(0)))
    }

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("#####*", "85123A", true),
            ("#####*", "8512A", false),
            ("#####", "851234", false),
            ("*@", "85123A", true),
            ("*@", "85123", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("*", "", true),
            ("?", "红", true),
            ("", "x", false),
        ] {
            assert_eq!(like(&pattern.chars().collect::<Vec<_>>(), text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn words_and_numbers() {
        assert!(holds("at_most = 0.0", "-1") && holds("at_most = 0.0", "0") && !holds("at_most = 0.0", "2"));
        assert!(!holds("at_most = 0.0", "x") && !holds("at_least = 0.0", ""));
        assert!(holds("starts_with = [\"C\"]", "C536379") && !holds("starts_with = [\"C\"]", "536379"));
        assert!(holds("empty = true", " \t ") && holds("empty = false", "x"));
        assert!(
            holds("lower_case = true", "damaged")
                && !holds("lower_case = true", "???")
                && !holds("lower_case = true", "Bag 5g")
        );
        assert!(holds("none_of = [\"a\"]\nabove = 1", "2") && !holds("none_of = [\"2\"]\nabove = 1", "2"));
        assert!(holds("not = { column = \"a\", one_of = [\"x\"] }\nempty = false", "y"));
        assert!(holds(
            "empty = false\nany = [{ column = \"a\", one_of = [\"x\"] }, { column = \"a\", one_of = [\"y\"] }]",
            "y"
        ));
    }

    #[test]
    fn a_condition_must_say_something() {
        let mut columns = Columns::default();
        for text in ["column = \"a\"", "empty = true", ""] {
            let spec: ConditionSpec = toml::from_str(text).unwrap();
            assert!(Condition::new(&spec, &mut columns).is_err(), "{text}");
        }
    }
}
