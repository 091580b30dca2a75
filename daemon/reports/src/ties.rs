//! Order of equal scores (METRICS.md section 0.2): by a key of the item, never by its place in the catalogue.

use crate::accuracy::{Gain, discount, ideal_dcg};
use crate::value::{Measure, Undefined, same_length};

/// Indices by score descending, equal scores by tie key ascending. NaN scores go last.
///
/// # Errors
/// [`Undefined::LengthMismatch`] when there is not one key per score.
pub fn order(scores: &[f64], tie_keys: &[u64]) -> Result<Vec<usize>, Undefined> {
    same_length(scores.len(), tie_keys.len())?;
    let rank = |index: usize| {
        if scores[index].is_nan() { f64::NEG_INFINITY } else { scores[index] + 0.0 }
    };
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&left, &right| {
        rank(right)
            .total_cmp(&rank(left))
            .then(scores[left].is_nan().cmp(&scores[right].is_nan()))
            .then(tie_keys[left].cmp(&tie_keys[right]))
    });
    Ok(order)
}

/// NDCG@k in expectation over all orders of equal scores (scikit-learn's `ndcg_score` default).
///
/// `scores` and `gains` run over the whole candidate list in any order, `judged` over all relevant items of the user.
///
/// # Errors
/// [`Undefined::LengthMismatch`], [`Undefined::EmptyTruth`], [`Undefined::BadParameter`] at k = 0, [`Undefined::NotFinite`].
pub fn ndcg_tie_averaged(scores: &[f64], gains: &[f64], judged: &[f64], k: usize, gain: Gain) -> Measure {
    same_length(scores.len(), gains.len())?;
    if k == 0 {
        return Err(Undefined::BadParameter);
    }
    if scores.iter().chain(gains).chain(judged).any(|value| !value.is_finite()) {
        return Err(Undefined::NotFinite);
    }
    if !judged.iter().any(|value| *value > 0.0) {
        return Err(Undefined::EmptyTruth);
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&left, &right| scores[right].total_cmp(&scores[left]));
    let (mut start, mut dcg) = (0, 0.0);
    while start < order.len().min(k) {
        let score = scores[order[start]];
        let end = start + order[start..].iter().take_while(|&&index| scores[index] == score).count();
        let total: f64 = order[start..end].iter().map(|&index| gain.of(gains[index])).sum();
        let weight: f64 = (start..end.min(k)).map(discount).sum();
        dcg += total / (end - start) as f64 * weight;
        start = end;
    }
    Ok(dcg / ideal_dcg(judged, k, gain))
}

/// Whether equal scores decide which items stand among the first k: the item at rank k and the next one have the same score.
///
/// `scores` run over the whole candidate list in any order. Where this is true the list depends on the tie rule, and an accuracy metric
/// at k is to be averaged over ties. A list of at most k candidates has no boundary.
///
/// # Errors
/// [`Undefined::BadParameter`] at k = 0, [`Undefined::NotFinite`].
pub fn tied_at_boundary(scores: &[f64], k: usize) -> Result<bool, Undefined> {
    if k == 0 {
        return Err(Undefined::BadParameter);
    }
    if scores.iter().any(|score| !score.is_finite()) {
        return Err(Undefined::NotFinite);
    }
    let mut sorted = scores.to_vec();
    sorted.sort_by(|left, right| right.total_cmp(left));
    Ok(sorted.len() > k && sorted[k - 1] == sorted[k])
}

/// Share of users whose list at k depends on the tie rule. It is printed with every accuracy metric; above [`TIED_SHARE`] the metric is
/// the tie-averaged one (METRICS.md section 0.2). Interval: Wilson, it is a rate over users.
///
/// # Errors
/// As [`tied_at_boundary`]; [`Undefined::NoObservations`] without users.
pub fn share_tied_at_boundary<S: AsRef<[f64]>>(users: &[S], k: usize) -> Measure {
    let mut tied = Vec::with_capacity(users.len());
    for scores in users {
        tied.push(if tied_at_boundary(scores.as_ref(), k)? { 1.0 } else { 0.0 });
    }
    crate::value::mean(&tied)
}

/// Share of tied users above which the tie-averaged expectation replaces the metric of one order.
pub const TIED_SHARE: f64 = 0.01;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accuracy::{ndcg, reciprocal_rank};

    #[test]
    fn tv_r2_ties() {
        let tied = ndcg_tie_averaged(&[0.5, 0.5, 0.1], &[1.0, 0.0, 0.0], &[1.0], 3, Gain::Linear).unwrap();
        assert!((tied - 0.815_465).abs() < 1e-6, "{tied}");
        // ranx keeps the input order, trec_eval the document id descending: the same scores give 1.0 or 0.5.
        assert_eq!(reciprocal_rank(&[1.0, 0.0, 0.0], &[1.0], 3), Ok(1.0));
        assert_eq!(reciprocal_rank(&[0.0, 1.0, 0.0], &[1.0], 3), Ok(0.5));
    }

    #[test]
    fn the_boundary_is_tied_only_where_the_tie_decides() {
        // TV-R2: a and b are equal, so one place is decided by the tie, two are not.
        let scores = [0.5, 0.5, 0.1];
        assert_eq!(
            [1, 2, 3].map(|k| tied_at_boundary(&scores, k)),
            [Ok(true), Ok(false), Ok(false)],
            "a list with room for both does not depend on their order"
        );
        assert_eq!(tied_at_boundary(&[0.0, -0.0], 1), Ok(true), "the two zeros are one score");
        assert_eq!(share_tied_at_boundary(&[&scores[..], &[0.3, 0.2]], 1), Ok(0.5));
        assert_eq!(share_tied_at_boundary::<Vec<f64>>(&[], 1), Err(Undefined::NoObservations));
        assert_eq!(tied_at_boundary(&scores, 0), Err(Undefined::BadParameter));
        assert_eq!(tied_at_boundary(&[f64::NAN], 1), Err(Undefined::NotFinite));
    }

    #[test]
    fn the_average_over_ties_is_the_mean_of_all_orders() {
        let judged = [3.0, 1.0];
        let orders =
            [[3.0, 1.0, 0.0], [3.0, 0.0, 1.0], [1.0, 3.0, 0.0], [1.0, 0.0, 3.0], [0.0, 3.0, 1.0], [0.0, 1.0, 3.0]];
        for k in 1..=3 {
            let mean = orders.iter().map(|o| ndcg(o, &judged, k, Gain::Linear).unwrap()).sum::<f64>() / 6.0;
            let tied = ndcg_tie_averaged(&[0.2; 3], &orders[0], &judged, k, Gain::Linear).unwrap();
            assert!((mean - tied).abs() < 1e-12, "k={k}: {mean} {tied}");
        }
    }

    #[test]
    fn the_order_of_equal_scores_does_not_depend_on_the_place_in_the_catalogue() {
        let items = [("a", 0.5), ("b", 0.5), ("c", 0.9), ("d", 0.5), ("e", f64::NAN)];
        let key = |id: &str| u64::from(id.as_bytes()[0]).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let ranked = |items: &[(&'static str, f64)]| -> Vec<&str> {
            let scores: Vec<f64> = items.iter().map(|item| item.1).collect();
            let keys: Vec<u64> = items.iter().map(|item| key(item.0)).collect();
            order(&scores, &keys).unwrap().into_iter().map(|place| items[place].0).collect()
        };
        let forward = ranked(&items);
        let mut turned = items;
        turned.reverse();
        assert_eq!(forward, ranked(&turned));
        assert_eq!((forward[0], forward[4]), ("c", "e"));
        assert!(order(&[0.5], &[]).is_err());
    }
}
