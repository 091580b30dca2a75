//! Builds the examples of a time window.

use super::options::{ExampleOptions, NegativeSource, PairExample, TimeWindow};
use super::{impressions, sampled};
use crate::examples::Interaction;

/// Impressions of each class that a log needs so that its impressions are used.
const ENOUGH_IMPRESSIONS: usize = 50;

/// The source of negatives for a log up to `until_ms`: impressions if there are at least 50 of each class, else sampling.
#[must_use]
pub fn negative_source(log: &[Interaction], until_ms: i64, options: &ExampleOptions) -> NegativeSource {
    let window = TimeWindow { after_ms: i64::MIN, until_ms };
    let counts = impressions::count(log, window, options);
    if counts.positive >= ENOUGH_IMPRESSIONS && counts.negative >= ENOUGH_IMPRESSIONS {
        NegativeSource::Impressions
    } else {
        NegativeSource::Sampled
    }
}

/// Examples of a window in time order. Events after the window's end are not read.
#[must_use]
pub fn pair_examples(
    log: &[Interaction],
    source: NegativeSource,
    window: TimeWindow,
    options: &ExampleOptions,
) -> Vec<PairExample> {
    let log: Vec<Interaction> = log.iter().filter(|i| i.at_ms <= window.until_ms).copied().collect();
    match source {
        NegativeSource::Impressions => impressions::examples(&log, window, options),
        NegativeSource::Sampled => sampled::examples(&log, window, options),
    }
}
