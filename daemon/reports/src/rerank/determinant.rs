//! Greedy MAP of a determinantal point process.

use std::collections::BinaryHeap;

use super::candidates::{RerankError, Reranked};
use super::ordered::{Bid, Ordered};
use super::vectors::{dot, dots};

/// Stop of the determinant: what is left lies in the span of what is listed.
const EXHAUSTED: f64 = 1e-10;

pub(super) fn dpp(
    candidates: &Ordered<'_>,
    sharpness: Option<f64>,
    window: Option<usize>,
    k: usize,
) -> Result<Reranked, RerankError> {
    let quality = quality(candidates, sharpness)?;
    let similarity = candidates.similarity()?;
    let kernel = |a: usize, b: usize| quality[a] * similarity(a, b) * quality[b];
    let mut list = match window {
        Some(window) if window < 2 => {
            let range = "at least 2";
            return Err(RerankError::Parameter { name: "window", value: window as f64, range });
        }
        Some(window) => windowed(&quality, kernel, window, k),
        None => unbounded(&quality, candidates.direction()?, k),
    };
    list.by_rule = list.order.len();
    candidates.back_fill(&mut list, k);
    Ok(list)
}

fn quality(candidates: &Ordered<'_>, sharpness: Option<f64>) -> Result<Vec<f64>, RerankError> {
    let name = "sharpness";
    match sharpness {
        Some(value) if !(value > 0.0 && value.is_finite()) => {
            Err(RerankError::Parameter { name, value, range: "positive" })
        }
        Some(sharpness) => {
            // Squares of qualities must stay finite, so above e^300 all are equal.
            Ok(candidates.scores.iter().map(|score| (sharpness * score).min(300.0).exp()).collect())
        }
        None => match candidates.scores.iter().find(|score| **score <= 0.0) {
            Some(&value) => Err(RerankError::Parameter { name: "a score", value, range: "positive without sharpness" }),
            None => Ok(candidates.scores.clone()),
        },
    }
}

/// Candidates whose rows are extended together. More would be extended in vain, and their sums would not stay in registers.
const TOGETHER: usize = 4;

/// Rows of the Cholesky factor, `width` apart.
struct Factor {
    width: usize,
    /// Of each candidate, as far as it was needed.
    rows: Vec<f64>,
    /// Numbers of each candidate's row that are known.
    known: Vec<usize>,
    /// What is left of each candidate's d².
    left: Vec<f64>,
    /// Of each member of the list, and its d.
    members: Vec<f64>,
    roots: Vec<f64>,
}

impl Factor {
    fn new(quality: &[f64], k: usize) -> Self {
        let (n, width) = (quality.len(), k.min(quality.len()));
        Self {
            width,
            rows: vec![0.0; n * width],
            known: vec![0; n],
            left: quality.iter().map(|q| q * q).collect(),
            members: Vec::new(),
            roots: Vec::new(),
        }
    }

    fn row(&self, place: usize, rank: usize) -> &[f64] {
        &self.rows[place * self.width..][..rank]
    }

    /// Makes a candidate with a whole row the next member.
    fn list(&mut self, place: usize) {
        let Self { width, rows, left, members, roots, .. } = self;
        members.extend_from_slice(&rows[place * *width..][..*width]);
        roots.push(left[place].sqrt());
    }

    /// Extends rows of the same length by the members that they lack. `kernel` gives the entries of a member with the candidates.
    fn extend<const N: usize>(&mut self, places: [usize; N], kernel: impl Fn(usize, [usize; N]) -> [f64; N]) {
        for rank in self.known[places[0]]..self.roots.len() {
            let member = &self.members[rank * self.width..][..rank];
            let explained = dots(member, places.map(|place| self.row(place, rank)));
            let entries = kernel(rank, places);
            for (n, place) in places.into_iter().enumerate() {
                let next = (entries[n] - explained[n]) / self.roots[rank];
                self.rows[place * self.width + rank] = next;
                self.left[place] -= next * next;
            }
        }
        places.into_iter().for_each(|place| self.known[place] = self.roots.len());
    }
}

