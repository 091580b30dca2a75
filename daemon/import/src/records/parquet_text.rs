//! The text of a Parquet value, as a CSV file of the same table would have it: times in ISO 8601, nothing for null.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::civil::Date;
use parquet::basic::{LogicalType, TimeUnit};
use parquet::record::Field;
use parquet::schema::types::Type;

/// Conversion of a column's values to text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Column {
    /// Whether whole numbers are nanoseconds since 1970: the record reader knows no type for them.
    nanoseconds: bool,
    /// Whether times are instants (written with `Z`) or local times.
    utc: bool,
}

impl Column {
    /// Reads it off the column's type in the file.
    pub(super) fn of(field: &Type) -> Self {
        match field.get_basic_info().logical_type_ref() {
            Some(LogicalType::Timestamp(stamp)) => {
                Self { nanoseconds: matches!(stamp.unit, TimeUnit::NANOS), utc: stamp.is_adjusted_to_u_t_c }
            }
            _ => Self { nanoseconds: false, utc: false },
        }
    }

    /// The text of a value.
    pub(super) fn text(self, value: &Field) -> String {
        let mut out = String::new();
        self.write(value, &mut out);
        out
    }

    fn write(self, value: &Field, out: &mut String) {
        // Writing to a text cannot fail.
        let _ = match value {
            Field::Null => Ok(()),
            Field::Bool(v) => write!(out, "{v}"),
            Field::Byte(v) => write!(out, "{v}"),
            Field::Short(v) => write!(out, "{v}"),
            Field::Int(v) => write!(out, "{v}"),
            Field::Long(v) if self.nanoseconds => {
                out.push_str(&self.instant(Timestamp::from_nanosecond(i128::from(*v)), *v));
                Ok(())
            }
            Field::Long(v) => write!(out, "{v}"),
            Field::UByte(v) => write!(out, "{v}"),
            Field::UShort(v) => write!(out, "{v}"),
            Field::UInt(v) => write!(out, "{v}"),
            Field::ULong(v) => write!(out, "{v}"),
            Field::Float16(v) => write!(out, "{:?}", f32::from(*v)),
            Field::Float(v) => write!(out, "{v:?}"),
            Field::Double(v) => write!(out, "{v:?}"),
            Field::Str(v) => {
                out.push_str(v);
                Ok(())
            }
            Field::Bytes(v) => match std::str::from_utf8(v.data()) {
                Ok(text) => write!(out, "{text}"),
                Err(_) => v.data().iter().try_for_each(|byte| write!(out, "{byte:02x}")),
            },
            Field::Date(days) => match Date::constant(1970, 1, 1).checked_add(jiff::Span::new().days(*days)) {
                Ok(date) => write!(out, "{date}"),
                Err(_) => write!(out, "{days}"),
            },
            Field::TimestampMillis(v) => {
                out.push_str(&self.instant(Timestamp::from_millisecond(*v), *v));
                Ok(())
            }
            Field::TimestampMicros(v) => {
                out.push_str(&self.instant(Timestamp::from_microsecond(*v), *v));
                Ok(())
            }
            Field::ListInternal(list) => {
                self.list(list.elements(), out);
                Ok(())
            }
            // Decimals, times of day, structures and maps have a text of their own.
            other => write!(out, "{other}"),
        };
    }

    /// An instant in ISO 8601, or the number itself where no calendar has it.
    fn instant(self, time: Result<Timestamp, jiff::Error>, number: i64) -> String {
        let Ok(time) = time else { return number.to_string() };
        let text = time.to_string();
        if self.utc { text } else { text.trim_end_matches('Z').to_owned() }
    }

    fn list(self, values: &[Field], out: &mut String) {
        out.push('[');
        for (place, value) in values.iter().enumerate() {
            if place > 0 {
                out.push_str(", ");
            }
            self.write(value, out);
        }
        out.push(']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Column = Column { nanoseconds: false, utc: false };

    #[test]
    fn values_read_as_in_a_csv_file() {
        let utc = Column { nanoseconds: false, utc: true };
        let nanoseconds = Column { nanoseconds: true, utc: false };
        let cases = [
            (PLAIN, Field::Null, ""),
            (PLAIN, Field::Double(17.0), "17.0"),
            (PLAIN, Field::Double(f64::NAN), "NaN"),
            (PLAIN, Field::Float(2.5), "2.5"),
            (PLAIN, Field::Bool(true), "true"),
            (PLAIN, Field::Str("a, b".to_owned()), "a, b"),
            (PLAIN, Field::Bytes(b"plain"[..].to_vec().into()), "plain"),
            (PLAIN, Field::Bytes(vec![0xff, 0x01].into()), "ff01"),
            (PLAIN, Field::Date(18_262), "2020-01-01"),
            (PLAIN, Field::TimestampMillis(1_600_000_000_000), "2020-09-13T12:26:40"),
            (utc, Field::TimestampMillis(1_600_000_000_250), "2020-09-13T12:26:40.25Z"),
            (utc, Field::TimestampMicros(1_600_000_000_000_000), "2020-09-13T12:26:40Z"),
            (nanoseconds, Field::Long(1_600_000_000_000_000_000), "2020-09-13T12:26:40"),
            (PLAIN, Field::Long(1_600_000_000), "1600000000"),
            (PLAIN, Field::TimestampMillis(i64::MAX), "9223372036854775807"),
        ];
        for (column, value, text) in cases {
            assert_eq!(column.text(&value), text, "{value:?}");
        }
    }
}
