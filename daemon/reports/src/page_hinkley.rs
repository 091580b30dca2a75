//! Page-Hinkley detects a change of the mean of a stream in one direction (METRICS.md section 7): it compares the sum of deviations
//! from the running mean beyond a tolerance with its own extreme. Values need no bound, so it suits prices and basket sizes.

use serde::{Deserialize, Serialize};

/// Parameters; the defaults are those of the reference implementation in river.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PageHinkleyOptions {
    /// Values before the first alarm.
    pub grace: u64,
    /// Tolerance, in units of the values.
    pub delta: f64,
    /// Sum that raises the alarm, in units of the values.
    pub threshold: f64,
    /// How much of the sum is kept from one value to the next.
    pub keep: f64,
}

impl Default for PageHinkleyOptions {
    fn default() -> Self {
        Self { grace: 30, delta: 0.005, threshold: 50.0, keep: 0.9999 }
    }
}

/// The detector, for both directions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PageHinkley {
    options: PageHinkleyOptions,
    n: u64,
    mean: f64,
    up: f64,
    lowest: f64,
    down: f64,
    highest: f64,
}

impl Default for PageHinkley {
    fn default() -> Self {
        Self::new(PageHinkleyOptions::default())
    }
}

impl PageHinkley {
    /// A detector that has seen nothing.
    #[must_use]
    pub const fn new(options: PageHinkleyOptions) -> Self {
        Self { options, n: 0, mean: 0.0, up: 0.0, lowest: f64::MAX, down: 0.0, highest: f64::MIN }
    }

    /// Mean since the last alarm.
    #[must_use]
    pub const fn mean(&self) -> f64 {
        self.mean
    }

    /// Takes a value; whether the mean has moved. After an alarm it begins anew. A value that is not finite is left out.
    pub fn update(&mut self, value: f64) -> bool {
        if !value.is_finite() {
            return false;
        }
        let o = self.options;
        self.n += 1;
        self.mean += (value - self.mean) / self.n as f64;
        self.up = o.keep * self.up + (value - self.mean - o.delta);
        self.down = o.keep * self.down + (value - self.mean + o.delta);
        self.lowest = self.lowest.min(self.up);
        self.highest = self.highest.max(self.down);
        let moved =
            self.n >= o.grace && (self.up - self.lowest > o.threshold || self.highest - self.down > o.threshold);
        if moved {
            *self = Self::new(o);
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fired(options: PageHinkleyOptions, value: impl Fn(u32) -> f64) -> Option<u32> {
        let mut detector = PageHinkley::new(options);
        (0..400).find(|n| detector.update(value(*n)))
    }

    #[test]
    fn vectors_step() {
        let step = |n| if n < 200 { 0.2 } else { 0.8 };
        assert_eq!(fired(PageHinkleyOptions::default(), step), Some(305));
        let quick = PageHinkleyOptions { threshold: 5.0, ..PageHinkleyOptions::default() };
        assert_eq!(fired(quick, step), Some(208));
    }

    #[test]
    fn a_fall_is_found_as_well_and_no_number_is_no_alarm() {
        let quick = PageHinkleyOptions { threshold: 5.0, ..PageHinkleyOptions::default() };
        assert!(fired(quick, |n| if n < 200 { 0.8 } else { 0.2 }).is_some_and(|n| (200..230).contains(&n)));
        assert_eq!(fired(quick, |n| if n % 7 == 0 { f64::NAN } else { 0.4 }), None);
    }
}
