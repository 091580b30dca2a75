//! An immutable inverted segment, and the statistics that deletes change.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::fields::FIELDS;
use crate::document::Document;
use crate::tokenize::tokenize;

/// Occurrences of one term.
#[derive(Debug, Default, Clone)]
pub(super) struct Postings {
    /// Local document numbers, ascending.
    pub(super) docs: Vec<u32>,
    /// Term frequency per field, saturated at 255.
    pub(super) frequencies: Vec<[u8; FIELDS]>,
}

/// Terms of one document in reading order: per field the terms, then the extras.
#[derive(Debug, Clone, Copy)]
struct Forward {
    /// Ends of the 2 * FIELDS runs in `Segment::sequence`.
    ends: [u32; 2 * FIELDS],
    start: u32,
}

/// Documents that were committed together or merged.
#[derive(Debug, Default)]
pub(super) struct Segment {
    /// Item number of each local document.
    pub(super) items: Vec<u32>,
    /// Terms per field (extras included) of each local document.
    pub(super) lengths: Vec<[u32; FIELDS]>,
    pub(super) terms: Vec<Box<str>>,
    pub(super) postings: Vec<Postings>,
    dictionary: FxHashMap<Box<str>, u32>,
    /// Term ids by length in characters, for the search of similar terms.
    by_length: Vec<Vec<u32>>,
    sequence: Vec<u32>,
    forward: Vec<Forward>,
}

/// Statistics that deletes change; copied on write.
#[derive(Debug, Clone, Default)]
pub(super) struct Live {
    pub(super) alive: Vec<bool>,
    /// Number of live documents that contain each term.
    pub(super) frequency: Vec<u32>,
    pub(super) count: u32,
    /// Sum of `lengths` over the live documents.
    pub(super) lengths: [u64; FIELDS],
}

/// A segment and which of its documents are live.
#[derive(Debug, Clone)]
pub(super) struct CommittedSegment {
    pub(super) segment: Arc<Segment>,
    pub(super) live: Arc<Live>,
}

impl Segment {
    /// Builds a segment of the documents, in this order.
    pub(super) fn build(documents: &[&Document]) -> CommittedSegment {
        let mut segment = Self::default();
        for document in documents {
            let fields =
                [&document.title, &document.description, &document.brand, &document.category, &document.attributes];
            let mut runs: [Vec<u32>; 2 * FIELDS] = Default::default();
            for (field, text) in fields.into_iter().enumerate() {
                for token in tokenize(text) {
                    let id = segment.term_id(&token.term);
                    runs[2 * field + usize::from(token.extra)].push(id);
                }
            }
            segment.push(document.item, &runs);
        }
        segment.finish()
    }

    /// Merges the live documents of several segments into one.
    pub(super) fn merge(sources: &[CommittedSegment]) -> CommittedSegment {
        let mut segment = Self::default();
        for CommittedSegment { segment: source, live } in sources {
            let mut known: Vec<Option<u32>> = vec![None; source.terms.len()];
            for doc in (0..source.items.len()).filter(|&d| live.alive[d]) {
                let mut runs: [Vec<u32>; 2 * FIELDS] = Default::default();
                for (n, run) in runs.iter_mut().enumerate() {
                    for &old in source.run(doc, n) {
                        let slot = &mut known[old as usize];
                        let id = match *slot {
                            Some(id) => id,
                            None => *slot.insert(segment.term_id(&source.terms[old as usize])),
                        };
                        run.push(id);
                    }
                }
                segment.push(source.items[doc], &runs);
            }
        }
        segment.finish()
    }

    fn term_id(&mut self, term: &str) -> u32 {
        if let Some(&id) = self.dictionary.get(term) {
            return id;
        }
        let id = self.terms.len() as u32;
        self.terms.push(term.into());
        self.postings.push(Postings::default());
        self.dictionary.insert(term.into(), id);
        id
    }

    fn push(&mut self, item: u32, runs: &[Vec<u32>; 2 * FIELDS]) {
        let doc = self.items.len() as u32;
        let mut forward = Forward { ends: [0; 2 * FIELDS], start: self.sequence.len() as u32 };
        let mut lengths = [0; FIELDS];
        for (n, run) in runs.iter().enumerate() {
            lengths[n / 2] += run.len() as u32;
            for &id in run {
                let postings = &mut self.postings[id as usize];
                if postings.docs.last() != Some(&doc) {
                    postings.docs.push(doc);
                    postings.frequencies.push([0; FIELDS]);
                }
                if let Some(frequencies) = postings.frequencies.last_mut() {
                    frequencies[n / 2] = frequencies[n / 2].saturating_add(1);
                }
            }
            self.sequence.extend_from_slice(run);
            forward.ends[n] = self.sequence.len() as u32;
        }
        self.items.push(item);
        self.lengths.push(lengths);
        self.forward.push(forward);
    }

    fn finish(mut self) -> CommittedSegment {
        for (id, term) in self.terms.iter().enumerate() {
            let length = term.chars().count();
            if self.by_length.len() <= length {
                self.by_length.resize_with(length + 1, Vec::new);
            }
            self.by_length[length].push(id as u32);
        }
        for postings in &mut self.postings {
            postings.docs.shrink_to_fit();
            postings.frequencies.shrink_to_fit();
        }
        let mut live = Live {
            alive: vec![true; self.items.len()],
            frequency: self.postings.iter().map(|p| p.docs.len() as u32).collect(),
            count: self.items.len() as u32,
            lengths: [0; FIELDS],
        };
        for lengths in &self.lengths {
            for (sum, length) in live.lengths.iter_mut().zip(lengths) {
                *sum += u64::from(*length);
            }
        }
        CommittedSegment { segment: Arc::new(self), live: Arc::new(live) }
    }

    fn run(&self, doc: usize, n: usize) -> &[u32] {
        let forward = &self.forward[doc];
        let start = if n == 0 { forward.start } else { forward.ends[n - 1] };
        &self.sequence[start as usize..forward.ends[n] as usize]
    }

    /// The id of a term.
    pub(super) fn id(&self, term: &str) -> Option<u32> {
        self.dictionary.get(term).copied()
    }

    /// Ids of the terms of so many characters.
    pub(super) fn of_length(&self, characters: usize) -> &[u32] {
        self.by_length.get(characters).map_or(&[], Vec::as_slice)
    }

    /// Longest term in characters.
    pub(super) fn longest(&self) -> usize {
        self.by_length.len().saturating_sub(1)
    }

    /// Whether the terms are adjacent in one field.
    pub(super) fn holds_phrase(&self, doc: u32, phrase: &[u32]) -> bool {
        !phrase.is_empty()
            && (0..FIELDS).any(|f| self.run(doc as usize, 2 * f).windows(phrase.len()).any(|w| w == phrase))
    }

    /// Removes a document from the statistics.
    pub(super) fn kill(&self, live: &mut Live, doc: u32) {
        let doc = doc as usize;
        if !std::mem::replace(&mut live.alive[doc], false) {
            return;
        }
        let forward = &self.forward[doc];
        let mut ids = self.sequence[forward.start as usize..forward.ends[2 * FIELDS - 1] as usize].to_vec();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            live.frequency[id as usize] -= 1;
        }
        live.count -= 1;
        for (sum, length) in live.lengths.iter_mut().zip(&self.lengths[doc]) {
            *sum -= u64::from(*length);
        }
    }
}
