//! Determinantal point processes: the queue finds what extending every row finds.

use proptest::prelude::*;

use super::*;
use crate::rerank::{Candidates, Method, UnitVectors, rerank};

/// Extends every candidate's row at every step: the same sums without a queue.
fn plain(scores: &[f64], vectors: &UnitVectors, k: usize) -> Reranked {
    let quality: Vec<f64> = scores.iter().map(|score| score.exp()).collect();
    let mut rows: Vec<Vec<f64>> = vec![Vec::new(); scores.len()];
    let mut left: Vec<f64> = quality.iter().map(|q| q * q).collect();
    let mut list = Reranked::default();
    while list.order.len() < k {
        let free = (0..scores.len()).filter(|place| !list.order.contains(place));
        let Some(best) = free.map(|place| Bid { value: left[place], place }).max() else { break };
        if best.value < EXHAUSTED {
            break;
        }
        let root = best.value.sqrt();
        for place in (0..scores.len()).filter(|&place| place != best.place && !list.order.contains(&place)) {
            let entry = quality[best.place] * vectors.cosine(best.place, place) * quality[place];
            let next = (entry - dot(&rows[best.place], &rows[place])) / root;
            rows[place].push(next);
            left[place] -= next * next;
        }
        list.order.push(best.place);
        list.gains.push(best.value);
    }
    list
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_queue_gives_what_plain_steps_give_to_the_bit(
        rows in prop::collection::vec(prop::collection::vec(-1.0_f32..1.0, 19), 1..60),
        spread in prop_oneof![Just(0.0), Just(1e-6), Just(1.0)],
        k in 1_usize..40,
    ) {
        let n = rows.len();
        let scores: Vec<f64> = (0..n).map(|place| spread * (1.0 - place as f64 / n as f64)).collect();
        let keys: Vec<u64> = (0..n as u64).collect();
        let vectors = UnitVectors::new(rows.iter().map(|row| Some(row.as_slice())));
        let candidates = Candidates { scores: &scores, keys: &keys, groups: &[], vectors: Some(&vectors) };
        let found = rerank(&candidates, Method::Dpp { sharpness: Some(1.0), window: None }, k).unwrap();
        let wanted = plain(&scores, &vectors, k);
        prop_assert!(found.by_rule == wanted.order.len(), "{} of {}", found.by_rule, wanted.order.len());
        prop_assert_eq!(&found.order[..found.by_rule], &wanted.order[..]);
        let bits = |gains: &[f64]| gains.iter().map(|gain| gain.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&found.gains[..found.by_rule]), bits(&wanted.gains));
    }
}
