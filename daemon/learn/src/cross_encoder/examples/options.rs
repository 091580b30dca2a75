//! Options and types of the cross-encoder's examples.

use crate::texts::TextId;

/// How examples are built from a log.
#[derive(Debug, Clone, PartialEq)]
pub struct ExampleOptions {
    /// Maximum number of history entries, newest first.
    pub recent: usize,
    /// Maximum age of history before the moment, milliseconds.
    pub horizon_ms: i64,
    /// Minimum weight ([`crate::examples::Interaction::weight`]) of history and of sampled positives.
    pub min_weight: f32,
    /// Maximum number of positives per user and moment.
    pub per_moment: usize,
    /// Negatives per positive: the number sampled, or the maximum kept of impressions.
    pub negatives: usize,
    /// Sampled negatives follow the popularity of this period before the moment, milliseconds. With all-time popularity the season alone would
    /// tell the classes apart.
    pub popular_ms: i64,
    /// Maximum time between an impression and an engagement that belongs to it, milliseconds.
    pub led_to_ms: i64,
    /// Maximum number of positives; more are thinned evenly over time.
    pub most: usize,
    /// Seed of sampling and thinning.
    pub seed: u64,
}

impl Default for ExampleOptions {
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
pub enum NegativeSource {
    /// Impressions that led to nothing.
    Impressions,
    /// Sampled. For an item new to the user: other items new to the user, in proportion to their recent popularity. For a repeat: other earlier
    /// items of the user. So neither popularity nor repetition tells the classes apart.
    Sampled,
}

/// One entry of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HistoryEntry {
    /// A query that the user typed.
    Query(TextId),
    /// An item that the user engaged with.
    Item(u32),
}

/// One labelled example.
#[derive(Debug, Clone, PartialEq)]
pub struct PairExample {
    /// The user.
    pub user: u32,
    /// The moment, UTC milliseconds.
    pub at_ms: i64,
    /// Earlier queries and items of the user, newest first.
    pub history: Vec<HistoryEntry>,
    /// The item.
    pub item: u32,
    /// Whether the user took it.
    pub label: bool,
    /// Whether the user had taken it before.
    pub repeat: bool,
}

/// Moments in `(after, until]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeWindow {
    /// Later than this, UTC milliseconds.
    pub after_ms: i64,
    /// Not later than this.
    pub until_ms: i64,
}

impl TimeWindow {
    pub(super) fn contains(self, at_ms: i64) -> bool {
        at_ms > self.after_ms && at_ms <= self.until_ms
    }
}
