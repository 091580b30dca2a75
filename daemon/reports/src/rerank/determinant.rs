//! Greedy MAP of a determinantal point process.

use std::collections::BinaryHeap;

use super::candidates::{RerankError, Reranked};
use super::ordered::{Bid, Ordered};
use super::vectors::dot;

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
        None => unbounded(&quality, kernel, k),
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

/// One candidate's row of the Cholesky factor, as far as it was needed, and its remaining d².
struct Row {
    factor: Vec<f64>,
    left: f64,
}

/// d² only falls as the list grows, so a candidate's row is extended only when its old d² still leads.
fn unbounded(quality: &[f64], kernel: impl Fn(usize, usize) -> f64, k: usize) -> Reranked {
    let mut rows: Vec<Row> = quality.iter().map(|q| Row { factor: Vec::new(), left: q * q }).collect();
    let mut queue: BinaryHeap<Bid> =
        rows.iter().enumerate().map(|(place, row)| Bid { value: row.left, place }).collect();
    let mut list = Reranked::default();
    while list.order.len() < k {
        let Some(bid) = queue.pop() else { break };
        if bid.value < EXHAUSTED {
            break;
        }
        if rows[bid.place].factor.len() == list.order.len() {
            list.order.push(bid.place);
            list.gains.push(bid.value);
            continue;
        }
        let mut row = std::mem::replace(&mut rows[bid.place], Row { factor: Vec::new(), left: 0.0 });
        while row.factor.len() < list.order.len() {
            let rank = row.factor.len();
            let member = list.order[rank];
            let known = dot(&rows[member].factor[..rank], &row.factor);
            let next = (kernel(member, bid.place) - known) / list.gains[rank].sqrt();
            row.factor.push(next);
            row.left -= next * next;
        }
        queue.push(Bid { value: row.left, place: bid.place });
        rows[bid.place] = row;
    }
    list
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
