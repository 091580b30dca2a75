//! xQuAD and calibrated re-ranking: lists that cover what the user cares about.

use crate::diversity::CALIBRATION_EVENTS;

use super::candidates::{RerankError, Reranked, unit};
use super::ordered::{Bid, Ordered, highest};

/// What one candidate covers of one aspect.
struct Cover {
    aspect: usize,
    share: f64,
}

pub(super) fn xquad(
    candidates: &Ordered<'_>,
    lambda: f64,
    aspects: &[f64],
    covers: Option<&[f64]>,
    k: usize,
) -> Result<Reranked, RerankError> {
    unit("lambda", lambda)?;
    aspects.iter().try_for_each(|wish| unit("an aspect's probability", *wish))?;
    let covers = covers_of(candidates, aspects, covers)?;
    let mut open = vec![1.0; aspects.len()];
    let mut taken = vec![false; candidates.len()];
    let mut list = Reranked::default();
    while list.order.len() < k {
        let gain = |place: usize| {
            let news: f64 = covers[place].iter().map(|one| aspects[one.aspect] * one.share * open[one.aspect]).sum();
            Bid { value: (1.0 - lambda) * candidates.scores[place] + lambda * news, place }
        };
        let Some(bid) = highest((0..candidates.len()).filter(|place| !taken[*place]).map(gain)) else { break };
        covers[bid.place].iter().for_each(|one| open[one.aspect] *= 1.0 - one.share);
        taken[bid.place] = true;
        list.order.push(bid.place);
        list.gains.push(bid.value);
    }
    list.by_rule = list.order.len();
    Ok(list)
}

/// The aspects that each candidate covers and the user cares about; others change no gain.
fn covers_of(
    candidates: &Ordered<'_>,
    aspects: &[f64],
    covers: Option<&[f64]>,
) -> Result<Vec<Vec<Cover>>, RerankError> {
    let wanted = |aspect: usize, share: f64| (aspects[aspect] > 0.0 && share > 0.0).then_some(Cover { aspect, share });
    let Some(covers) = covers else {
        let groups = candidates.groups(aspects.len())?;
        return Ok(groups.iter().map(|group| wanted(*group, 1.0).into_iter().collect()).collect());
    };
    let expected = candidates.len() * aspects.len();
    if covers.len() != expected {
        return Err(RerankError::Length { input: "covers", expected, found: covers.len() });
    }
    covers.iter().try_for_each(|share| unit("a cover", *share))?;
    let row = |place: usize| {
        let start = candidates.index(place) * aspects.len();
        let shares = &covers[start..start + aspects.len()];
        shares.iter().enumerate().filter_map(|(aspect, share)| wanted(aspect, *share)).collect()
    };
    Ok((0..candidates.len()).map(row).collect())
}

/// Parameters of [`calibrated`].
pub(super) struct Taste<'a> {
    pub lambda: f64,
    pub history: &'a [f64],
    pub events: usize,
    pub alpha: f64,
}

/// Within a group the best score always wins, so each step compares one candidate per group. C_KL of the list with one more of group c
/// differs from the common part (one more item, no group) in the term of c only.
pub(super) fn calibrated(candidates: &Ordered<'_>, taste: &Taste<'_>, k: usize) -> Result<Reranked, RerankError> {
    unit("lambda", taste.lambda)?;
    if !(taste.alpha > 0.0 && taste.alpha < 1.0) {
        return Err(RerankError::Parameter {
            name: "alpha",
            value: taste.alpha,
            range: "between 0 and 1, both excluded",
        });
    }
    if taste.events < CALIBRATION_EVENTS {
        return Err(RerankError::History(taste.events));
    }
    let total: f64 = taste.history.iter().sum();
    if let Some(&value) = taste.history.iter().find(|weight| !(weight.is_finite() && **weight >= 0.0)) {
        return Err(RerankError::Parameter { name: "a weight of the history", value, range: "0 or more" });
    }
    if total <= 0.0 {
        return Err(RerankError::Missing("a history with weight"));
    }
    let wish: Vec<f64> = taste.history.iter().map(|weight| weight / total).collect();
    let term = |group: usize, count: usize, size: usize| {
        let (p, q) = (wish[group], count as f64 / size as f64);
        if p > 0.0 { p * (p / ((1.0 - taste.alpha) * q + taste.alpha * p)).ln() } else { 0.0 }
    };
    let queues = candidates.queues(wish.len())?;
    let (mut counts, mut sum) = (vec![0_usize; wish.len()], 0.0);
    let mut list = Reranked::default();
    while list.order.len() < k {
        let size = list.order.len() + 1;
        let common: f64 = (0..wish.len()).map(|group| term(group, counts[group], size)).sum();
        let bid = |(group, queue): (usize, &Vec<usize>)| {
            let place = *queue.get(counts[group])?;
            let distance = common - term(group, counts[group], size) + term(group, counts[group] + 1, size);
            let value = (1.0 - taste.lambda) * (sum + candidates.scores[place]) - taste.lambda * distance;
            Some((Bid { value, place }, group))
        };
        let Some((bid, group)) = queues.iter().enumerate().filter_map(bid).max_by_key(|(bid, _)| *bid) else { break };
        counts[group] += 1;
        sum += candidates.scores[bid.place];
        list.order.push(bid.place);
        list.gains.push(bid.value);
    }
    list.by_rule = list.order.len();
    Ok(list)
}
