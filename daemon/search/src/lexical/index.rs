//! The writer: collects changes, turns them into segments on commit, keeps the number of segments small.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;

use super::score::{LexicalReader, Place};
use super::segment::{Live, Segment};
use crate::document::Document;

/// Fewest documents that are worth a thread of their own while building.
const CHUNK: usize = 2_048;
/// Segments of about the same size that are joined when there are this many of them.
const FAN: usize = 4;

/// The lexical index of one catalogue, in memory, rebuilt at start. One writer; readers take [`LexicalReader`]s.
///
/// Nothing is seen by readers before [`commit`](Self::commit), which the caller drives (at most every 0.5 s under load).
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

    /// Takes items out, from the next commit on; unknown ones are passed over.
    pub fn delete(&mut self, items: &[u32]) {
        self.pending.extend(items.iter().map(|&item| (item, None)));
    }

    /// How many changes wait for the next commit.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The last committed state: immutable, cheap to clone.
    #[must_use]
    pub fn reader(&self) -> LexicalReader {
        self.reader.clone()
    }

    /// Makes the pending changes visible to readers taken from now on; returns how many there were.
    pub fn commit(&mut self) -> usize {
        let pending = std::mem::take(&mut self.pending);
        if pending.is_empty() {
            return 0;
        }
        let mut segments: Vec<(Arc<Segment>, Arc<Live>)> = self.reader.segments.as_ref().clone();
        for &item in pending.keys() {
            if let Some(place) = self.reader.place(item) {
                let (segment, live) = &mut segments[place.segment as usize];
                segment.kill(Arc::make_mut(live), place.doc);
            }
        }
        let documents: Vec<&Document> = pending.values().flatten().collect();
        let chunk = documents.len().div_ceil(rayon::current_num_threads().max(1)).max(CHUNK);
        let built: Vec<_> = documents.par_chunks(chunk).map(Segment::build).collect();
        segments.extend(built.into_iter().map(|(s, l)| (Arc::new(s), Arc::new(l))));
        merge(&mut segments);
        self.reader = LexicalReader::new(segments);
        pending.len()
    }
}

/// Size class of a segment: a factor of four each above 1,024 documents.
fn class(live: &Live) -> u32 {
    (live.count / 1_024).checked_ilog(4).map_or(0, |c| c + 1)
}

/// Drops empty segments, rewrites those that are mostly dead, joins those of one size class when there are [`FAN`] of them.
fn merge(segments: &mut Vec<(Arc<Segment>, Arc<Live>)>) {
    segments.retain(|(_, live)| live.count > 0);
    for (segment, live) in segments.iter_mut() {
        if (live.count as usize) < segment.items.len() / 2 {
            let (s, l) = Segment::merge(&[(&**segment, &**live)]);
            (*segment, *live) = (Arc::new(s), Arc::new(l));
        }
    }
    loop {
        let mut counts = BTreeMap::<u32, usize>::new();
        for (_, live) in segments.iter() {
            *counts.entry(class(live)).or_default() += 1;
        }
        let Some(full) = counts.into_iter().find(|(_, n)| *n >= FAN).map(|(c, _)| c) else { return };
        let (join, keep): (Vec<_>, Vec<_>) = segments.drain(..).partition(|(_, live)| class(live) == full);
        let sources: Vec<(&Segment, &Live)> = join.iter().map(|(s, l)| (&**s, &**l)).collect();
        let (s, l) = Segment::merge(&sources);
        *segments = keep;
        segments.push((Arc::new(s), Arc::new(l)));
    }
}

/// Where each item stands: index = item number.
pub(super) fn places(segments: &[(Arc<Segment>, Arc<Live>)]) -> Vec<Option<Place>> {
    let mut places = Vec::new();
    for (s, (segment, live)) in segments.iter().enumerate() {
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
