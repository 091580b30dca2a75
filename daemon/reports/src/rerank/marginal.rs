//! Maximal marginal relevance.

use std::collections::BinaryHeap;

use super::candidates::{RerankError, Reranked, unit};
use super::ordered::{Bid, Ordered};

/// argmax λ·score − (1−λ)·max cosine to what is listed. The first place goes to the best score.
///
/// The largest cosine to the list only grows, so a gain only falls: a candidate is compared with new members of the list only when its
/// old gain still leads. The result is the same as comparing all with all.
pub(super) fn mmr(candidates: &Ordered<'_>, lambda: f64, k: usize) -> Result<Reranked, RerankError> {
    unit("lambda", lambda)?;
    let similarity = candidates.similarity()?;
    let mut list = Reranked::default();
    if k == 0 || candidates.len() == 0 {
        return Ok(list);
    }
    list.order.push(0);
    list.gains.push(lambda * candidates.scores[0]);
    let gain = |place: usize, near: f64| lambda * candidates.scores[place] - (1.0 - lambda) * near;
    // Per place: the largest cosine so far and how many of the list it covers.
    let mut near: Vec<(f64, usize)> = (0..candidates.len()).map(|place| (similarity(place, 0), 1)).collect();
    let mut queue: BinaryHeap<Bid> =
        (1..candidates.len()).map(|place| Bid { value: gain(place, near[place].0), place }).collect();
    while list.order.len() < k {
        let Some(bid) = queue.pop() else { break };
        let (closest, seen) = near[bid.place];
        if seen == list.order.len() {
            list.order.push(bid.place);
            list.gains.push(bid.value);
            continue;
        }
        let closest = list.order[seen..].iter().map(|other| similarity(bid.place, *other)).fold(closest, f64::max);
        near[bid.place] = (closest, list.order.len());
        queue.push(Bid { value: gain(bid.place, closest), place: bid.place });
    }
    list.by_rule = list.order.len();
    Ok(list)
}
