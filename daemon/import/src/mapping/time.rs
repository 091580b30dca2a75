//! Parses times in the forms that logs use.

use jiff::civil;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;
use mercer_shared::problem::Code;
use mercer_shared::time::{DAY_MS, Timestamp};

use super::columns::Columns;
use super::row::Row;
use crate::preset::TimeSpec;
use crate::validate::{MAX_AHEAD_MS, Refusal, clip};

/// Earliest plausible time of a number: 1990. Numbers of seconds, milliseconds, microseconds and nanoseconds from 1990 until now
/// are so far apart that a number is plausible in one unit only.
const EARLIEST_MS: i64 = 631_152_000_000;
/// Written times in the first days of 1970 are the zero of some clock.
const ZERO_MS: i64 = 31 * DAY_MS;

/// Reads the time of records.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    name: String,
    column: usize,
    forms: Vec<Form>,
    words: String,
    zone: TimeZone,
    fixed: Option<Timestamp>,
    now: Timestamp,
    /// The last text and its moment: the lines of one order share them.
    last: Option<(String, Moment)>,
}

/// The time of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    /// The unit it was read in, where the preset says another one.
    pub(super) other_unit: Option<Unit>,
}

/// Unit of a time that is written as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Millis,
    Micros,
    Nanos,
}

impl Unit {
    const ALL: [Self; 4] = [Self::Seconds, Self::Millis, Self::Micros, Self::Nanos];

