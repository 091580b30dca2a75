//! Labelled examples for the cross-encoder from plain interactions: a user's history before a moment, an item, and whether the user took
//! it. Pure functions over slices.
//!
//! If the log has impressions, they are the examples ([`NegativeSource::Impressions`]): an impression followed by an engagement with the same
//! item within [`ExampleOptions::led_to_ms`] is positive, one without is negative. Skipped impressions are the hardest negatives there are.
//! Otherwise negatives are sampled ([`NegativeSource::Sampled`]).
//!
//! Nothing comes from the future: a history ends before the moment, popularity counts only earlier engagements, and an impression whose
//! outcome lies beyond the window is left out.

mod build;
mod draw;
mod history;
mod impressions;
mod options;
mod sampled;

pub use build::{negative_source, pair_examples};
pub use history::recent_history;
pub use options::{ExampleOptions, HistoryEntry, NegativeSource, PairExample, TimeWindow};

#[cfg(test)]
mod tests;
