//! ADWIN (Bifet and Gavaldà 2007) detects a change of the mean of a stream (METRICS.md section 7). Its window grows while the mean
//! stays, and drops its older part when the means of two parts differ by more than chance explains. The window is an exponential
//! histogram, so memory is logarithmic.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Parameters; the defaults are those of the reference implementation in river.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdwinOptions {
    /// Confidence: the smaller, the fewer false alarms.
    pub delta: f64,
    /// Values between two looks.
    pub clock: u64,
    /// Buckets of a size before two are merged.
    pub max_buckets: usize,
    /// Least values on either side of a cut.
    pub min_side: f64,
    /// Values before the first look.
    pub grace: f64,
}

impl Default for AdwinOptions {
    fn default() -> Self {
        Self { delta: 0.002, clock: 32, max_buckets: 5, min_side: 5.0, grace: 10.0 }
    }
}

/// A bucket: the sum of its values and their squared deviations from its mean.
#[derive(Clone, Copy, Debug, PartialEq, Default, Serialize, Deserialize)]
struct Bucket {
    sum: f64,
    deviation: f64,
}

/// The detector. Values should lie in `[0, 1]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adwin {
    options: AdwinOptions,
    /// Row `r` holds buckets of `2^r` values, oldest first; the last row is the oldest.
    rows: Vec<VecDeque<Bucket>>,
    width: f64,
    sum: f64,
    deviation: f64,
    seen: u64,
}

impl Default for Adwin {
    fn default() -> Self {
        Self::new(AdwinOptions::default())
    }
}

impl Adwin {
    /// An empty window.
    #[must_use]
    pub fn new(options: AdwinOptions) -> Self {
        Self { options, rows: vec![VecDeque::new()], width: 0.0, sum: 0.0, deviation: 0.0, seen: 0 }
    }

    /// Values in the window.
    #[must_use]
    pub const fn width(&self) -> f64 {
        self.width
    }

    /// Mean of the window; 0 when it is empty.
    #[must_use]
    pub fn mean(&self) -> f64 {
        if self.width > 0.0 { self.sum / self.width } else { 0.0 }
    }

    /// Adds a value. If the mean has changed, returns the mean of the dropped part.
    pub fn update(&mut self, value: f64) -> Option<f64> {
        self.insert(value);
        self.seen += 1;
        if !self.seen.is_multiple_of(self.options.clock) || self.width <= self.options.grace {
            return None;
        }
        let (sum, width) = (self.sum, self.width);
        let mut moved = false;
        while self.differs() {
            moved = true;
            self.drop_oldest();
        }
        (moved && width > self.width).then(|| (sum - self.sum) / (width - self.width))
    }

    fn insert(&mut self, value: f64) {
        if self.width > 0.0 {
            let distance = value - self.sum / self.width;
            self.deviation += self.width * distance * distance / (self.width + 1.0);
        }
        self.width += 1.0;
        self.sum += value;
        self.rows[0].push_back(Bucket { sum: value, deviation: 0.0 });
        let mut row = 0;
        while self.rows[row].len() > self.options.max_buckets {
            let (Some(a), Some(b)) = (self.rows[row].pop_front(), self.rows[row].pop_front()) else { return };
            if row + 1 == self.rows.len() {
                self.rows.push(VecDeque::new());
            }
            self.rows[row + 1].push_back(merged(a, b, size(row)));
            row += 1;
        }
    }

    /// Whether some cut splits the window into two sides with different means.
    fn differs(&self) -> bool {
        let (mut n0, mut sum0) = (0.0, 0.0);
        let (mut n1, mut sum1) = (self.width, self.sum);
        for row in (0..self.rows.len()).rev() {
            for (place, bucket) in self.rows[row].iter().enumerate() {
                if row == 0 && place + 1 == self.rows[0].len() {
                    return false;
                }
                n0 += size(row);
                n1 -= size(row);
                sum0 += bucket.sum;
                sum1 -= bucket.sum;
                let least = self.options.min_side;
                if n0 >= least && n1 >= least && (sum0 / n0 - sum1 / n1).abs() > self.bound(n0, n1) {
                    return true;
                }
            }
        }
        false
    }