    /// Its name in notes.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Millis => "milliseconds",
            Self::Micros => "microseconds",
            Self::Nanos => "nanoseconds",
        }
    }

    /// Milliseconds of a number of these units; fractions of a millisecond are cut.
    fn millis(self, text: &str) -> Option<i64> {
        match (text.parse::<i64>(), self) {
            (Ok(whole), Self::Seconds) => Some(whole.saturating_mul(1_000)),
            (Ok(whole), Self::Millis) => Some(whole),
            (Ok(whole), Self::Micros) => Some(whole / 1_000),
            (Ok(whole), Self::Nanos) => Some(whole / 1_000_000),
            (Err(_), _) => {
                let number = text.parse::<f64>().ok().filter(|number| number.is_finite())?;
                let unit = match self {
                    Self::Seconds => 1e3,
                    Self::Millis => 1.0,
                    Self::Micros => 1e-3,
                    Self::Nanos => 1e-6,
                };
                Some((number * unit) as i64)
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Form {
    Number(Unit),
    Rfc3339,
    Pattern(String),
}

impl Form {
    fn new(format: &str) -> Self {
        match format {
            "unix" => Self::Number(Unit::Seconds),
            "unix_ms" => Self::Number(Unit::Millis),
            "unix_us" => Self::Number(Unit::Micros),
            "unix_ns" => Self::Number(Unit::Nanos),
            "rfc3339" => Self::Rfc3339,
            pattern => Self::Pattern(pattern.to_owned()),
        }
    }
}

impl Clock {
    /// # Errors
    /// A zone that does not exist, a fixed moment that is none, or neither column nor fixed moment.
    pub(super) fn new(spec: &TimeSpec, columns: &mut Columns) -> Result<Self, String> {
        let zone = spec.zone.as_deref().unwrap_or("UTC");
        let zone = TimeZone::get(zone).map_err(|_| format!("there is no time zone `{zone}`"))?;
        let fixed =
            spec.fixed.as_deref().map(str::parse::<Timestamp>).transpose().map_err(|error| error.to_string())?;
        let column = match (&spec.column, fixed) {
            (Some(column), None) => columns.number(column),
            (None, Some(_)) => 0,
            _ => return Err("a time needs either a column or a fixed moment".to_owned()),
        };
        let words = if spec.formats.is_empty() { "rfc3339".to_owned() } else { spec.formats.join(" or ") };
        let forms = spec.formats.iter().map(|format| Form::new(format)).collect();
        let name = spec.column.clone().unwrap_or_default();
        Ok(Self { name, column, forms, words, zone, fixed, now: Timestamp::now(), last: None })
    }

    /// The column that is read.
    pub(super) fn column_name(&self) -> &str {
        &self.name
    }

    /// What the preset says of the form of times.
    pub(super) fn declared(&self) -> &str {
        &self.words
    }

    /// The text that is read.
    pub(super) fn text<'r>(&self, row: &Row<'r>) -> &'r str {
        row.get(self.column)
    }

    /// The moment of a record.
    ///
    /// # Errors
    /// `bad-time`, with the text that was read.
    pub(super) fn of(&mut self, row: &Row<'_>) -> Result<Moment, Refusal> {
        if let Some(at) = self.fixed {
            return Ok(Moment { at, other_unit: None });
        }
        let text = row.get(self.column);
        if let Some((known, moment)) = &self.last
            && known == text
        {
            return Ok(*moment);
        }
        let moment = self.read(text)?;
        self.last = Some((text.to_owned(), moment));
        Ok(moment)
    }

    fn read(&self, text: &str) -> Result<Moment, Refusal> {
        let bad = |why: String| Refusal::new(Code::BadTime, format!("{}: {why}", self.name));
        let moment = |ms: i64, other_unit| {
            let at = Timestamp::from_millis(ms).map_err(|error| bad(format!("`{}`: {error}", clip(text))))?;
            Ok(Moment { at, other_unit })
        };
        if text.is_empty() {
            return Err(bad("there is no time".to_owned()));
        }
        for form in &self.forms {
            let written = match form {
                Form::Number(unit) => match unit.millis(text) {
                    Some(ms) if self.is_plausible(ms) => return moment(ms, None),
                    _ => None,
                },
                Form::Rfc3339 => self.iso(text),
                Form::Pattern(pattern) => self.by_pattern(pattern, text),
            };
            if let Some(ms) = written {
                return moment(self.not_zero(ms).map_err(bad)?, None);
            }
        }
        if let Some(ms) = self.iso(text) {
            return moment(self.not_zero(ms).map_err(bad)?, None);
        }
        let in_unit = |unit: Unit| unit.millis(text).filter(|ms| self.is_plausible(*ms)).map(|ms| (ms, unit));
        if let Some((ms, unit)) = Unit::ALL.into_iter().find_map(in_unit) {
            return moment(ms, Some(unit));
        }
        let declared =
            self.forms.iter().find_map(|form| if let Form::Number(unit) = form { Some(*unit) } else { None });
        Err(bad(match declared.and_then(|unit| Some((unit, unit.millis(text)?))) {
            Some((_, 0)) => format!("`{}` means no time", clip(text)),
            Some((unit, ms)) if ms > 0 => {
                format!("`{}` is no plausible time: as {} it is {}", clip(text), unit.name(), Timestamp::at(ms))
            }
            Some((unit, _)) => format!("`{}` is no plausible time: as {} it is before 1970", clip(text), unit.name()),
            None => format!("`{}` is no time of the form {}", clip(text), self.words),
        }))
    }

    fn is_plausible(&self, ms: i64) -> bool {
        ms >= EARLIEST_MS && ms <= self.now.plus_millis(MAX_AHEAD_MS).millis()
    }

    /// Refuses written times that are the zero of a clock.
    fn not_zero(&self, ms: i64) -> Result<i64, String> {
        if (0..ZERO_MS).contains(&ms) {
            return Err(format!("{} is the zero of a clock, not a time", Timestamp::at(ms)));
        }
        Ok(ms)
    }

    fn by_pattern(&self, pattern: &str, text: &str) -> Option<i64> {
        let read = BrokenDownTime::parse(pattern, text).ok()?;
        if read.offset().is_some() {
            return read.to_timestamp().ok().map(jiff::Timestamp::as_millisecond);
        }
        self.local(read.to_datetime().ok()?)
    }

    /// RFC 3339, or the same without a zone or without a time of day, which is then midnight in the preset's zone.
    fn iso(&self, text: &str) -> Option<i64> {
        if text.len() < 10 || text.as_bytes()[4] != b'-' {
            return None;
        }
        if let Ok(moment) = text.parse::<jiff::Timestamp>() {
            return Some(moment.as_millisecond());
        }
        self.local(text.parse::<civil::DateTime>().ok()?)
    }

    fn local(&self, time: civil::DateTime) -> Option<i64> {
        self.zone.to_timestamp(time).ok().map(jiff::Timestamp::as_millisecond)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mapping::row::CellFormat;
    use crate::records::Fields;

    fn of(spec: &str, text: &str) -> Result<String, Code> {
        let spec: TimeSpec = toml::from_str(&format!("column = \"t\"\n{spec}")).unwrap();
        let mut clock = Clock::new(&spec, &mut Columns::default()).unwrap();
        let mut fields = Fields::default();
        fields.push(text);
        let format = CellFormat::for_test(1);
        let row = Row::new(&fields, &[Some(0)], &format);
        let first = clock.of(&row).map_err(|refusal| refusal.code)?;
        assert_eq!(clock.of(&row).unwrap(), first, "the remembered moment is the same");
        let unit = first.other_unit.map_or_else(String::new, |unit| format!(" ({})", unit.name()));
        Ok(format!("{}{unit}", first.at))
    }

    #[test]
    fn forms_and_zones() {
        assert_eq!(of("formats = [\"unix\"]", "874965758").unwrap(), "1997-09-22T22:02:38Z");
        assert_eq!(of("formats = [\"unix\"]", "874965758.5").unwrap(), "1997-09-22T22:02:38.5Z");
        assert_eq!(of("formats = [\"unix_ms\"]", "1433221332117").unwrap(), "2015-06-02T05:02:12.117Z");
        assert_eq!(of("", "2024-05-01T12:00:00+02:00").unwrap(), "2024-05-01T10:00:00Z");
        let london = "formats = [\"%Y-%m-%d %H:%M:%S\", \"%m/%d/%Y %H:%M\"]\nzone = \"Europe/London\"";
        assert_eq!(of(london, "2010-12-01 08:26:00").unwrap(), "2010-12-01T08:26:00Z");
        assert_eq!(of(london, "7/1/2011 08:26").unwrap(), "2011-07-01T07:26:00Z");
        assert_eq!(of(london, "2011-03-27 01:30:00").unwrap(), "2011-03-27T01:30:00Z", "in the gap of the clock");
        assert_eq!(
            of("formats = [\"%Y-%m-%d\"]\nzone = \"America/New_York\"", "2018-01-01").unwrap(),
            "2018-01-01T05:00:00Z"
        );
        assert_eq!(of("zone = \"Asia/Shanghai\"", "2024-05-01 00:00:00").unwrap(), "2024-04-30T16:00:00Z");
        assert_eq!(
            of("formats = [\"%d/%b/%Y:%H:%M:%S %z\"]", "10/Oct/2000:13:55:36 -0700").unwrap(),
            "2000-10-10T20:55:36Z"
        );
    }

    #[test]
    fn what_is_no_time() {
        for text in ["", "yesterday", "2024-13-01", "1969-12-31T23:59:59Z", "红2024红"] {
            assert_eq!(of("", text).unwrap_err(), Code::BadTime, "{text}");
        }
        assert_eq!(of("formats = [\"unix\"]", "NaN").unwrap_err(), Code::BadTime);
        assert_eq!(of("formats = [\"unix\"]", "-5").unwrap_err(), Code::BadTime);
    }

    #[test]
    fn units_are_recognised() {
        let ms = "formats = [\"rfc3339\", \"unix_ms\"]";
        for (text, expected) in [
            ("1729677600000", "2024-10-23T10:00:00Z"),
            ("1729677600", "2024-10-23T10:00:00Z (seconds)"),
            ("1729677600.25", "2024-10-23T10:00:00.25Z (seconds)"),
            ("1729677600000000", "2024-10-23T10:00:00Z (microseconds)"),
            ("1729677600000000000", "2024-10-23T10:00:00Z (nanoseconds)"),
        ] {
            assert_eq!(of(ms, text).unwrap(), expected, "{text}");
        }
        assert_eq!(of("formats = [\"unix\"]", "1729677600000").unwrap(), "2024-10-23T10:00:00Z (milliseconds)");
        assert_eq!(of("formats = [\"unix_us\"]", "1706745600000000").unwrap(), "2024-02-01T00:00:00Z");
        assert_eq!(of("formats = [\"%Y-%m-%d\"]", "1729677600").unwrap(), "2024-10-23T10:00:00Z (seconds)");
        for text in ["0", "0.0", "86400", "20240201", "-2134949234", "99999999999", "", "nan", "-"] {
            for unit in ["unix", "unix_ms", "unix_us", "unix_ns"] {
                assert_eq!(
                    of(&format!("formats = [\"{unit}\"]"), text).unwrap_err(),
                    Code::BadTime,
                    "{text} as {unit}"
                );
            }
        }
        for text in ["1970-01-01T00:00:00Z", "1970-01-01 00:00:00", "1970-01-20T16:48:00Z"] {
            assert_eq!(of("zone = \"America/New_York\"", text).unwrap_err(), Code::BadTime, "{text}");
        }
    }

    #[test]
    fn a_refusal_names_column_and_text() {
        let spec: TimeSpec = toml::from_str("column = \"t\"\nformats = [\"unix_ms\"]").unwrap();
        let clock = Clock::new(&spec, &mut Columns::default()).unwrap();
        assert_eq!(clock.read("0").unwrap_err().detail, "t: `0` means no time");
        let detail = clock.read("86400").unwrap_err().detail;
        assert_eq!(detail, "t: `86400` is no plausible time: as milliseconds it is 1970-01-01T00:01:26.4Z");
    }

    proptest! {
        /// A moment since 1990 is read from a number of any unit, whatever unit the preset says.
        #[test]
        fn any_unit_is_read_whatever_the_preset_says(ms in EARLIEST_MS..1_790_000_000_000_i64, declared in 0..4_usize, written in 0..4_usize) {
            let ms = ms / 1_000 * 1_000;
            let declared = ["unix", "unix_ms", "unix_us", "unix_ns"][declared];
            let text = [ms / 1_000, ms, ms * 1_000, ms * 1_000_000][written].to_string();
            let read = of(&format!("formats = [\"{declared}\"]"), &text).unwrap();
            prop_assert!(read.starts_with(&Timestamp::at(ms).to_string()), "{} as {} is {}", text, declared, read);
        }

        #[test]
        fn nothing_panics_and_nothing_lands_in_january_1970(text in "[0-9.eE:+T -]{0,20}", declared in 0..4_usize) {
            let declared = ["unix", "unix_ms", "unix_us", "unix_ns"][declared];
            if let Ok(read) = of(&format!("formats = [\"{declared}\"]"), &text) {
                prop_assert!(!read.starts_with("1970-01"), "{} is {}", text, read);
            }
        }
    }
}
