//! The reader: BM25F (Robertson, Zaragoza 2009, "The Probabilistic Relevance Framework", section 3.6) over all segments with global
//! statistics, times how much of the query a document covers.

use std::sync::Arc;

use super::FIELDS;
use super::clauses::{Clause, clauses};
use super::index::places;
use super::segment::{Live, Segment};
use crate::query::Query;
use crate::tie::{Scored, top};
use crate::tokenize::tokenize;

/// Constants of the ranking. Per-field arrays stand in the order title, description, brand, category, attributes.
#[derive(Debug, Clone, PartialEq)]
pub struct LexicalParams {
    /// Saturation of term frequency.
    pub k1: f64,
    /// Length normalisation per field, 0 to 1.
    pub b: [f64; FIELDS],
    /// Weight of a field's term frequency.
    pub boost: [f64; FIELDS],
    /// Exponent of the covered share of the query (by inverse document frequency): 0 is plain BM25F, large values
    /// put documents that hold every term first.
    pub coverage: f64,
}

impl Default for LexicalParams {
    /// One configuration for all languages and catalogues. Chosen on product queries (137, English) and needs (36, Chinese) together: the
    /// title's own saturation is `k1 / boost` = 0.8; weighting by coverage never paid.
    fn default() -> Self {
        Self { k1: 3.2, b: [0.6, 0.75, 0.6, 0.6, 0.6], boost: [4.0, 1.0, 3.0, 3.0, 1.0], coverage: 0.0 }
    }
}

/// Where an item stands in the segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) segment: u32,
    pub(super) doc: u32,
}

/// A committed state of a [`super::LexicalIndex`]: immutable, cheap to clone, read by any number of threads.
#[derive(Debug, Clone, Default)]
pub struct LexicalReader {
    pub(super) segments: Arc<Vec<(Arc<Segment>, Arc<Live>)>>,
    places: Arc<Vec<Option<Place>>>,
    count: u32,
    /// Mean length of each field, at least 1.
    means: [f64; FIELDS],
}

/// The answer of the lexical index: the best documents, and the score of any other.
#[derive(Debug, Clone, Default)]
pub struct LexicalMatches {
    /// Best first; every score above 0.
    pub top: Vec<Scored>,
    scores: Vec<Vec<f64>>,
    places: Arc<Vec<Option<Place>>>,
}

impl LexicalMatches {
    /// The score of an item, 0 if no term matches it.
    #[must_use]
    pub fn score(&self, item: u32) -> f64 {
        let place = self.places.get(item as usize).copied().flatten();
        place.and_then(|p| self.scores.get(p.segment as usize)?.get(p.doc as usize).copied()).unwrap_or(0.0)
    }
}

impl LexicalReader {
    pub(super) fn new(segments: Vec<(Arc<Segment>, Arc<Live>)>) -> Self {
        let count = segments.iter().map(|(_, live)| live.count).sum();
        let mut means = [1.0; FIELDS];
        for (f, mean) in means.iter_mut().enumerate() {
            let sum: u64 = segments.iter().map(|(_, live)| live.lengths[f]).sum();
            *mean = (sum as f64 / f64::from(count).max(1.0)).max(1.0);
        }
        Self { places: Arc::new(places(&segments)), segments: Arc::new(segments), count, means }
    }

    pub(super) fn place(&self, item: u32) -> Option<Place> {
        self.places.get(item as usize).copied().flatten()
    }

    /// How many documents there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there is no document.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many documents hold the term (as [`tokenize`] gives it).
    #[must_use]
    pub fn frequency(&self, term: &str) -> u32 {
        self.segments.iter().filter_map(|(s, live)| s.id(term).map(|id| live.frequency[id as usize])).sum()
    }

    /// Inverse document frequency, never negative (Lucene's form).
    pub(super) fn idf(&self, frequency: u32) -> f64 {
        (1.0 + (f64::from(self.count) - f64::from(frequency) + 0.5) / (f64::from(frequency) + 0.5)).ln()
    }

    /// The best `k` documents that pass the filter and hold at least one term of the query or a close one.
    #[must_use]
    pub fn search(
        &self,
        query: &Query,
        k: usize,
        filter: &(dyn Fn(u32) -> bool + Sync),
        params: &LexicalParams,
    ) -> LexicalMatches {
        let clauses = clauses(self, &tokenize(&query.words));
        let mass: f64 = clauses.iter().map(|c| c.mass).sum();
        if mass <= 0.0 {
            return LexicalMatches::default();
        }
        let scores: Vec<Vec<f64>> =
            self.segments.iter().map(|(s, live)| self.score_segment(s, live, &clauses, mass, params)).collect();
        let mut all = Vec::new();
        for ((segment, _), scores) in self.segments.iter().zip(&scores) {
            let found = segment.items.iter().zip(scores).filter(|(item, score)| **score > 0.0 && filter(**item));
            all.extend(found.map(|(&item, &score)| Scored { item, score }));
        }
        LexicalMatches { top: top(all, k), scores, places: Arc::clone(&self.places) }
    }

