//! A committed state of the lexical index and its global statistics.

use std::sync::Arc;

use super::fields::FIELDS;
use super::segment::CommittedSegment;

/// Position of an item's document: segment and local document number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) segment: u32,
    pub(super) doc: u32,
}

/// A committed state of a [`LexicalIndex`](crate::LexicalIndex): immutable, cheap to clone, read by any number of threads.
#[derive(Debug, Clone, Default)]
pub struct LexicalReader {
    pub(super) segments: Arc<Vec<CommittedSegment>>,
    pub(super) places: Arc<Vec<Option<Place>>>,
    count: u32,
    /// Mean length of each field, at least 1.
    pub(super) means: [f64; FIELDS],
}

impl LexicalReader {
    pub(super) fn new(segments: Vec<CommittedSegment>) -> Self {
        let count = segments.iter().map(|segment| segment.live.count).sum();
        let mut means = [1.0; FIELDS];
        for (f, mean) in means.iter_mut().enumerate() {
            let sum: u64 = segments.iter().map(|segment| segment.live.lengths[f]).sum();
            *mean = (sum as f64 / f64::from(count).max(1.0)).max(1.0);
        }
        Self { places: Arc::new(places(&segments)), segments: Arc::new(segments), count, means }
    }

    pub(super) fn place(&self, item: u32) -> Option<Place> {
        self.places.get(item as usize).copied().flatten()
    }

    /// Number of documents.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there is no document.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Number of documents that contain the term, in the form of [`tokenize`](crate::tokenize::tokenize).
    #[must_use]
    pub fn frequency(&self, term: &str) -> u32 {
        self.segments
            .iter()
            .filter_map(|CommittedSegment { segment, live }| segment.id(term).map(|id| live.frequency[id as usize]))
            .sum()
    }

    /// Inverse document frequency, never negative (Lucene's form).
    pub(super) fn idf(&self, frequency: u32) -> f64 {
        (1.0 + (f64::from(self.count) - f64::from(frequency) + 0.5) / (f64::from(frequency) + 0.5)).ln()
    }

    /// Number of documents that contain both terms.
    pub(super) fn together(&self, a: &str, b: &str) -> usize {
        let both = |CommittedSegment { segment, live }: &CommittedSegment| -> Option<usize> {
            let docs = |term| segment.id(term).map(|id| &segment.postings[id as usize].docs);
            let (a, b) = (docs(a)?, docs(b)?);
            let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
            Some(short.iter().filter(|d| live.alive[**d as usize] && long.binary_search(d).is_ok()).count())
        };
        self.segments.iter().filter_map(both).sum()
    }
}

/// Positions by item number.
fn places(segments: &[CommittedSegment]) -> Vec<Option<Place>> {
    let mut places = Vec::new();
    for (s, CommittedSegment { segment, live }) in segments.iter().enumerate() {
        for (doc, &item) in segment.items.iter().enumerate().filter(|(d, _)| live.alive[*d]) {
            let item = item as usize;
            if places.len() <= item {
                places.resize(item + 1, None);
            }
            places[item] = Some(Place { segment: s as u32, doc: doc as u32 });
        }
    }
    places
}
