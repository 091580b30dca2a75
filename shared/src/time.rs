//! Moments: UTC milliseconds inside, RFC 3339 on the wire.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

/// One day in milliseconds.
pub const DAY_MS: i64 = 86_400_000;

/// A moment in UTC milliseconds since 1970-01-01, never before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, ToSchema)]
#[schema(value_type = String, format = DateTime, examples("2011-11-09T12:50:00Z"))]
pub struct Timestamp(i64);

/// Why a moment was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Neither RFC 3339 nor `YYYY-MM-DD`.
    #[error("`{0}` is no RFC 3339 time such as 2011-11-09T12:50:00Z, nor a date such as 2011-11-09")]
    Syntax(String),
    /// Before 1970.
    #[error("times before 1970 are not kept")]
    BeforeEpoch,
}

impl Timestamp {
    /// The latest moment that can be written, the end of the year 9999 in milliseconds.
    pub const MAX: Self = Self(253_402_207_200_000 - 1);

    /// From milliseconds since 1970.
    ///
    /// # Errors
    /// [`TimeError::BeforeEpoch`] for a negative number.
    pub fn from_millis(ms: i64) -> Result<Self, TimeError> {
        if ms < 0 { Err(TimeError::BeforeEpoch) } else { Ok(Self(ms.min(Self::MAX.0))) }
    }

    /// The moment of so many milliseconds since 1970, held within the range that can be written.
    #[must_use]
    pub fn at(ms: i64) -> Self {
        Self::default().plus_millis(ms)
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// The clock of this machine.
    #[must_use]
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_millisecond().max(0))
    }

    /// This moment moved by so many milliseconds, held within the range that can be written.
    #[must_use]
    pub fn plus_millis(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms).clamp(0, Self::MAX.0))
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let syntax = || TimeError::Syntax(text.chars().take(64).collect());
        let moment = match text.parse::<jiff::Timestamp>() {
            Ok(moment) => moment,
            Err(_) => text
                .parse::<jiff::civil::Date>()
                .ok()
                .filter(|_| text.len() == 10)
                .and_then(|date| jiff::tz::TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok())
                .ok_or_else(syntax)?,
        };
        Self::from_millis(moment.as_millisecond())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(moment) => moment.fmt(f),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        let noon: Timestamp = "2011-11-09T12:50:00Z".parse().unwrap();
        assert_eq!(noon.millis(), 1_320_843_000_000);
        assert_eq!("2011-11-09T13:50:00+01:00".parse::<Timestamp>().unwrap(), noon);
        assert_eq!("2011-11-09".parse::<Timestamp>().unwrap().to_string(), "2011-11-09T00:00:00Z");
        assert_eq!("1969-12-31T23:59:59Z".parse::<Timestamp>(), Err(TimeError::BeforeEpoch));
        assert!("yesterday".parse::<Timestamp>().is_err());
        assert!(serde_json::from_str::<Timestamp>("12").is_err());
    }

    proptest! {
        #[test]
        fn text_round_trip(ms in 0..=Timestamp::MAX.0) {
            let moment = Timestamp::from_millis(ms).unwrap();
            prop_assert_eq!(moment.to_string().parse::<Timestamp>().unwrap(), moment);
        }
    }
}
