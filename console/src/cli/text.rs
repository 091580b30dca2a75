//! Numbers, times and foreign text as people read them.

use mercer_shared::time::Timestamp;
use serde::Serialize;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The text without characters that steer a terminal or turn the direction of writing.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c })
        .filter(|c| {
            !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
        })
        .collect()
}

/// Columns the text takes.
pub(crate) fn columns(text: &str) -> usize {
    text.width()
}

/// The text cut to so many columns, with a mark where something is missing.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let (mut out, mut used) = (String::new(), 0);
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide + 1 > width {
            break;
        }
        used += wide;
        out.push(c);
    }
    out.push('~');
    out
}

/// 541909 as `541,909`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1,234 items`, `1 item`.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// Bytes in binary units.
pub(crate) fn bytes(number: u64) -> String {
    let mut value = number as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{value} {unit}") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// Seconds as `850 ms`, `12.3 s`, `4 min 05 s`, `3 h 20 min`, `2 d 3 h`.
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        _ if seconds < 1.0 => format!("{:.0} ms", seconds.max(0.0) * 1000.0),
        _ if seconds < 60.0 => format!("{seconds:.1} s"),
        0..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        3600..86_400 => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
        _ => format!("{} d {} h", whole / 86_400, whole % 86_400 / 3600),
    }
}

/// A moment to the second.
pub(crate) fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    let seconds = text.split('.').next().unwrap_or(&text).trim_end_matches('Z');
    seconds.replacen('T', " ", 1)
}

/// A moment that may be missing.
pub(crate) fn maybe_moment(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), moment)
}

/// How long before `now` that was.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    duration((now.millis() - at.millis()).max(0) as f64 / 1000.0)
}

/// A number that may be missing, to four digits.
pub(crate) fn maybe(number: Option<f64>) -> String {
    number.map_or_else(|| "-".to_owned(), figure)
}

/// A number to four digits after the point; whole and large ones without.
pub(crate) fn figure(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() >= 2.0 && number.abs() < 1e15 {
        format!("{number:.0}")
    } else if number.abs() >= 1000.0 {
        format!("{number:.1}")
    } else {
        unsigned_zero(format!("{number:.4}"))
    }
}

/// What rounds to nothing has no sign.
fn unsigned_zero(text: String) -> String {
    match text.strip_prefix('-') {
        Some(rest) if rest.chars().all(|c| c == '0' || c == '.') => rest.to_owned(),
        _ => text,
    }
}

/// `[low, high]`, or nothing.
pub(crate) fn interval(low: Option<f64>, high: Option<f64>) -> String {
    match (low, high) {
        (Some(low), Some(high)) => format!("[{}, {}]", figure(low), figure(high)),
        _ => "-".to_owned(),
    }
}

/// The word that a value has on the wire, with spaces for underscores.
pub(crate) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text.replace('_', " "),
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(541_909), "541,909");
        assert_eq!(count(1_000_000), "1,000,000");
        assert_eq!(counted(1, "item", "items"), "1 item");
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(24_000_000), "22.9 MiB");
        assert_eq!(duration(0.25), "250 ms");
        assert_eq!(duration(245.0), "4 min 05 s");
        assert_eq!(duration(12_000.0), "3 h 20 min");
        assert_eq!(moment("2011-11-09T12:50:00.250Z".parse().unwrap()), "2011-11-09 12:50:00");
        assert_eq!(figure(0.123_456), "0.1235");
        assert_eq!(figure(20.0), "20");
    }

    #[test]
    fn titles_cannot_steer_the_terminal() {
        assert_eq!(clean("a\u{1b}[31mb\u{7}\n\u{202e}c\u{85}"), "a[31mb c");
        assert_eq!(cut("红色连衣裙", 5), "红色~");
        assert_eq!(cut("red", 3), "red");
    }

    proptest! {
        #[test]
        fn cut_fits(text in "\\PC{0,40}", width in 1usize..30) {
            prop_assert!(columns(&cut(&text, width)) <= width);
        }
    }
}
