//! Numbers, moments and foreign text made fit for people and for the terminal. What comes from the shop passes
//! [`clean`] before it is drawn; everything else here formats.

use mercer_shared::time::{DAY_MS, Timestamp};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Text of the shop without anything that a terminal would obey or that would break columns: control characters become
/// blanks, direction overrides, joiners and other invisible format characters vanish.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .filter_map(|c| match c {
            c if c.is_control() => Some(' '),
            '\u{2028}' | '\u{2029}' => Some(' '),
            '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' => None,
            '\u{e0000}'..='\u{e007f}' | '\u{061c}' | '\u{00ad}' => None,
            c => Some(c),
        })
        .collect()
}

/// Columns that a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// Text cut to so many columns, with an ellipsis where something is missing. A wide character is never cut in half.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    if columns == 0 {
        return String::new();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let w = c.width().unwrap_or(0);
        if used + w > columns - 1 {
            break;
        }
        out.push(c);
        used += w;
    }
    while out.ends_with(' ') {
        out.pop();
    }
    out.push('…');
    out
}

/// Text cut or filled with blanks on the right to exactly so many columns.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    let mut out = cut(text, columns);
    out.push_str(&" ".repeat(columns.saturating_sub(out.width())));
    out
}

/// Text cut or filled with blanks on the left to exactly so many columns.
pub(crate) fn pad_left(text: &str, columns: usize) -> String {
    let cut = cut(text, columns);
    format!("{}{cut}", " ".repeat(columns.saturating_sub(cut.width())))
}

/// Breaks text into lines of at most so many columns, at blanks where there are any.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(2);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.width() + 1 + word.width() > columns {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        if word.width() <= columns {
            line.push_str(word);
            continue;
        }
        for c in word.chars() {
            if line.width() + c.width().unwrap_or(0) > columns {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// `1,234,567`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 item`, `2,000 items`.
pub(crate) fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// `12.3 ms`, `1.23 s`.
pub(crate) fn millis(ms: f64) -> String {
    match ms {
        ms if !ms.is_finite() || ms < 0.0 => "–".to_owned(),
        0.0 => "0 ms".to_owned(),
        ms if ms < 0.05 => "<0.1 ms".to_owned(),
        ms if ms < 100.0 => format!("{ms:.1} ms"),
        ms if ms < 1000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.2} s", ms / 1000.0),
    }
}

/// `12.3 /s`, `1,234 /s`.
pub(crate) fn rate(per_second: f64) -> String {
    match per_second {
        r if !r.is_finite() || r < 0.0 => "–".to_owned(),
        r if r < 100.0 => format!("{r:.1} /s"),
        // Rates stay far below 2^53.
        r => format!("{} /s", count(r.round() as u64)),
    }
}

/// A length of time in its two largest units: `45 s`, `3 min`, `2 h 5 min`, `4 days`.
pub(crate) fn duration(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    match seconds {
        s if s < 60 => format!("{s} s"),
        s if s < 3600 => format!("{} min", s / 60),
        s if s < 2 * 86_400 => match (s / 3600, s % 3600 / 60) {
            (h, 0) => format!("{h} h"),
            (h, min) => format!("{h} h {min} min"),
        },
        s => format!("{} days", s / 86_400),
    }
}

/// A short length of time with its seconds, for what is being waited for: `45 s`, `3 min 5 s`, `2 h 5 min`.
pub(crate) fn eta(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "–".to_owned();
    }
    // Saturates; an ETA of centuries is as good as any.
    let s = seconds.round() as i64;
    match s {
        s if s < 60 => format!("{s} s"),
        s if s < 600 => format!("{} min {} s", s / 60, s % 60),
        s => duration(s.saturating_mul(1000)),
    }
}

/// How long ago: `just now`, `12 s ago`, `3 min ago`, or the date once that says more.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    let ms = now.millis() - then.millis();
    match ms {
        ms if ms < 2000 => "just now".to_owned(),
        ms if (3_600_000..2 * DAY_MS).contains(&ms) => format!("{} h ago", ms / 3_600_000),
        ms if ms < 60 * DAY_MS => format!("{} ago", duration(ms)),
        _ => date(then),
    }
}

/// `2011-12-09`, UTC.
pub(crate) fn date(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

/// `2011-12-09 12:50`, UTC.
pub(crate) fn moment(at: Timestamp) -> String {
    at.to_string().chars().take(16).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

/// `12:50:07`, UTC.
pub(crate) fn clock(at: Timestamp) -> String {
    at.to_string().chars().skip(11).take(8).collect()
}

/// `12.3 MB`, in powers of 1,000.
pub(crate) fn bytes(n: u64) -> String {
    let units = ["kB", "MB", "GB", "TB"];
    if n < 1000 {
        return format!("{n} B");
    }
    let mut value = n as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.5 && unit < units.len() - 1 {
        value /= 1000.0;
        unit += 1;
    }
    if value < 99.95 { format!("{value:.1} {}", units[unit]) } else { format!("{value:.0} {}", units[unit]) }
}

/// `12.3 %` of a share between 0 and 1.
pub(crate) fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1} %", share * 100.0) } else { "–".to_owned() }
}

