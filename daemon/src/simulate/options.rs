//! Options of the simulator, and the truth that it planted.

use std::io;

use mercer_shared::ids::IdError;
use mercer_shared::time::{DAY_MS, Timestamp};

/// What `source` says in every simulated interaction, item and shopper.
pub const SOURCE: &str = "simulated";

/// What to simulate. The default is the shop of the demo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Decides everything that is left open.
    pub seed: u64,
    /// Shoppers.
    pub users: usize,
    /// Items in the catalogue.
    pub items: usize,
    /// Days of the log; at least 2.
    pub days: u32,
    /// Interactions to aim at; the log holds about as many.
    pub interactions: usize,
    /// First moment of the log.
    pub start: Timestamp,
    /// Share of items and of shoppers that speak Chinese, 0 to 1.
    pub chinese: f64,
    /// Whether demand follows the calendar.
    pub season: bool,
    /// Whether taste changes half way.
    pub drift: bool,
    /// Whether one group's behaviour depends less on its taste, so that any ranker serves it worse.
    pub bias: bool,
    /// Whether behaviour depends on tastes and items. If not, shoppers and items meet by chance alone.
    pub signal: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            users: 400,
            items: 300,
            days: 120,
            interactions: 20_000,
            start: Timestamp::at(20_454 * DAY_MS),
            chinese: 0.4,
            season: true,
            drift: true,
            bias: true,
            signal: true,
        }
    }
}

impl Options {
    /// Options of a log that ends just before `end`, so that its last events are recent, as the demo needs.
    #[must_use]
    pub fn ending_at(mut self, end: Timestamp) -> Self {
        self.start = end.plus_millis(-i64::from(self.days) * DAY_MS);
        self
    }

    /// Month of the first day, 0 for January; months of thirty days from the start of the year are near enough for a season.
    pub(super) fn first_month(&self) -> u32 {
        // Days since the epoch within the average Gregorian year, in thousandths of a day to stay with integers.
        let day_of_year = (self.start.millis() / DAY_MS * 1000) % 365_243 / 1000;
        (day_of_year / 30) as u32 % 12
    }
}

/// Why there is nothing to simulate.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// An option lies outside its range.
    #[error("cannot simulate: {0}")]
    Options(&'static str),
    /// An id was refused.
    #[error(transparent)]
    Id(#[from] IdError),
    /// The output could not be written.
    #[error("cannot write the simulated shop")]
    Write(#[from] io::Error),
    /// A document could not be written as JSON.
    #[error("cannot write the simulated shop as JSON")]
    Json(#[from] serde_json::Error),
}

/// What was planted, for those who check whether it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truth {
    /// The department that gains from the change of taste, as an index of the departments.
    pub rising: usize,
    /// The department that loses.
    pub falling: usize,
    /// Attribute and value of the disadvantaged group.
    pub disadvantaged: (&'static str, &'static str),
    /// When taste changes.
    pub change: Timestamp,
}
