//! The writer of the index: collects changes, builds segments on commit, and merges segments.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;

use super::reader::LexicalReader;
use super::segment::{CommittedSegment, Live, Segment};
use crate::document::Document;

/// Documents per thread, at least, when segments are built.
const CHUNK: usize = 2_048;
/// Number of segments of one size class that triggers their merge.
const FAN: usize = 4;

/// The lexical index of one catalogue, in memory, rebuilt at start. One writer; readers take [`LexicalReader`]s.
///
/// Readers see changes only after [`commit`](Self::commit), which the caller calls (at most every 0.5 s under load).
#[derive(Debug, Default)]
pub struct LexicalIndex {
    reader: LexicalReader,
    pending: BTreeMap<u32, Option<Document>>,
}

impl LexicalIndex {
    /// An empty index.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds documents or replaces those of the same items, from the next commit on.
    pub fn upsert(&mut self, documents: &[Document]) {
        self.pending.extend(documents.iter().map(|d| (d.item, Some(d.clone()))));
    }

    /// Removes items, from the next commit on; unknown ones are ignored.
    pub fn delete(&mut self, items: &[u32]) {
        self.pending.extend(items.iter().map(|&item| (item, None)));
    }

    /// Number of changes that wait for the next commit.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The last committed state; cheap to clone.
    #[must_use]
    pub fn reader(&self) -> LexicalReader {
        self.reader.clone()
    }

    /// Makes the pending changes visible to readers taken from now on; returns their number.
    pub fn commit(&mut self) -> usize {
        let pending = std::mem::take(&mut self.pending);
        if pending.is_empty() {
            return 0;
        }
        let mut segments: Vec<CommittedSegment> = self.reader.segments.as_ref().clone();
        for &item in pending.keys() {
            if let Some(place) = self.reader.place(item) {
                let CommittedSegment { segment, live } = &mut segments[place.segment as usize];
                segment.kill(Arc::make_mut(live), place.doc);
            }
        }
        let documents: Vec<&Document> = pending.values().flatten().collect();
        let chunk = documents.len().div_ceil(rayon::current_num_threads().max(1)).max(CHUNK);
        let built: Vec<_> = documents.par_chunks(chunk).map(Segment::build).collect();
        segments.extend(built);
        merge(&mut segments);
        self.reader = LexicalReader::new(segments);
        pending.len()
    }
}

/// Size class of a segment: a factor of four each above 1,024 documents.
fn class(live: &Live) -> u32 {
    (live.count / 1_024).checked_ilog(4).map_or(0, |c| c + 1)
}

/// Drops empty segments, rewrites those that are mostly deleted, and merges those of one size class if there are [`FAN`] of them.
fn merge(segments: &mut Vec<CommittedSegment>) {
    segments.retain(|segment| segment.live.count > 0);
    for committed in segments.iter_mut() {
        if (committed.live.count as usize) < committed.segment.items.len() / 2 {
            *committed = Segment::merge(std::slice::from_ref(committed));
        }
    }
    loop {
        let mut counts = BTreeMap::<u32, usize>::new();
        for segment in segments.iter() {
            *counts.entry(class(&segment.live)).or_default() += 1;
        }
        let Some(full) = counts.into_iter().find(|(_, n)| *n >= FAN).map(|(c, _)| c) else { return };
        let (join, keep): (Vec<_>, Vec<_>) = segments.drain(..).partition(|segment| class(&segment.live) == full);
        *segments = keep;
        segments.push(Segment::merge(&join));
    }
}
