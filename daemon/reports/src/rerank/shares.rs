//! Lists with target shares of groups: DetGreedy and FA*IR.

use crate::fair_prefix::PrefixTable;

use super::candidates::{RerankError, Reranked, whole};
use super::ordered::Ordered;

/// Queues of places per group, best first, and how many of each were taken.
struct Queues {
    queues: Vec<Vec<usize>>,
    taken: Vec<usize>,
}

impl Queues {
    fn new(queues: Vec<Vec<usize>>) -> Self {
        Self { taken: vec![0; queues.len()], queues }
    }

    /// The group whose next candidate is the best among the groups that fit: places are sorted by score, so the smallest place.
    fn best(&self, fits: impl Fn(usize) -> bool) -> Option<usize> {
        let next = |group: usize| self.queues[group].get(self.taken[group]).map(|place| (*place, group));
        (0..self.queues.len()).filter(|group| fits(*group)).filter_map(next).min().map(|(_, group)| group)
    }

    fn take(&mut self, group: usize) -> usize {
        self.taken[group] += 1;
        self.queues[group][self.taken[group] - 1]
    }
}

pub(super) fn det_greedy(candidates: &Ordered<'_>, shares: &[f64], k: usize) -> Result<Reranked, RerankError> {
    whole(shares)?;
    let mut queues = Queues::new(candidates.queues(shares.len())?);
    let mut list = Reranked::default();
    while list.order.len() < k.min(candidates.len()) {
        let rank = (list.order.len() + 1) as f64;
        // k·p of 0.3 and 10 must be 3, not a hair above or below.
        let floor = |group: usize| (rank * shares[group] + 1e-9).floor() as usize;
        let ceiling = |group: usize| (rank * shares[group] - 1e-9).ceil() as usize;
        let taken = &queues.taken;
        let behind = (0..shares.len()).any(|group| taken[group] < floor(group));
        let below = queues.best(|group| taken[group] < floor(group));
        list.unmet += usize::from(behind && below.is_none());
        let next =
            below.or_else(|| queues.best(|group| taken[group] < ceiling(group))).or_else(|| queues.best(|_| true));
        let Some(group) = next else { break };
        push(&mut list, candidates, queues.take(group));
    }
    list.by_rule = list.order.len();
    Ok(list)
}

/// By score, but a prefix that would hold too few protected candidates takes the best protected one. Below the table's length the last
/// demand holds.
pub(super) fn fair_prefix(
    candidates: &Ordered<'_>,
    table: &PrefixTable,
    protected: usize,
    k: usize,
) -> Result<Reranked, RerankError> {
    let groups = candidates.groups(usize::MAX)?;
    let mut sides = vec![Vec::new(), Vec::new()];
    groups.iter().enumerate().for_each(|(place, group)| sides[usize::from(*group == protected)].push(place));
    let mut queues = Queues::new(sides);
    let mut list = Reranked::default();
    while list.order.len() < k.min(candidates.len()) {
        let rank = list.order.len();
        let least = table.minimum.get(rank).or(table.minimum.last()).copied().unwrap_or(0);
        let demanded = queues.taken[1] < least;
        let next = queues.best(|side| !demanded || side == 1);
        list.unmet += usize::from(demanded && next.is_none());
        let Some(side) = next.or_else(|| queues.best(|_| true)) else { break };
        push(&mut list, candidates, queues.take(side));
    }
    list.by_rule = list.order.len();
    Ok(list)
}

fn push(list: &mut Reranked, candidates: &Ordered<'_>, place: usize) {
    list.order.push(place);
    list.gains.push(candidates.scores[place]);
}
