//! Takes persons out of records, column by column, before anything is made of them.

use mercer_shared::time::{DAY_MS, Timestamp};

use super::columns::Columns;
use super::null::NullWords;
use super::row::{CellFormat, Row};
use super::time::Clock;
use super::value::band;
use crate::preset::{Anonymisation, AnonymiseSpec, FileSpec, TimePart, TimeSpec};
use crate::records::Fields;

/// Bytes of a hash that are written, in hexadecimal: 128 bits, so that no two persons of a shop meet.
const HASH_BYTES: usize = 16;

/// One anonymised column.
struct Rule<'a> {
    spec: &'a AnonymiseSpec,
    column: usize,
    /// Reads the times of the column, where it is truncated to a part of a time.
    clock: Option<Clock>,
}

/// The anonymised columns of a section.
pub(super) struct Anonymiser<'a> {
    rules: Vec<Rule<'a>>,
    key: [u8; 32],
    format: CellFormat,
    out: Fields,
}

impl<'a> Anonymiser<'a> {
    /// The anonymiser of a section; `None` where nothing is anonymised.
    ///
    /// # Errors
    /// A rule that lacks what it needs, or two rules for one column.
    pub(super) fn new(file: &'a FileSpec, columns: &mut Columns) -> Result<Option<Self>, String> {
        let mut rules: Vec<Rule<'a>> = Vec::new();
        for spec in &file.anonymise {
            check(spec)?;
            let column = columns.number(&spec.column);
            if rules.iter().any(|rule| rule.column == column) {
                return Err(format!("`{}` is anonymised twice", spec.column));
            }
            let clock = spec.to.map(|_| Clock::new(&time_of(file, &spec.column), columns)).transpose()?;
            rules.push(Rule { spec, column, clock });
        }
        let format = CellFormat { nullable: Vec::new(), null: NullWords::new(None), decimal: None };
        let anonymiser = Self { rules, key: file.key, format, out: Fields::default() };
        Ok((!anonymiser.rules.is_empty()).then_some(anonymiser))
    }

    /// The used columns of a record, by number, without persons.
    pub(super) fn anonymise(&mut self, fields: &Fields, places: &[Option<usize>]) -> &Fields {
        self.out.clear();
        let row = Row::new(fields, places, &self.format);
        for (column, place) in places.iter().enumerate() {
            match self.rules.iter_mut().find(|rule| rule.column == column) {
                Some(rule) => self.out.push(&rule.of(&row, &self.key)),
                None => self.out.push(place.map_or("", |place| fields.get(place))),
            }
        }
        &self.out
    }
}

/// How the times of a column are written: as the section says if it is its time column, else RFC 3339.
fn time_of(file: &FileSpec, column: &str) -> TimeSpec {
    let own = file.time.as_ref().filter(|time| time.column.as_deref() == Some(column));
    own.cloned().unwrap_or_else(|| TimeSpec {
        column: Some(column.to_owned()),
        formats: Vec::new(),
        zone: None,
        fixed: None,
    })
}

/// Whether a rule has what it needs, and nothing that it does not.
fn check(spec: &AnonymiseSpec) -> Result<(), String> {
    let AnonymiseSpec { column, how, bands, to, digits, keep, map, other } = spec;
    let given = [
        ("bands", !bands.is_empty(), Anonymisation::Bucket),
        ("to", to.is_some(), Anonymisation::Truncate),
        ("digits", digits.is_some(), Anonymisation::Truncate),
        ("keep", keep.is_some(), Anonymisation::Generalise),
        ("map", !map.is_empty(), Anonymisation::Generalise),
        ("other", other.is_some(), Anonymisation::Generalise),
    ];
    if let Some((name, ..)) = given.iter().find(|(_, given, of)| *given && of != how) {
        return Err(format!("anonymise `{column}`: `{name}` does not belong to this way"));
    }
    let count = given.iter().filter(|(name, given, _)| *given && *name != "other").count();
    match how {
        Anonymisation::Drop | Anonymisation::Hash => Ok(()),
        Anonymisation::Bucket if count == 1 => Ok(()),
        Anonymisation::Bucket => Err(format!("anonymise `{column}`: bucket needs bands")),
        Anonymisation::Truncate if count == 1 => Ok(()),
        Anonymisation::Truncate => Err(format!("anonymise `{column}`: truncate needs either to or digits")),
        Anonymisation::Generalise if count == 1 => Ok(()),
        Anonymisation::Generalise => Err(format!("anonymise `{column}`: generalise needs either keep or map")),
    }
}

impl Rule<'_> {
    /// The value that stands for the record's. What cannot be read becomes empty: a slip must not let a person through.
    fn of(&mut self, row: &Row<'_>, key: &[u8; 32]) -> String {
        let value = row.get(self.column);
        let spec = self.spec;
        if value.is_empty() {
            return String::new();
        }
        match spec.how {
            Anonymisation::Drop => String::new(),
            Anonymisation::Hash => hash(key, &spec.column, value),
            Anonymisation::Bucket => band(&spec.bands, value).unwrap_or_default(),
            Anonymisation::Truncate => match (&mut self.clock, spec.to, spec.digits) {
                (Some(clock), Some(part), _) => {
                    clock.of(row).map_or_else(|_| String::new(), |moment| truncated(moment.at, part).to_string())
                }
                (_, _, Some(digits)) => {
                    let number: Option<f64> = value.parse().ok().filter(|number: &f64| number.is_finite());
                    number.map_or_else(String::new, |number| format!("{number:.*}", usize::from(digits)))
                }
                _ => String::new(),
            },
            Anonymisation::Generalise => match spec.keep {
                Some(keep) => value.chars().take(keep).collect(),
                None => {
                    let lower = value.to_lowercase();
                    let known = spec.map.iter().find(|(from, _)| from.to_lowercase() == lower).map(|(_, to)| to);
                    known.or(spec.other.as_ref()).cloned().unwrap_or_default()
                }
            },
        }
    }
}

