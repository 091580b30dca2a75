//! Candidates in the order of their scores: the order in which equal gains are decided.

use super::candidates::{Candidates, RerankError, Reranked};
use super::vectors::UnitVectors;

/// Candidates sorted by score, then tie key, then place. Methods work on places in this order; [`Ordered::restore`] maps back.
pub(super) struct Ordered<'a> {
    places: Vec<usize>,
    pub scores: Vec<f64>,
    groups: Option<Vec<usize>>,
    vectors: Option<&'a UnitVectors>,
}

impl<'a> Ordered<'a> {
    pub fn new(candidates: &Candidates<'a>) -> Result<Self, RerankError> {
        let n = candidates.scores.len();
        let fits = |input, found| {
            if found == n { Ok(()) } else { Err(RerankError::Length { input, expected: n, found }) }
        };
        fits("tie keys", candidates.keys.len())?;
        if !candidates.groups.is_empty() {
            fits("groups", candidates.groups.len())?;
        }
        if let Some(vectors) = candidates.vectors {
            fits("vectors", vectors.len())?;
        }
        if candidates.scores.iter().any(|score| !score.is_finite()) {
            return Err(RerankError::Score);
        }
        let mut places: Vec<usize> = (0..n).collect();
        let (scores, keys) = (candidates.scores, candidates.keys);
        places.sort_by(|&a, &b| (scores[b] + 0.0).total_cmp(&(scores[a] + 0.0)).then(keys[a].cmp(&keys[b])));
        let grouped = !candidates.groups.is_empty() || n == 0;
        Ok(Self {
            scores: places.iter().map(|place| scores[*place]).collect(),
            groups: grouped.then(|| places.iter().map(|place| candidates.groups[*place]).collect()),
            vectors: candidates.vectors,
            places,
        })
    }

    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// Index of a candidate as the caller numbered it.
    pub fn index(&self, place: usize) -> usize {
        self.places[place]
    }

    /// The group of each candidate, each below `groups`.
    pub fn groups(&self, groups: usize) -> Result<&[usize], RerankError> {
        let found = self.groups.as_deref().ok_or(RerankError::Missing("the group of each candidate"))?;
        match found.iter().find(|group| **group >= groups) {
            Some(&group) => Err(RerankError::Group { group, groups }),
            None => Ok(found),
        }
    }

    /// Cosine of two candidates.
    pub fn similarity(&self) -> Result<impl Fn(usize, usize) -> f64 + use<'_, 'a>, RerankError> {
        let vectors = self.vectors()?;
        Ok(move |a: usize, b: usize| vectors.cosine(self.places[a], self.places[b]))
    }

    /// Direction of a candidate.
    pub fn direction(&self) -> Result<impl Fn(usize) -> &'a [f64] + use<'_, 'a>, RerankError> {
        let vectors = self.vectors()?;
        Ok(move |place: usize| vectors.row(self.places[place]))
    }

    fn vectors(&self) -> Result<&'a UnitVectors, RerankError> {
        self.vectors.ok_or(RerankError::Missing("the vector of each candidate"))
    }

    /// Places of each group, best first.
    pub fn queues(&self, groups: usize) -> Result<Vec<Vec<usize>>, RerankError> {
        let mut queues = vec![Vec::new(); groups];
        for (place, group) in self.groups(groups)?.iter().enumerate() {
            queues[*group].push(place);
        }
        Ok(queues)
    }

    /// Fills a list up to k by score.
    pub fn back_fill(&self, list: &mut Reranked, k: usize) {
        let mut taken = vec![false; self.len()];
        list.order.iter().for_each(|place| taken[*place] = true);
        let wanted = k.min(self.len()) - list.order.len();
        let rest: Vec<usize> = (0..self.len()).filter(|place| !taken[*place]).take(wanted).collect();
        for place in rest {
            list.order.push(place);
            list.gains.push(self.scores[place]);
        }
    }

    /// Places back to the caller's indices.
    pub fn restore(&self, mut list: Reranked) -> Reranked {
        list.order.iter_mut().for_each(|place| *place = self.places[*place]);
        list
    }
}

/// A value in a queue of candidates: the largest first, of equals the earlier place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bid {
    pub value: f64,
    pub place: usize,
}

impl Eq for Bid {}

impl Ord for Bid {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.value + 0.0).total_cmp(&(other.value + 0.0)).then(other.place.cmp(&self.place))
    }
}

impl PartialOrd for Bid {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// The largest bid, if any.
pub(super) fn highest(bids: impl Iterator<Item = Bid>) -> Option<Bid> {
    bids.max()
}
