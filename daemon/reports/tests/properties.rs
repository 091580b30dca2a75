//! Properties that hold for any input: bounds, permutation invariance, null handling, tie stability.

use mercer_reports::classification::{Binning, auc, brier, calibration};
use mercer_reports::diversity::*;
use mercer_reports::exposure::{Attention, total_variation};
use mercer_reports::gaps::{gap, holm};
use mercer_reports::proportions::wilson;
use mercer_reports::ties::{ndcg_tie_averaged, order};
use mercer_reports::{Gain, Metric, Undefined, mean_of};
use proptest::prelude::*;

fn gains() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(prop_oneof![Just(0.0), Just(0.0), 0.1..3.0], 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn accuracy_lies_in_the_unit_interval(ranked in gains(), extra in gains(), k in 1_usize..40) {
        let judged: Vec<f64> = ranked.iter().chain(&extra).copied().collect();
        for metric in Metric::ALL {
            match metric.evaluate(&ranked, &judged, k) {
                Ok(value) => prop_assert!((0.0..=1.0 + 1e-12).contains(&value), "{:?} {}", metric, value),
                Err(reason) => prop_assert_eq!(reason, Undefined::EmptyTruth),
            }
        }
    }

    #[test]
    fn the_ideal_order_has_ndcg_one_and_swapping_upward_never_hurts(mut ranked in gains(), k in 1_usize..40) {
        prop_assume!(ranked.iter().any(|gain| *gain > 0.0));
        let judged = ranked.clone();
        let before = Metric::Ndcg.evaluate(&ranked, &judged, k).unwrap();
        for place in 1..ranked.len() {
            if ranked[place] > ranked[place - 1] {
                ranked.swap(place, place - 1);
                break;
            }
        }
        prop_assert!(Metric::Ndcg.evaluate(&ranked, &judged, k).unwrap() >= before - 1e-12);
        ranked.sort_by(|a, b| b.total_cmp(a));
        prop_assert!((Metric::Ndcg.evaluate(&ranked, &judged, k).unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_stands_below_the_cut_changes_nothing(ranked in gains(), tail in gains(), k in 1_usize..10) {
        let judged: Vec<f64> = ranked.iter().chain(&tail).copied().chain([1.0]).collect();
        let head: Vec<f64> = ranked.iter().copied().take(k).collect();
        for metric in Metric::ALL {
            prop_assert_eq!(metric.evaluate(&ranked, &judged, k), metric.evaluate(&head, &judged, k));
        }
    }

    #[test]
    fn tie_order_depends_on_ids_not_on_places(scores in prop::collection::vec(0_u8..4, 1..40), turn in 0_usize..40, key in any::<u64>()) {
        let ids: Vec<String> = (0..scores.len()).map(|i| format!("item-{i}")).collect();
        let ranked = |places: &[usize]| -> Vec<String> {
            let values: Vec<f64> = places.iter().map(|&i| f64::from(scores[i])).collect();
            let keys: Vec<u64> = places.iter().map(|&i| (key | 1).wrapping_mul(2 * i as u64 + 1)).collect();
            order(&values, &keys).unwrap().into_iter().map(|at| ids[places[at]].clone()).collect()
        };
        let places: Vec<usize> = (0..scores.len()).collect();
        let mut turned = places.clone();
        turned.rotate_left(turn % places.len());
        turned.reverse();
        prop_assert_eq!(ranked(&places), ranked(&turned));
    }

    #[test]
    fn averaging_over_ties_equals_plain_ndcg_without_ties(ranked in gains(), k in 1_usize..40) {
        prop_assume!(ranked.iter().any(|gain| *gain > 0.0));
        let scores: Vec<f64> = (0..ranked.len()).map(|i| -(i as f64)).collect();
        let averaged = ndcg_tie_averaged(&scores, &ranked, &ranked, k, Gain::Exponential).unwrap();
        let plain = Metric::NdcgExponential.evaluate(&ranked, &ranked, k).unwrap();
        prop_assert!((averaged - plain).abs() < 1e-12);
    }

    #[test]
    fn concentration_is_bounded_and_blind_to_numbering(mut counts in prop::collection::vec(0_u32..50, 2..60), turn in 0_usize..60) {
        let as_f64 = |counts: &[u32]| counts.iter().map(|c| f64::from(*c)).collect::<Vec<f64>>();
        let values = as_f64(&counts);
        let n = counts.len();
        counts.rotate_left(turn % n);
        let turned = as_f64(&counts);
        match gini(&values) {
            Err(reason) => prop_assert_eq!(reason, Undefined::NoObservations),
            Ok(value) => {
                prop_assert!((-1e-12..1.0).contains(&value));
                prop_assert_eq!(gini(&turned), Ok(value));
                let effective = effective_items(&values).unwrap();
                prop_assert!(effective >= 1.0 - 1e-9 && effective <= aggregate_diversity(&values) as f64 + 1e-9);
                prop_assert_eq!(effective_items(&turned), Ok(effective));
                let (index, _) = hhi(&values).unwrap();
                prop_assert!(index >= 1.0 / n as f64 - 1e-12 && index <= 1.0 + 1e-12);
                let tail = tail_membership(&values, 0.8).unwrap();
                let head: f64 = values.iter().zip(&tail).map(|(c, t)| c * (1.0 - t)).sum();
                prop_assert!(head >= 0.8 * values.iter().sum::<f64>() - 1e-6, "the head covers its share");
                prop_assert!(values.iter().zip(&tail).all(|(c, t)| *c > 0.0 || *t == 1.0), "untouched items are tail");
                let mut turned_tail = tail_membership(&turned, 0.8).unwrap();
                turned_tail.rotate_right(turn % n);
                prop_assert_eq!(turned_tail, tail);
            }
        }
    }

    #[test]
    fn ild_lies_between_zero_and_two_in_any_order(vectors in prop::collection::vec(prop::array::uniform4(-1.0_f32..1.0), 2..12)) {
        prop_assume!(vectors.iter().all(|v| v.iter().any(|x| x.abs() > 1e-3)));
        let value = ild(&vectors).unwrap();
        prop_assert!((-1e-9..=2.0 + 1e-9).contains(&value));
        let turned: Vec<_> = vectors.iter().rev().copied().collect();
        prop_assert!((ild(&turned).unwrap() - value).abs() < 1e-9);
    }

    #[test]
    fn probabilities_have_bounded_errors(pairs in prop::collection::vec((any::<bool>(), 0.0_f64..=1.0), 2..60)) {
        let (labels, p): (Vec<bool>, Vec<f64>) = pairs.into_iter().unzip();
        prop_assert!((0.0..=1.0).contains(&brier(&labels, &p).unwrap()));
        for binning in [Binning::EqualWidth(10), Binning::EqualMass(15)] {
            let c = calibration(&labels, &p, binning).unwrap();
            prop_assert!(c.ece <= c.mce + 1e-12 && c.mce <= 1.0);
        }
        if let Ok(area) = auc(&labels, &p) {
            let turned: Vec<f64> = p.iter().map(|p| -p).collect();
            prop_assert!((auc(&labels, &turned).unwrap() + area - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn means_skip_nulls_and_gaps_are_not_negative(values in prop::collection::vec(prop::option::of(0.0_f64..1.0), 0..40)) {
        let measures: Vec<_> = values.iter().map(|v| v.ok_or(Undefined::EmptyTruth)).collect();
        let mean = mean_of(&measures);
        let defined: Vec<f64> = values.iter().flatten().copied().collect();
        prop_assert_eq!((mean.n_used, mean.n_total), (defined.len(), values.len()));
        prop_assert_eq!(mean.mean.value.is_none(), defined.is_empty());
        prop_assert_eq!(gap(&defined).is_ok(), defined.len() > 1);
        if let Ok(gap) = gap(&defined) { prop_assert!(gap >= 0.0); }
        let adjusted = holm(&defined);
        prop_assert!(adjusted.iter().zip(&defined).all(|(a, p)| a >= p && *a <= 1.0));
    }

    #[test]
    fn wilson_contains_the_rate(n in 1_u64..500, part in 0.0_f64..=1.0) {
        let hits = (part * n as f64) as u64;
        let (low, high) = wilson(hits, n, 0.95).unwrap();
        let rate = hits as f64 / n as f64;
        prop_assert!(low <= rate + 1e-12 && rate <= high + 1e-12 && low >= 0.0 && high <= 1.0);
    }

    #[test]
    fn attention_falls_and_variation_is_bounded(left in prop::collection::vec(0.01_f64..1.0, 5), right in prop::collection::vec(0.01_f64..1.0, 5)) {
        for model in [Attention::Logarithmic, Attention::Rbp { persistence: 0.85 }] {
            prop_assert!((0..50).all(|rank| model.at(rank) >= model.at(rank + 1) && model.at(rank) <= 1.0));
        }
        let distance = total_variation(&left, &right).unwrap();
        prop_assert!((0.0..=1.0).contains(&distance));
    }
}