    /// Largest difference of two sides that chance explains (theorem 3.1 with the variance of the window).
    fn bound(&self, n0: f64, n1: f64) -> f64 {
        let least = self.options.min_side;
        let reciprocal = 1.0 / (n0 - least + 1.0) + 1.0 / (n1 - least + 1.0);
        let spread = (2.0 * self.width.ln() / self.options.delta).ln();
        (2.0 * reciprocal * self.deviation / self.width * spread).sqrt() + 2.0 / 3.0 * spread * reciprocal
    }

    fn drop_oldest(&mut self) {
        let row = self.rows.len() - 1;
        let Some(bucket) = self.rows[row].pop_front() else { return };
        let n = size(row);
        self.width -= n;
        self.sum -= bucket.sum;
        if self.width > 0.0 {
            let distance = bucket.sum / n - self.sum / self.width;
            self.deviation -= bucket.deviation + n * self.width * distance * distance / (n + self.width);
        }
        if self.rows[row].is_empty() && row > 0 {
            self.rows.pop();
        }
    }
}

fn size(row: usize) -> f64 {
    2f64.powi(row as i32)
}

fn merged(a: Bucket, b: Bucket, n: f64) -> Bucket {
    let distance = (a.sum - b.sum) / n;
    Bucket { sum: a.sum + b.sum, deviation: a.deviation + b.deviation + n * n * distance * distance / (2.0 * n) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resample::generator;
    use rand::RngExt;

    #[test]
    fn vector_step() {
        let mut adwin = Adwin::default();
        let fired: Vec<u32> = (0..400).filter(|i| adwin.update(if *i < 200 { 0.2 } else { 0.8 }).is_some()).collect();
        assert_eq!(fired.first(), Some(&223));
        assert!(adwin.mean() > 0.7, "the old part is gone: {}", adwin.mean());
    }

    #[test]
    fn a_rate_that_trebles_is_found_and_a_steady_one_is_left_alone() {
        let (mut late, mut false_alarms) = (Vec::new(), 0);
        for seed in 0..20 {
            let mut rng = generator(seed, "adwin");
            let mut adwin = Adwin::default();
            let mut fired = None;
            for n in 0..2_000 {
                let rate = if n < 500 { 0.1 } else { 0.3 };
                if adwin.update(f64::from(u8::from(rng.random_bool(rate)))).is_some() && fired.is_none() {
                    fired = Some(n);
                }
            }
            match fired {
                Some(n) if n >= 500 => late.push(n - 500),
                _ => false_alarms += 1,
            }
        }
        assert!(late.len() >= 18 && false_alarms <= 1, "{late:?}");
        late.sort_unstable();
        assert!((50..500).contains(&late[late.len() / 2]), "{late:?}");
        let steady = (0..20).filter(|seed| {
            let mut rng = generator(*seed, "steady");
            let mut adwin = Adwin::default();
            (0..5_000).any(|_| adwin.update(f64::from(u8::from(rng.random_bool(0.3)))).is_some())
        });
        assert_eq!(steady.count(), 0);
    }

    #[test]
    fn memory_is_logarithmic_and_a_detector_survives_storage() {
        let mut adwin = Adwin::default();
        for n in 0..100_000 {
            adwin.update(f64::from(n % 2));
        }
        assert_eq!(adwin.width(), 100_000.0);
        assert!(adwin.rows.iter().map(VecDeque::len).sum::<usize>() < 110);
        let text = serde_json::to_string(&adwin).unwrap();
        let mut again: Adwin = serde_json::from_str(&text).unwrap();
        assert_eq!(again, adwin);
        assert_eq!(again.update(1.0), adwin.update(1.0));
    }
}
