//! Times as logs write them.

use jiff::civil;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;
use mercer_shared::problem::Code;
use mercer_shared::time::Timestamp;

use crate::preset::TimeSpec;
use crate::records::Row;
use crate::validate::{Refusal, clip};

use super::Columns;

/// Reads the time of records.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    column: usize,
    forms: Vec<Form>,
    words: String,
    zone: TimeZone,
    fixed: Option<Timestamp>,
    /// The last text and its moment: the lines of one order share them.
    last: Option<(String, Timestamp)>,
}

#[derive(Debug, Clone)]
enum Form {
    Seconds,
    Millis,
    Rfc3339,
    Pattern(String),
}

impl Clock {
    /// # Errors
    /// A zone that does not exist, a fixed moment that is none, or neither column nor fixed moment.
    pub(crate) fn new(spec: &TimeSpec, columns: &mut Columns) -> Result<Self, String> {
        let zone = spec.zone.as_deref().unwrap_or("UTC");
        let zone = TimeZone::get(zone).map_err(|_| format!("there is no time zone `{zone}`"))?;
        let fixed =
            spec.fixed.as_deref().map(str::parse::<Timestamp>).transpose().map_err(|error| error.to_string())?;
        let column = match (&spec.column, fixed) {
            (Some(column), None) => columns.number(column),
            (None, Some(_)) => 0,
            _ => return Err("a time needs either a column or a fixed moment".to_owned()),
        };
        let form = |format: &String| match format.as_str() {
            "unix" => Form::Seconds,
            "unix_ms" => Form::Millis,
            "rfc3339" => Form::Rfc3339,
            pattern => Form::Pattern(pattern.to_owned()),
        };
        let words = if spec.formats.is_empty() { "rfc3339".to_owned() } else { spec.formats.join(" or ") };
        Ok(Self { column, forms: spec.formats.iter().map(form).collect(), words, zone, fixed, last: None })
    }

    /// The moment of a record.
    ///
    /// # Errors
    /// `bad-time`.
    pub(crate) fn of(&mut self, row: &Row<'_>) -> Result<Timestamp, Refusal> {
        if let Some(fixed) = self.fixed {
            return Ok(fixed);
        }
        let text = row.get(self.column);
        if let Some((known, moment)) = &self.last
            && known == text
        {
            return Ok(*moment);
        }
        let bad = |why: String| (Code::BadTime, why);
        let millis = self
            .forms
            .iter()
            .find_map(|form| self.read(form, text))
            .or_else(|| self.iso(text))
            .ok_or_else(|| bad(format!("`{}` is no time of the form {}", clip(text), self.words)))?;
        let moment = Timestamp::from_millis(millis).map_err(|error| bad(error.to_string()))?;
        self.last = Some((text.to_owned(), moment));
        Ok(moment)
    }

    fn read(&self, form: &Form, text: &str) -> Option<i64> {
        match form {
            Form::Seconds => number(text, 1_000),
            Form::Millis => number(text, 1),
            Form::Rfc3339 => self.iso(text),
            Form::Pattern(pattern) => {
                let read = BrokenDownTime::parse(pattern, text).ok()?;
                if read.offset().is_some() {
                    return read.to_timestamp().ok().map(jiff::Timestamp::as_millisecond);
                }
                self.local(read.to_datetime().ok()?)
            }
        }
    }

    /// RFC 3339, or the same without a zone or without a time of day, which is then midnight in our zone.
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

/// A number of units of so many milliseconds; fractions of a millisecond are cut.
fn number(text: &str, unit: i64) -> Option<i64> {
    match text.parse::<i64>() {
        Ok(whole) => Some(whole.saturating_mul(unit)),
        Err(_) => {
            text.parse::<f64>().ok().filter(|number| number.is_finite()).map(|number| (number * unit as f64) as i64)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Fields;

    fn of(spec: &str, text: &str) -> Result<String, Code> {
        let spec: TimeSpec = toml::from_str(&format!("column = \"t\"\n{spec}")).unwrap();
        let mut clock = Clock::new(&spec, &mut Columns::default()).unwrap();
        let mut fields = Fields::default();
        fields.push(text);
        let row = Row::new(&fields, &[Some(0)]);
        let first = clock.of(&row).map_err(|(code, _)| code)?;
        assert_eq!(clock.of(&row).unwrap(), first, "the remembered moment is the same");
        Ok(first.to_string())
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
}
