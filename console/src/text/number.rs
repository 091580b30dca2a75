//! Formats numbers for people. A missing or non-finite number is a dash, so that tables keep their columns.

/// Stands where there is no number.
const MISSING: &str = "-";

/// A count with separators: `1,234,567`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count with its noun: `1 item`, `2,000 items`.
pub(crate) fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// A count that travels as a float, such as a step of an axis: `1,234`.
pub(crate) fn axis_count(v: f64) -> String {
    // Saturates; negative and undefined values do not occur on these axes.
    count(v.max(0.0).round() as u64)
}

/// A measured value: whole numbers as counts, four digits after the point below 10, one below 1,000, none above.
pub(crate) fn value(v: f64) -> String {
    let sign = if v < 0.0 { "-" } else { "" };
    match v.abs() {
        a if !a.is_finite() => MISSING.to_owned(),
        // What rounds to nothing has no sign.
        a if a < 0.00005 => "0.0000".to_owned(),
        // Counts stay far below 2^53.
        a if a >= 2.0 && a.fract() == 0.0 => format!("{sign}{}", count(a as u64)),
        a if a < 9.99995 => format!("{v:.4}"),
        a if a < 1000.0 => format!("{v:.1}"),
        a => format!("{sign}{}", count(a.round() as u64)),
    }
}

/// A measured value that may be missing.
pub(crate) fn maybe(v: Option<f64>) -> String {
    v.map_or_else(|| MISSING.to_owned(), value)
}

/// A difference with its sign and four digits.
pub(crate) fn signed(v: f64) -> String {
    if v.is_finite() { format!("{v:+.4}") } else { MISSING.to_owned() }
}

/// An interval: `[0.3611, 0.3911]`.
pub(crate) fn interval(low: Option<f64>, high: Option<f64>) -> String {
    match (low, high) {
        (Some(low), Some(high)) => format!("[{}, {}]", value(low), value(high)),
        _ => MISSING.to_owned(),
    }
}

/// A probability of a test: `0.012`, `<0.001`.
pub(crate) fn p_value(p: f64) -> String {
    match p {
        p if !p.is_finite() => MISSING.to_owned(),
        p if p < 0.001 => "<0.001".to_owned(),
        p => format!("{p:.3}"),
    }
}

/// A share between 0 and 1: `12.3 %`.
pub(crate) fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1} %", share * 100.0) } else { MISSING.to_owned() }
}

/// An amount in the shop's currency, which few documents name: `1,234.50`.
pub(crate) fn money(amount: f64) -> String {
    if !amount.is_finite() {
        return MISSING.to_owned();
    }
    let cents = (amount.abs() * 100.0).round();
    // Saturates; amounts stay far below 2^53.
    let whole = count((cents / 100.0).floor() as u64);
    format!("{}{whole}.{:02}", if amount < 0.0 { "-" } else { "" }, (cents % 100.0) as u64)
}

/// Bytes in powers of 1,024: `22.9 MiB`.
pub(crate) fn bytes(n: u64) -> String {
    if n < 1024 {
        return format!("{n} B");
    }
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = n as f64 / 1024.0;
    let mut unit = 0;
    // What would round to 1,024 belongs to the next unit.
    while value >= 1023.5 && unit < units.len() - 1 {
        value /= 1024.0;
        unit += 1;
    }
    if value < 99.95 { format!("{value:.1} {}", units[unit]) } else { format!("{value:.0} {}", units[unit]) }
}

/// A latency: `12.3 ms`, `1.23 s`.
pub(crate) fn milliseconds(ms: f64) -> String {
    match ms {
        ms if !ms.is_finite() || ms < 0.0 => MISSING.to_owned(),
        0.0 => "0 ms".to_owned(),
        ms if ms < 0.05 => "<0.1 ms".to_owned(),
        ms if ms < 100.0 => format!("{ms:.1} ms"),
        ms if ms < 1000.0 => format!("{ms:.0} ms"),
        ms => format!("{:.2} s", ms / 1000.0),
    }
}

/// Something a second: `12.3`, `1,234`; the caller adds the unit.
pub(crate) fn rate(per_second: f64) -> String {
    match per_second {
        r if !r.is_finite() || r < 0.0 => MISSING.to_owned(),
        r if r < 100.0 => format!("{r:.1}"),
        // Rates stay far below 2^53.
        r => count(r.round() as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(541_909), "541,909");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(
            (plural(1, "item", "items"), plural(2000, "item", "items")),
            ("1 item".into(), "2,000 items".into())
        );
    }

    #[test]
    fn measured_values() {
        assert_eq!((value(0.37674), value(-12.34), value(1234.5)), ("0.3767".into(), "-12.3".into(), "1,235".into()));
        assert_eq!((value(20.0), value(1.0), value(-0.000_01)), ("20".into(), "1.0000".into(), "0.0000".into()));
        assert_eq!((value(f64::NAN), maybe(None)), ("-".into(), "-".into()));
        assert_eq!((signed(0.0123), signed(-0.5)), ("+0.0123".into(), "-0.5000".into()));
        assert_eq!((p_value(0.0001), p_value(0.0123)), ("<0.001".into(), "0.012".into()));
        assert_eq!(
            (interval(Some(0.1), Some(0.3)), interval(Some(0.1), None)),
            ("[0.1000, 0.3000]".into(), "-".into())
        );
        assert_eq!(percent(0.125), "12.5 %");
    }

    #[test]
    fn amounts() {
        assert_eq!((money(1234.5), money(-0.5), money(2.999)), ("1,234.50".into(), "-0.50".into(), "3.00".into()));
        assert_eq!(money(f64::NAN), "-");
    }

    #[test]
    fn sizes_have_one_unit_system() {
        assert_eq!((bytes(512), bytes(1024), bytes(24_000_000)), ("512 B".into(), "1.0 KiB".into(), "22.9 MiB".into()));
        assert_eq!((bytes(1_048_575), bytes(312_000_000)), ("1.0 MiB".into(), "298 MiB".into()));
    }

    #[test]
    fn latencies_and_rates() {
        let all = [0.0, 0.01, 12.34, 123.4, 1234.0, f64::NAN].map(milliseconds);
        assert_eq!(all, ["0 ms", "<0.1 ms", "12.3 ms", "123 ms", "1.23 s", "-"]);
        assert_eq!((rate(4.04), rate(12_345.0)), ("4.0".into(), "12,345".into()));
    }
}