fn hash(key: &[u8; 32], column: &str, value: &str) -> String {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(&(column.len() as u64).to_le_bytes()).update(column.as_bytes()).update(value.as_bytes());
    hasher.finalize().as_bytes()[..HASH_BYTES].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn truncated(at: Timestamp, part: TimePart) -> Timestamp {
    let ms = at.millis();
    match part {
        TimePart::Hour => at.plus_millis(-ms.rem_euclid(DAY_MS / 24)),
        TimePart::Day => at.plus_millis(-ms.rem_euclid(DAY_MS)),
        TimePart::Month => {
            // Its text begins with year and month.
            let first = at.to_string().get(..7).map(|month| format!("{month}-01T00:00:00Z"));
            first.and_then(|first| first.parse().ok()).unwrap_or(at)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
name = "f"
requires = ["who"]
time = { column = "when", formats = ["%d/%m/%Y %H:%M"] }
[[anonymise]]
column = "who"
how = "hash"
[[anonymise]]
column = "mail"
how = "drop"
[[anonymise]]
column = "age"
how = "bucket"
bands = [18, 25, 65]
[[anonymise]]
column = "when"
how = "truncate"
to = "day"
[[anonymise]]
column = "lat"
how = "truncate"
digits = 1
[[anonymise]]
column = "zip"
how = "generalise"
keep = 2
[[anonymise]]
column = "town"
how = "generalise"
map = { berlin = "city" }
other = "elsewhere"
"#;

    fn file(text: &str) -> FileSpec {
        toml::from_str(text).unwrap()
    }

    /// Values of the columns in the order of the rules.
    fn run(file: &FileSpec, values: &[&str]) -> Vec<String> {
        let mut columns = Columns::default();
        let mut anonymiser = Anonymiser::new(file, &mut columns).unwrap().unwrap();
        let mut fields = Fields::default();
        values.iter().for_each(|value| fields.push(value));
        let places: Vec<_> = (0..columns.names().len()).map(Some).collect();
        anonymiser.anonymise(&fields, &places).iter().map(str::to_owned).collect()
    }

    #[test]
    fn every_way_leaves_what_it_says() {
        let file = file(FILE);
        let row = ["vera", "vera@example.org", "24", "24/12/2025 17:45", "52.5200", "10115", "Berlin"];
        let out = run(&file, &row);
        assert_eq!(out[0].len(), 32);
        assert_eq!(out[1..], ["", "18-24", "2025-12-24T00:00:00Z", "52.5", "10", "city"]);
        // Empty stays empty, and what cannot be read goes.
        let out = run(&file, &["", "", "old", "yesterday", "north", "", "Rome"]);
        assert_eq!(out, ["", "", "", "", "", "", "elsewhere"]);
    }

    #[test]
    fn a_hash_follows_value_column_and_key() {
        let one = file(FILE);
        let other = FileSpec { key: [7; 32], ..one.clone() };
        let row = |who: &'static str| [who, "", "", "", "", "", ""];
        let of = |file: &FileSpec, who| run(file, &row(who)).remove(0);
        assert_eq!(of(&one, "vera"), of(&one, " vera "), "white space does not matter");
        assert_ne!(of(&one, "vera"), of(&one, "wim"));
        assert_ne!(of(&one, "vera"), of(&other, "vera"), "another installation cannot match them");
        assert_ne!(hash(&[0; 32], "a", "vera"), hash(&[0; 32], "b", "vera"));
    }

    #[test]
    fn months_and_hours_begin_where_they_begin() {
        let at = Timestamp::at(1_766_598_300_000);
        assert_eq!(truncated(at, TimePart::Month).to_string(), "2025-12-01T00:00:00Z");
        assert_eq!(truncated(at, TimePart::Hour).to_string(), "2025-12-24T17:00:00Z");
    }

    #[test]
    fn a_rule_without_what_it_needs_is_refused() {
        for (rule, why) in [
            ("how = \"bucket\"", "needs bands"),
            ("how = \"truncate\"", "either to or digits"),
            ("how = \"generalise\"", "either keep or map"),
            ("how = \"hash\"\nkeep = 2", "does not belong"),
            ("how = \"truncate\"\nto = \"day\"\ndigits = 1", "either to or digits"),
        ] {
            let text = format!("name = \"f\"\nrequires = [\"a\"]\n[[anonymise]]\ncolumn = \"a\"\n{rule}\n");
            let file = file(&text);
            let refused = Anonymiser::new(&file, &mut Columns::default()).err().unwrap();
            assert!(refused.contains(why), "{refused}");
        }
    }
}
