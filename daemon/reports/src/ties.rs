//! Order of equal scores (METRICS.md section 0.2): by a keyed hash of the item id, never by the place in the catalogue.

use crate::accuracy::{Gain, discount, ideal_dcg};
use crate::value::{Measure, Undefined, same_length};

/// The tie-break number of an item: the first 8 bytes (little endian) of BLAKE3 keyed with `key` over the id.
#[must_use]
pub fn tie_key(key: &[u8; 32], id: &str) -> u64 {
    let hash = blake3::keyed_hash(key, id.as_bytes());
    hash.as_bytes().iter().take(8).rev().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

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

/// Whether positions k and k+1 of a list sorted by score carry the same score, so that chance decides who is in.
#[must_use]
pub fn tied_at_cut(sorted_scores: &[f64], k: usize) -> bool {
    k > 0 && sorted_scores.len() > k && sorted_scores[k - 1] == sorted_scores[k]
}

/// Share of users tied at the cut; above 0.01 the tie-averaged metrics are to be used.
///
/// # Errors
/// [`Undefined::NoObservations`] without lists.
pub fn share_tied<L: AsRef<[f64]>>(sorted_scores: &[L], k: usize) -> Measure {
    if sorted_scores.is_empty() {
        return Err(Undefined::NoObservations);
    }
    let tied = sorted_scores.iter().filter(|scores| tied_at_cut(scores.as_ref(), k)).count();
    Ok(tied as f64 / sorted_scores.len() as f64)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accuracy::{ndcg, reciprocal_rank};

    #[test]
    fn vector_r2_ties() {
        let tied = ndcg_tie_averaged(&[0.5, 0.5, 0.1], &[1.0, 0.0, 0.0], &[1.0], 3, Gain::Linear).unwrap();
        assert!((tied - 0.815_465).abs() < 1e-6, "{tied}");
        // ranx keeps the input order, trec_eval the document id descending: the same scores give 1.0 or 0.5.
        assert_eq!(reciprocal_rank(&[1.0, 0.0, 0.0], &[1.0], 3), Ok(1.0));
        assert_eq!(reciprocal_rank(&[0.0, 1.0, 0.0], &[1.0], 3), Ok(0.5));
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
    fn keyed_order_does_not_depend_on_the_place_in_the_catalogue() {
        let key = [7_u8; 32];
        let ids = ["a", "b", "c", "d", "e"];
        let scores = [0.5, 0.5, 0.9, 0.5, f64::NAN];
        let ranked = |ids: &[&str], scores: &[f64]| -> Vec<String> {
            let keys: Vec<u64> = ids.iter().map(|id| tie_key(&key, id)).collect();
            order(scores, &keys).unwrap().into_iter().map(|index| ids[index].to_string()).collect()
        };
        let forward = ranked(&ids, &scores);
        let backward = ranked(&["e", "d", "c", "b", "a"], &[f64::NAN, 0.5, 0.9, 0.5, 0.5]);
        assert_eq!(forward, backward);
        assert_eq!((forward[0].as_str(), forward[4].as_str()), ("c", "e"));
        assert!(tied_at_cut(&[0.9, 0.5, 0.5], 2) && !tied_at_cut(&[0.9, 0.5, 0.4], 2) && !tied_at_cut(&[0.9], 1));
    }
}
