//! Scores documents by BM25F (Robertson, Zaragoza 2009, "The Probabilistic Relevance Framework", section 3.6) over all segments with
//! global statistics, times the share of the query that a document covers.

use std::sync::Arc;

use super::clauses::{Clause, clauses};
use super::fields::FIELDS;
use super::reader::{LexicalReader, Place};
use super::segment::CommittedSegment;
use crate::query::Query;
use crate::tie::{Eligible, Scored, top};
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

/// What matched of an alternative in one document.
#[derive(Debug, Clone, Copy, Default)]
struct Matched {
    /// BM25F points.
    points: f64,
    /// Matched share of the alternative; its number of terms while they are counted.
    share: f64,
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
    /// Finds the best `k` documents that are eligible and contain at least one term of the query or a similar one.
    #[must_use]
    pub fn search(&self, query: &Query, k: usize, eligible: Eligible<'_>, params: &LexicalParams) -> LexicalMatches {
        let clauses = clauses(self, &tokenize(&query.words));
        let mass: f64 = clauses.iter().map(|c| c.mass).sum();
        if mass <= 0.0 {
            return LexicalMatches::default();
        }
        let scores: Vec<Vec<f64>> =
            self.segments.iter().map(|segment| self.score_segment(segment, &clauses, mass, params)).collect();
        let mut all = Vec::new();
        for (committed, scores) in self.segments.iter().zip(&scores) {
            let matched = committed.segment.items.iter().zip(scores).filter(|(_, score)| **score > 0.0);
            all.extend(matched.filter_map(|(&item, &score)| Some(Scored { item, score, tie: eligible(item)? })));
        }
        LexicalMatches { top: top(all, k), scores, places: Arc::clone(&self.places) }
    }

    fn score_segment(
        &self,
        CommittedSegment { segment, live }: &CommittedSegment,
        clauses: &[Clause],
        mass: f64,
        params: &LexicalParams,
    ) -> Vec<f64> {
        let n = segment.items.len();
        let (mut score, mut covered) = (vec![0.0; n], vec![0.0; n]);
        let mut best = vec![Matched::default(); n];
        let mut sum = vec![Matched::default(); n];
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
                        if sum[d].share == 0.0 {
                            reached.push(doc);
                        }
                        sum[d].points +=
                            alternative.weight * idf * weighted * (params.k1 + 1.0) / (params.k1 + weighted);
                        sum[d].share += 1.0;
                    }
                }
                for doc in reached {
                    let Matched { points, share: terms } = std::mem::take(&mut sum[doc as usize]);
                    let share = alternative.weight * terms / alternative.terms.len() as f64;
                    let slot = &mut best[doc as usize];
                    if slot.share == 0.0 {
                        touched.push(doc);
                    }
                    // An alternative that matches whole is preferred to a part of another one.
                    if (share, points) > (slot.share, slot.points) {
                        *slot = Matched { points, share };
                    }
                }
            }
            for doc in touched {
                let Matched { points, share } = std::mem::take(&mut best[doc as usize]);
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

    /// Finds the items that contain every quoted phrase of the query, each in one field: flags by item number. `None` if the query has
    /// no phrase or no document contains them all; phrases are ignored then.
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
        for CommittedSegment { segment, live } in self.segments.iter() {
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
}