    fn score_segment(
        &self,
        segment: &Segment,
        live: &Live,
        clauses: &[Clause],
        mass: f64,
        params: &LexicalParams,
    ) -> Vec<f64> {
        let n = segment.items.len();
        let (mut score, mut covered) = (vec![0.0; n], vec![0.0; n]);
        let mut best: Vec<(f64, f64)> = vec![(0.0, 0.0); n];
        let mut sum: Vec<(f64, f64)> = vec![(0.0, 0.0); n];
        for clause in clauses {
            let mut touched: Vec<u32> = Vec::new();
            for alternative in &clause.alternatives {
                let mut reached: Vec<u32> = Vec::new();
                for (term, idf) in &alternative.terms {
                    let Some(id) = segment.id(term) else { continue };
                    let postings = &segment.postings[id as usize];
                    for (&doc, frequencies) in postings.docs.iter().zip(&postings.frequencies) {
                        let d = doc as usize;
                        if !live.alive[d] {
                            continue;
                        }
                        let mut weighted = 0.0;
                        for (f, &frequency) in frequencies.iter().enumerate().filter(|(_, n)| **n > 0) {
                            let length =
                                1.0 - params.b[f] + params.b[f] * f64::from(segment.lengths[d][f]) / self.means[f];
                            weighted += params.boost[f] * f64::from(frequency) / length.max(1e-9);
                        }
                        if sum[d].1 == 0.0 {
                            reached.push(doc);
                        }
                        sum[d].0 += alternative.weight * idf * weighted * (params.k1 + 1.0) / (params.k1 + weighted);
                        sum[d].1 += 1.0;
                    }
                }
                for doc in reached {
                    let (points, matched) = std::mem::take(&mut sum[doc as usize]);
                    let share = alternative.weight * matched / alternative.terms.len() as f64;
                    let slot = &mut best[doc as usize];
                    if slot.1 == 0.0 {
                        touched.push(doc);
                    }
                    // An alternative that is found whole beats a part of another.
                    if (share, points) > (slot.1, slot.0) {
                        *slot = (points, share);
                    }
                }
            }
            for doc in touched {
                let (points, share) = std::mem::take(&mut best[doc as usize]);
                score[doc as usize] += points;
                covered[doc as usize] += clause.mass * share;
            }
        }
        if params.coverage > 0.0 {
            for (score, covered) in score.iter_mut().zip(&covered) {
                *score *= (covered / mass).min(1.0).powf(params.coverage);
            }
        }
        score
    }

    /// Which items hold every quoted phrase of the query in one field, as flags by item number; `None` if the query has no phrase
    /// or no document holds them all (a phrase is a wish, not a wall, when nothing meets it).
    #[must_use]
    pub fn phrase_items(&self, query: &Query) -> Option<Vec<bool>> {
        let phrases: Vec<Vec<String>> = query
            .phrases
            .iter()
            .map(|p| tokenize(p).into_iter().filter(|t| !t.extra).map(|t| t.term).collect())
            .filter(|p: &Vec<_>| !p.is_empty())
            .collect();
        if phrases.is_empty() {
            return None;
        }
        let mut flags = vec![false; self.places.len()];
        let mut any = false;
        for (segment, live) in self.segments.iter() {
            let ids: Option<Vec<Vec<u32>>> =
                phrases.iter().map(|p| p.iter().map(|t| segment.id(t)).collect()).collect();
            let Some(ids) = ids else { continue };
            let Some(rarest) = ids.iter().flatten().min_by_key(|&&id| segment.postings[id as usize].docs.len()) else {
                continue;
            };
            for &doc in &segment.postings[*rarest as usize].docs {
                if live.alive[doc as usize] && ids.iter().all(|phrase| segment.holds_phrase(doc, phrase)) {
                    flags[segment.items[doc as usize] as usize] = true;
                    any = true;
                }
            }
        }
        any.then_some(flags)
    }

    /// In how many documents both terms stand.
    pub(super) fn together(&self, a: &str, b: &str) -> usize {
        let both = |(segment, live): &(Arc<Segment>, Arc<Live>)| -> Option<usize> {
            let docs = |term| segment.id(term).map(|id| &segment.postings[id as usize].docs);
            let (a, b) = (docs(a)?, docs(b)?);
            let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
            Some(short.iter().filter(|d| live.alive[**d as usize] && long.binary_search(d).is_ok()).count())
        };
        self.segments.iter().filter_map(both).sum()
    }
}
