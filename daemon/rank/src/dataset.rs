//! Inputs that travel together: log with catalogue, and the two moments of an evaluation window.
use serde::{Deserialize, Serialize};

use crate::catalogue::Catalogue;
use crate::log::{DAY_MS, Log};

/// A log and the catalogue that its item numbers refer to.
#[derive(Debug, Clone, Copy)]
pub struct Dataset<'a> {
    /// The log.
    pub log: &'a Log,
    /// The items.
    pub catalogue: &'a Catalogue,
}

/// A window of time, UTC milliseconds: training reads events at or before `cutoff`, evaluation reads those after it and at or
/// before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Last moment that training may read.
    pub cutoff: i64,
    /// Last moment that evaluation reads.
    pub end: i64,
}

impl Window {
    /// Length in days.
    #[must_use]
    pub fn days(self) -> f64 {
        (self.end - self.cutoff) as f64 / DAY_MS as f64
    }

    /// Whether a moment lies in it.
    #[must_use]
    pub const fn contains(self, at: i64) -> bool {
        self.cutoff < at && at <= self.end
    }
}