/// A measured value with four digits where it is below 10, fewer above.
pub(crate) fn value(v: f64) -> String {
    match v.abs() {
        a if !a.is_finite() => "–".to_owned(),
        a if a < 0.00005 => "0.0000".to_owned(),
        a if a < 9.99995 => format!("{v:.4}"),
        a if a < 1000.0 => format!("{v:.1}"),
        // Larger ones are counts (effective items); they stay far below 2^53.
        a => format!("{}{}", if v < 0.0 { "-" } else { "" }, count(a.round() as u64)),
    }
}

/// A whole number that travels as a float: `1,234`.
pub(crate) fn value_count(v: f64) -> String {
    // Saturates; negative and undefined values do not occur on these axes.
    count(v.max(0.0).round() as u64)
}

/// The same as [`value`], or a dash.
pub(crate) fn maybe(v: Option<f64>) -> String {
    v.map_or_else(|| "–".to_owned(), value)
}

/// A difference with its sign.
pub(crate) fn signed(v: f64) -> String {
    if v.is_finite() { format!("{v:+.4}") } else { "–".to_owned() }
}

/// `0.3611 to 0.3911`, an interval of 95 %.
pub(crate) fn interval(low: Option<f64>, high: Option<f64>) -> String {
    match (low, high) {
        (Some(low), Some(high)) => format!("{} to {}", value(low), value(high)),
        _ => "–".to_owned(),
    }
}

/// `p 0.012`, `p <0.001`.
pub(crate) fn p_value(p: f64) -> String {
    match p {
        p if !p.is_finite() => "–".to_owned(),
        p if p < 0.001 => "<0.001".to_owned(),
        p => format!("{p:.3}"),
    }
}

/// A word of the wire for people: `within_noise` is `within noise`.
pub(crate) fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word.replace('_', " "),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn nothing_a_terminal_obeys_remains() {
        assert_eq!(clean("a\u{1b}[2Jb\tc\r\n"), "a [2Jb c  ");
        assert_eq!(clean("\u{202e}evil\u{200b}\u{feff}"), "evil");
        assert_eq!(clean("\u{9b}31m红裙"), " 31m红裙");
    }

    #[test]
    fn columns_hold() {
        assert_eq!(cut("red dress", 9), "red dress");
        assert_eq!(cut("red dress", 5), "red…");
        assert_eq!(cut("红色连衣裙", 6), "红色…");
        assert_eq!(pad("红裙", 6), "红裙  ");
        assert_eq!(pad_left("12", 4), "  12");
        for columns in 0..12 {
            assert_eq!(width(&pad("红a裙b连c衣", columns)), columns);
            assert_eq!(width(&pad_left("红a裙b连c衣", columns)), columns);
        }
    }

    #[test]
    fn wrapping_loses_nothing() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("红色连衣裙", 4), ["红色", "连衣", "裙"]);
        assert!(wrap("", 4).is_empty());
    }

    #[test]
    fn numbers() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!((millis(0.0), millis(0.01), millis(12.34)), ("0 ms".into(), "<0.1 ms".into(), "12.3 ms".into()));
        assert_eq!((millis(123.4), millis(1234.0), millis(f64::NAN)), ("123 ms".into(), "1.23 s".into(), "–".into()));
        assert_eq!((rate(4.04), rate(12_345.0)), ("4.0 /s".into(), "12,345 /s".into()));
        assert_eq!(
            (bytes(999), bytes(12_345_678), bytes(999_999)),
            ("999 B".into(), "12.3 MB".into(), "1.0 MB".into())
        );
        assert_eq!((value(0.37674), value(-12.34), value(1234.5)), ("0.3767".into(), "-12.3".into(), "1,235".into()));
        assert_eq!((p_value(0.0001), p_value(0.0123)), ("<0.001".into(), "0.012".into()));
        assert_eq!(plural(1, "item", "items"), "1 item");
    }

    #[test]
    fn times() {
        let now = at("2026-01-10T12:00:00Z");
        assert_eq!(ago(at("2026-01-10T11:59:59Z"), now), "just now");
        assert_eq!(ago(at("2026-01-10T11:59:48Z"), now), "12 s ago");
        assert_eq!(ago(at("2026-01-10T11:57:00Z"), now), "3 min ago");
        assert_eq!(ago(at("2026-01-10T08:55:00Z"), now), "3 h ago");
        assert_eq!(ago(at("2026-01-05T08:55:00Z"), now), "5 days ago");
        assert_eq!(ago(at("2011-12-09T12:50:00Z"), now), "2011-12-09");
        assert_eq!(ago(at("2026-01-10T12:00:09Z"), now), "just now", "clocks differ");
        assert_eq!(moment(at("2011-12-09T12:50:59Z")), "2011-12-09 12:50");
        assert_eq!(clock(at("2011-12-09T12:50:59.5Z")), "12:50:59");
        assert_eq!((eta(5.2), eta(185.0), eta(7500.0)), ("5 s".into(), "3 min 5 s".into(), "2 h 5 min".into()));
        assert_eq!(word(&mercer_shared::wire::Verdict::WithinNoise), "within noise");
    }
}
