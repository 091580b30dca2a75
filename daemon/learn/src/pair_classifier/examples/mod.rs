//! Labelled rows out of plain interactions: what a shopper had done before a moment, an item, and whether they took it. Pure functions over
//! slices.
//!
//! Where the log has impressions, they are the rows ([`Source::Impressions`]): one that led to an engagement with the same item within
//! [`Options::led_to_ms`] is positive, one that led to nothing negative, and what a shopper saw and passed over is as hard as negatives get.
//! Elsewhere negatives are drawn ([`Source::Sampled`]).
//!
//! Nothing comes from the future: a history ends before the moment, popularity counts what was taken before it, and an impression so late
//! that its outcome lies beyond the window is no row.

mod impressions;
mod past;
mod sampled;

pub use past::{Entry, behaviour};

use crate::examples::Interaction;

/// Which rows a log gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Entries of a history, newest first.
    pub recent: usize,
    /// History older than this before the moment does not count, milliseconds.
    pub horizon_ms: i64,
    /// Engagements lighter than this ([`crate::examples::Kind::weight`]) are neither history nor positives of sampled rows.
    pub min_weight: f32,
    /// Most positives of one moment of one shopper.
    pub per_moment: usize,
    /// Negatives a positive: drawn, or of impressions kept at most.
    pub negatives: usize,
    /// Drawn negatives have the popularity of so long before the moment, milliseconds: by that of all time, what is in season would tell the
    /// classes apart.
    pub popular_ms: i64,
    /// How long after an impression an engagement still belongs to it, milliseconds.
    pub led_to_ms: i64,
    /// Most positives; beyond it they are thinned evenly over time.
    pub most: usize,
    /// Seed of draws and thinning.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            recent: 6,
            horizon_ms: 180 * 86_400_000,
            min_weight: 0.0,
            per_moment: 8,
            negatives: 4,
            popular_ms: 30 * 86_400_000,
            led_to_ms: 30 * 60_000,
            most: 1_000,
            seed: 0,
        }
    }
}

/// Where negatives come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Impressions that led to nothing.
    Impressions,
    /// Drawn: for an item that the shopper had not taken before, items that they had not taken by then, as often as the whole shop took
    /// them in the time before; for one that they had, others of their own earlier items. So neither popularity nor having had an item tells the classes
    /// apart.
    Sampled,
}

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The shopper.
    pub user: u32,
    /// The moment, UTC milliseconds.
    pub at_ms: i64,
    /// What they had done before, newest first.
    pub history: Vec<Entry>,
    /// The item.
    pub item: u32,
    /// Whether they took it.
    pub label: bool,
    /// Whether they had taken it before.
    pub repeat: bool,
}

/// Rows with moments in `(after, until]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Later than this, UTC milliseconds.
    pub after_ms: i64,
    /// Not later than this.
    pub until_ms: i64,
}

impl Window {
    fn holds(self, at_ms: i64) -> bool {
        at_ms > self.after_ms && at_ms <= self.until_ms
    }
}

/// The source that a log up to `until_ms` has: its impressions from 50 of each class on.
#[must_use]
pub fn source(log: &[Interaction], until_ms: i64, options: &Options) -> Source {
    const ENOUGH: usize = 50;
    let window = Window { after_ms: i64::MIN, until_ms };
    let (positive, negative) = impressions::count(log, window, options);
    if positive >= ENOUGH && negative >= ENOUGH { Source::Impressions } else { Source::Sampled }
}

/// Rows of a window, in the order of time. What lies beyond the window's end is not read.
#[must_use]
pub fn rows(log: &[Interaction], source: Source, window: Window, options: &Options) -> Vec<Row> {
    let log: Vec<Interaction> = log.iter().filter(|i| i.at_ms <= window.until_ms).copied().collect();
    match source {
        Source::Impressions => impressions::rows(&log, window, options),
        Source::Sampled => sampled::rows(&log, window, options),
    }
}

/// Every n-th, so that all times stay represented.
fn thinned<T>(mut all: Vec<T>, most: usize) -> Vec<T> {
    if all.len() <= most {
        return all;
    }
    let step = all.len() as f64 / most as f64;
    let mut next = 0f64;
    let mut place = 0;
    all.retain(|_| {
        let keep = place as f64 >= next;
        if keep {
            next += step;
        }
        place += 1;
        keep
    });
    all.truncate(most);
    all
}

/// A number that depends on the seed and the row alone: draws do not depend on what else is drawn.
fn keyed(seed: u64, what: &str, parts: &[u64]) -> u64 {
    let mut hash = blake3::Hasher::new();
    hash.update(what.as_bytes());
    hash.update(&seed.to_le_bytes());
    for part in parts {
        hash.update(&part.to_le_bytes());
    }
    let bytes = *hash.finalize().as_bytes();
    bytes[..8].iter().rev().fold(0, |n, b| n << 8 | u64::from(*b))
}

#[cfg(test)]
mod tests;
