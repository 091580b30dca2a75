//! Formats moments and durations. Moments are UTC and marked so, whatever the zone of this machine: a daemon and its
//! operators seldom share a zone, and the wire is UTC.

use mercer_shared::time::{DAY_MS, Timestamp};

/// A moment to the second: `2011-12-09 12:50:00 UTC`.
pub(crate) fn moment(at: Timestamp) -> String {
    format!("{} UTC", unmarked_moment(at))
}

/// The same without the mark, for lists whose heading says that times are UTC.
pub(crate) fn unmarked_moment(at: Timestamp) -> String {
    format!("{} {}", date(at), clock(at))
}

/// A moment that may be missing.
pub(crate) fn maybe_moment(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), moment)
}

/// The day of a moment: `2011-12-09`.
pub(crate) fn date(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

/// The time of day, `12:50:07`, for lists whose heading says that times are UTC.
pub(crate) fn clock(at: Timestamp) -> String {
    at.to_string().chars().skip(11).take(8).collect()
}

/// A duration: `850 ms`, `12.3 s`, `4 min 5 s`, `3 h 20 min`, `2 days 3 h`.
pub(crate) fn duration(seconds: f64) -> String {
    match seconds {
        s if !s.is_finite() || s < 0.0 => "-".to_owned(),
        s if s < 1.0 => format!("{:.0} ms", s * 1000.0),
        s if s < 59.95 => format!("{s:.1} s"),
        s => two_units(s),
    }
}

/// The time from one moment to another, as [`duration`] writes it.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> String {
    duration((to.millis() - from.millis()).max(0) as f64 / 1000.0)
}

/// A remaining time in whole seconds: `45 s`, `3 min 5 s`, `2 h 5 min`.
pub(crate) fn remaining(seconds: f64) -> String {
    match seconds {
        s if !s.is_finite() || s < 0.0 => "-".to_owned(),
        s => two_units(s),
    }
}

/// The two largest units of a length of time.
fn two_units(seconds: f64) -> String {
    // Saturates; centuries are as good as any.
    let s = seconds.round() as u64;
    let pair = |large: u64, large_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {large_unit}"),
        small => format!("{large} {large_unit} {small} {small_unit}"),
    };
    match s {
        0..60 => format!("{s} s"),
        60..3600 => pair(s / 60, "min", s % 60, "s"),
        3600..172_800 => pair(s / 3600, "h", s % 3600 / 60, "min"),
        _ => pair(s / 86_400, "days", s % 86_400 / 3600, "h"),
    }
}

/// A running time without the unit that would change at each look: `45 s`, `3 min`, `2 h 5 min`, `4 days`.
pub(crate) fn age(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => two_units((seconds - seconds % 60) as f64),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// An age: `just now`, `12 s ago`, `3 min ago`, or the date if it is older.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    let ms = now.millis() - then.millis();
    match ms {
        ms if ms < 2000 => "just now".to_owned(),
        ms if (3_600_000..2 * DAY_MS).contains(&ms) => format!("{} h ago", ms / 3_600_000),
        ms if ms < 60 * DAY_MS => format!("{} ago", age(ms)),
        _ => date(then),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn moments_say_that_they_are_utc() {
        assert_eq!(moment(at("2011-11-09T12:50:00.250Z")), "2011-11-09 12:50:00 UTC");
        assert_eq!(moment(at("2011-11-09T12:50:00+02:00")), "2011-11-09 10:50:00 UTC");
        assert_eq!(maybe_moment(None), "-");
        assert_eq!(clock(at("2011-12-09T12:50:59.5Z")), "12:50:59");
    }

    #[test]
    fn ages() {
        let now = at("2026-01-10T12:00:00Z");
        assert_eq!(ago(at("2026-01-10T11:59:59Z"), now), "just now");
        assert_eq!(ago(at("2026-01-10T11:59:48Z"), now), "12 s ago");
        assert_eq!(ago(at("2026-01-10T11:57:00Z"), now), "3 min ago");
        assert_eq!(ago(at("2026-01-10T08:55:00Z"), now), "3 h ago");
        assert_eq!(ago(at("2026-01-05T08:55:00Z"), now), "5 days ago");
        assert_eq!(ago(at("2011-12-09T12:50:00Z"), now), "2011-12-09");
        assert_eq!(ago(at("2026-01-10T12:00:09Z"), now), "just now", "clocks differ");
        assert_eq!((age(7_500_000), age(7_230_000)), ("2 h 5 min".into(), "2 h".into()));
    }

    #[test]
    fn lengths() {
        let all = [0.25, 12.34, 245.0, 12_000.0, 183_600.0].map(duration);
        assert_eq!(all, ["250 ms", "12.3 s", "4 min 5 s", "3 h 20 min", "2 days 3 h"]);
        assert_eq!([5.2, 185.0, 7500.0, 59.97].map(remaining), ["5 s", "3 min 5 s", "2 h 5 min", "1 min"]);
    }
}
