//! Bots and bursts: users that act faster or more regularly than people of the same log, and items with days beyond their own custom.

use serde::{Deserialize, Serialize};

use crate::resample::quantile_sorted;
use crate::value::{Measure, Undefined};

/// Distance from the median, in robust standard deviations, from which a user or a day is flagged. Among 100,000 normal values about
/// one is farther away than 4.5, and none than 5.
pub const FLAG: f64 = 5.0;

/// Fewest events of a user whose regularity is judged.
pub const REGULAR_EVENTS: usize = 20;

/// Fewest events of a day that is called a burst.
pub const BURST_EVENTS: u32 = 10;

/// Median and robust scale of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobustScale {
    /// The median.
    pub median: f64,
    /// 1.4826 × the median absolute deviation; 1.2533 × the mean absolute deviation where that is 0 (Iglewicz and Hoaglin 1993).
    pub scale: f64,
}

impl RobustScale {
    /// Of a sample in any order.
    ///
    /// # Errors
    /// [`Undefined::TooFew`] below three values, [`Undefined::NotFinite`], [`Undefined::ZeroDenominator`] when all are equal.
    pub fn of(values: &[f64]) -> Result<Self, Undefined> {
        if values.len() < 3 {
            return Err(Undefined::TooFew);
        }
        if values.iter().any(|value| !value.is_finite()) {
            return Err(Undefined::NotFinite);
        }
        let middle = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            quantile_sorted(&values, 0.5)
        };
        let median = middle(values.to_vec());
        let away: Vec<f64> = values.iter().map(|value| (value - median).abs()).collect();
        let mean = away.iter().sum::<f64>() / away.len() as f64;
        let scale = match 1.4826 * middle(away) {
            0.0 => 1.2533 * mean,
            scale => scale,
        };
        if scale > 0.0 { Ok(Self { median, scale }) } else { Err(Undefined::ZeroDenominator) }
    }

    /// Robust standard deviations above the median.
    #[must_use]
    pub fn z(&self, value: f64) -> f64 {
        (value - self.median) / self.scale
    }
}

/// How one user acts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserPace {
    /// Events.
    pub events: usize,
    /// z of the logarithm of the events per active day.
    pub rate: Option<f64>,
    /// z of the logarithm of the coefficient of variation of the times between events: far below 0 is a clock.
    pub regularity: Option<f64>,
}

impl UserPace {
    /// Whether the rate is far above, or the irregularity far below, that of the log's users.
    #[must_use]
    pub fn is_flagged(&self) -> bool {
        self.rate.is_some_and(|z| z > FLAG) || self.regularity.is_some_and(|z| z < -FLAG)
    }
}

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// Smallest coefficient of variation that is told apart: a perfect clock has a finite logarithm.
const CLOCK: f64 = 1e-4;

/// The pace of every user against all users of the log. `times` are each user's events in UTC milliseconds, ascending.
#[must_use]
pub fn user_paces<T: AsRef<[i64]>>(times: &[T]) -> Vec<UserPace> {
    let rates: Vec<Option<f64>> = times.iter().map(|times| rate(times.as_ref())).collect();
    let spreads: Vec<Option<f64>> = times.iter().map(|times| irregularity(times.as_ref())).collect();
    let scale = |values: &[Option<f64>]| RobustScale::of(&values.iter().flatten().copied().collect::<Vec<f64>>()).ok();
    let (rate_scale, spread_scale) = (scale(&rates), scale(&spreads));
    let z = |scale: Option<RobustScale>, value: Option<f64>| Some(scale?.z(value?));
    let pace = |user: usize| UserPace {
        events: times[user].as_ref().len(),
        rate: z(rate_scale, rates[user]),
        regularity: z(spread_scale, spreads[user]),
    };
    (0..times.len()).map(pace).collect()
}

/// Logarithm of events per active day.
fn rate(times: &[i64]) -> Option<f64> {
    let mut days: Vec<i64> = times.iter().map(|at| at.div_euclid(DAY)).collect();
    days.dedup();
    (!days.is_empty()).then(|| (times.len() as f64 / days.len() as f64).ln())
}

/// Logarithm of the coefficient of variation of the times between events.
fn irregularity(times: &[i64]) -> Option<f64> {
    if times.len() < REGULAR_EVENTS {
        return None;
    }
    let gaps: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
    let mean = crate::value::mean(&gaps).ok().filter(|mean| *mean > 0.0)?;
    let deviation = crate::value::standard_deviation(&gaps).ok()?;
    Some((deviation / mean).max(CLOCK).ln())
}

/// The most unusual day of an item.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemBurst {
    /// Index of the day.
    pub day: usize,
    /// Events on that day.
    pub events: u32,
    /// z of 2√(events + 3/8), of variance 1 for a Poisson count, against the item's own days; the scale is never below 1.
    pub z: f64,
}

impl ItemBurst {
    /// Whether the day is a burst.
    #[must_use]
    pub fn is_flagged(&self) -> bool {
        self.z > FLAG && self.events >= BURST_EVENTS
    }
}

/// The most unusual day of one item, given its events per day of the log (days without any included).
///
/// # Errors
/// [`Undefined::TooFew`] below seven days.
pub fn item_burst(daily: &[u32]) -> Result<ItemBurst, Undefined> {
    if daily.len() < 7 {
        return Err(Undefined::TooFew);
    }
    let steady: Vec<f64> = daily.iter().map(|count| 2.0 * (f64::from(*count) + 0.375).sqrt()).collect();
    let scale = match RobustScale::of(&steady) {
        Ok(scale) => scale,
        Err(Undefined::ZeroDenominator) => RobustScale { median: steady[0], scale: 1.0 },
        Err(reason) => return Err(reason),
    };
    let scale = RobustScale { scale: scale.scale.max(1.0), ..scale };
    let day = (0..daily.len()).rev().max_by_key(|day| daily[*day]).unwrap_or(0);
    Ok(ItemBurst { day, events: daily[day], z: scale.z(steady[day]) })
}

/// Share of `flagged` among `all`.
///
/// # Errors
/// [`Undefined::NoObservations`] for none.
pub fn flagged_share(flagged: usize, all: usize) -> Measure {
    if all == 0 { Err(Undefined::NoObservations) } else { Ok(flagged as f64 / all as f64) }
}