/// d² only falls as the list grows, so a candidate's row is extended only when its old d² still leads; the next in the queue are extended
/// with it, which costs little more than one alone and changes no value.
fn unbounded<'v>(quality: &[f64], direction: impl Fn(usize) -> &'v [f64], k: usize) -> Reranked {
    let mut factor = Factor::new(quality, k);
    let bids = factor.left.iter().enumerate().map(|(place, &value)| Bid { value, place });
    let mut queue: BinaryHeap<Bid> = bids.collect();
    let mut list = Reranked::default();
    while list.order.len() < k {
        let Some(bid) = queue.pop().filter(|bid| bid.value >= EXHAUSTED) else { break };
        let known = factor.known[bid.place];
        if known == list.order.len() {
            list.order.push(bid.place);
            list.gains.push(bid.value);
            factor.list(bid.place);
            continue;
        }
        let mut stale = [bid.place; TOGETHER];
        let mut count = 1;
        while count < TOGETHER
            && let Some(next) = queue.peek().filter(|next| next.value >= EXHAUSTED && factor.known[next.place] == known)
        {
            stale[count] = next.place;
            count += 1;
            queue.pop();
        }
        if count == TOGETHER {
            factor.extend(stale, |rank, places| entries(quality, &direction, list.order[rank], places));
        } else {
            for place in &stale[..count] {
                factor.extend([*place], |rank, places| entries(quality, &direction, list.order[rank], places));
            }
        }
        queue.extend(stale[..count].iter().map(|&place| Bid { value: factor.left[place], place }));
    }
    list
}

/// Entries of the kernel: of a member of the list with candidates that are not in it.
fn entries<'v, const N: usize>(
    quality: &[f64],
    direction: &impl Fn(usize) -> &'v [f64],
    member: usize,
    places: [usize; N],
) -> [f64; N] {
    let mut entries = dots(direction(member), places.map(direction));
    for (entry, place) in entries.iter_mut().zip(places) {
        *entry = quality[member] * *entry * quality[place];
    }
    entries
}

/// As [`unbounded`], but d² is conditional on the last `window` − 1 members only. It may rise again when a member leaves the window,
/// but never above q²; candidates come by falling q², so the search ends where q² no longer beats the best.
fn windowed(quality: &[f64], kernel: impl Fn(usize, usize) -> f64, window: usize, k: usize) -> Reranked {
    let n = quality.len();
    let mut taken = vec![false; n];
    let mut list = Reranked::default();
    while list.order.len() < k {
        let seen = &list.order[list.order.len().saturating_sub(window - 1)..];
        let factor = cholesky(seen, &kernel);
        let mut best: Option<Bid> = None;
        for place in (0..n).filter(|place| !taken[*place]) {
            if best.is_some_and(|best| quality[place] * quality[place] <= best.value) {
                break;
            }
            let bid = Bid { value: remaining(seen, &factor, place, &kernel), place };
            best = best.max(Some(bid));
        }
        let Some(bid) = best.filter(|bid| bid.value >= EXHAUSTED) else { break };
        taken[bid.place] = true;
        list.order.push(bid.place);
        list.gains.push(bid.value);
    }
    list
}

/// Rows of the Cholesky factor of the members seen; the last entry of a row is its d.
fn cholesky(seen: &[usize], kernel: &impl Fn(usize, usize) -> f64) -> Vec<Vec<f64>> {
    let mut rows: Vec<Vec<f64>> = Vec::with_capacity(seen.len());
    for (rank, &member) in seen.iter().enumerate() {
        let mut row = project(&seen[..rank], &rows, member, kernel);
        let left = kernel(member, member) - dot(&row, &row);
        row.push(left.max(EXHAUSTED).sqrt());
        rows.push(row);
    }
    rows
}

/// Coordinates of a candidate along the members seen.
fn project(seen: &[usize], rows: &[Vec<f64>], place: usize, kernel: &impl Fn(usize, usize) -> f64) -> Vec<f64> {
    let mut along: Vec<f64> = Vec::with_capacity(seen.len() + 1);
    for (rank, &member) in seen.iter().enumerate() {
        let known = dot(&rows[rank][..rank], &along);
        along.push((kernel(member, place) - known) / rows[rank][rank]);
    }
    along
}

fn remaining(seen: &[usize], rows: &[Vec<f64>], place: usize, kernel: &impl Fn(usize, usize) -> f64) -> f64 {
    let along = project(seen, rows, place, kernel);
    kernel(place, place) - dot(&along, &along)
}

#[cfg(test)]
mod tests;
