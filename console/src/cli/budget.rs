//! Lengths of time as arguments.

/// Reads `90`, `90s`, `10m`, `1h30m` as seconds.
pub(crate) fn seconds(text: &str) -> Result<u64, String> {
    let bad = || format!("`{text}` is no duration such as 90s, 10m or 1h30m");
    if let Ok(plain) = text.parse::<u64>() {
        return if plain > 0 { Ok(plain) } else { Err(bad()) };
    }
    let duration: jiff::SignedDuration = text.parse().map_err(|_| bad())?;
    u64::try_from(duration.as_secs()).ok().filter(|seconds| *seconds > 0).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(seconds("10m"), Ok(600));
        assert_eq!(seconds("90"), Ok(90));
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("1h30m"), Ok(5400));
        for bad in ["", "0", "-5m", "soon", "0s", "1x"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
