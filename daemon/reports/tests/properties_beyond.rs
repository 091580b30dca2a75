//! Properties of diversity, popularity, calibration and score metrics for any input: bounds, order, nulls, empty, one element.

use mercer_reports::calibration_error::{Resampling, calibration_error};
use mercer_reports::classification::{Binning, GaucWeight, Labelled, gauc, log_loss};
use mercer_reports::continual::{backward_transfer, forgetting, prequential};
use mercer_reports::diversity::*;
use mercer_reports::drift::{Permutations, psi, psi_quantiles};
use mercer_reports::novelty::*;
use mercer_reports::popularity::{UserLists, item_bias, popularity_by_group, user_bias};
use mercer_reports::ratings::{mean_absolute_error, root_mean_squared_error};
use mercer_reports::scores::{pooled_score_entropy, score_entropy, score_evenness};
use mercer_reports::ties::{share_tied_at_boundary, tied_at_boundary};
use mercer_reports::{Measure, Undefined};
use proptest::prelude::*;

const ITEMS: u32 = 12;

fn lists() -> impl Strategy<Value = Vec<Vec<u32>>> {
    let list = Just((0..ITEMS).collect::<Vec<u32>>()).prop_shuffle();
    prop::collection::vec((list, 0_usize..6).prop_map(|(list, k)| list[..k].to_vec()), 0..12)
}

fn popularity() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec((0_u32..20).prop_map(f64::from), ITEMS as usize)
}

fn turned<T: Clone>(values: &[T]) -> Vec<T> {
    values.iter().rev().cloned().collect()
}

fn near(left: Measure, right: Measure) -> bool {
    match (left, right) {
        (Ok(left), Ok(right)) => (left - right).abs() <= 1e-9 * (1.0 + left.abs()),
        (left, right) => left == right,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn personalisation_is_bounded_and_blind_to_the_order_of_users_and_items(lists in lists()) {
        let value = personalisation(&lists, 5);
        let used = lists.iter().filter(|list| !list.is_empty()).count();
        prop_assert_eq!(value.is_err(), used < 2);
        if let Ok(value) = value {
            prop_assert!((-1e-12..=1.0 + 1e-12).contains(&value), "{}", value);
            let shared: Vec<Vec<u32>> = turned(&lists).iter().map(|list| turned(list)).collect();
            prop_assert!(near(personalisation(&shared, 5), Ok(value)));
            // One by one over pairs.
            let lists: Vec<&Vec<u32>> = lists.iter().filter(|list| !list.is_empty()).collect();
            let (mut sum, mut pairs) = (0.0, 0.0);
            for (place, one) in lists.iter().enumerate() {
                for other in &lists[place + 1..] {
                    let both = one.iter().filter(|item| other.contains(item)).count() as f64;
                    sum += 1.0 - both / ((one.len() * other.len()) as f64).sqrt();
                    pairs += 1.0;
                }
            }
            prop_assert!((value - sum / pairs).abs() < 1e-9);
        }
    }

    #[test]
    fn popularity_metrics_are_bounded_and_blind_to_order(lists in lists(), popularity in popularity()) {
        let most = popularity.iter().copied().fold(0.0, f64::max);
        if let Ok(mean) = average_popularity(&lists, &popularity) {
            prop_assert!((0.0..=most).contains(&mean));
        }
        for (value, again) in [
            (average_popularity(&lists, &popularity), average_popularity(&turned(&lists), &popularity)),
            (novelty(&lists, &popularity), novelty(&turned(&lists), &popularity)),
        ] {
            prop_assert!(near(value, again), "{:?} {:?}", value, again);
        }
        let total: f64 = popularity.iter().sum();
        if let Ok(bits) = novelty(&lists, &popularity) {
            prop_assert!((0.0..=(total + 1.0).log2() + 1e-12).contains(&bits));
        }
        // Lists that are the histories have no lift.
        match popularity_lift(&lists, &lists, &popularity) {
            Ok(lift) => prop_assert_eq!(lift, 0.0),
            Err(reason) => prop_assert!(matches!(reason, Undefined::NoHistory | Undefined::ZeroDenominator)),
        }
        for list in &lists {
            prop_assert_eq!(novelty_of_list(list, &popularity).is_ok(), !list.is_empty() && total > 0.0);
        }
    }

    #[test]
    fn groups_of_popularity_know_their_users_and_hold_their_intervals(lists in lists(), popularity in popularity()) {
        let group_of: Vec<usize> = (0..lists.len()).map(|user| user % 2).collect();
        let users = UserLists { lists: &lists, histories: &lists, group_of: &group_of };
        let found = popularity_by_group(users, &popularity, 3, 60, 1).unwrap();
        prop_assert_eq!(found.len(), 3);
        prop_assert_eq!(found.iter().map(|g| g.users).sum::<usize>(), lists.iter().filter(|l| !l.is_empty()).count());
        prop_assert!(found[2].lists.value.is_none() && found[2].lift.value.is_none());
        for group in &found {
            prop_assert_eq!(group.lists, group.histories.value.map_or(group.lists, |_| group.histories));
            if let Some(lift) = group.lift.value {
                prop_assert_eq!(lift, 0.0);
            }
        }
    }

    #[test]
    fn biases_are_distances_of_shares(lists in lists(), training in prop::collection::vec(0..ITEMS, 0..20)) {
        let value_of: Vec<usize> = (0..ITEMS as usize).map(|item| item % 4).collect();
        match item_bias(&training, &lists, &value_of, 4) {
            Ok(bias) => {
                prop_assert!((0.0..=1.0 + 1e-12).contains(&bias.total_variation));
                prop_assert!((bias.shares.iter().map(|s| s.training).sum::<f64>() - 1.0).abs() < 1e-9);
                prop_assert!((bias.shares.iter().map(|s| s.recommended).sum::<f64>() - 1.0).abs() < 1e-9);
                prop_assert_eq!(item_bias(&turned(&training), &turned(&lists), &value_of, 4), Ok(bias));
            }
            Err(reason) => {
                prop_assert_eq!(reason, Undefined::ZeroDenominator);
                prop_assert!(training.is_empty() || lists.iter().all(Vec::is_empty));
            }
        }
        let users: Vec<usize> = training.iter().map(|user| *user as usize % 3).collect();
        prop_assert_eq!(user_bias(&users, &users, 3).map(|bias| bias.total_variation).unwrap_or(0.0), 0.0);
    }

    #[test]
    fn serendipity_ild_and_calibration_are_bounded(
        vectors in prop::collection::vec(prop::array::uniform3(0.0_f32..1.0), ITEMS as usize),
        list in Just((0..ITEMS).collect::<Vec<u32>>()).prop_shuffle(),
        weights in prop::collection::vec(0_u32..5, 4),
    ) {
        prop_assume!(vectors.iter().all(|v| v.iter().any(|x| *x > 1e-3)));
        let (mine, history) = list.split_at(5);
        let relevance = [1.0, 0.0, 1.0, 0.0, 1.0];
        let value = serendipity(mine, &relevance, history, &vectors).unwrap();
        prop_assert!((-1e-9..=0.6 + 1e-9).contains(&value), "not above the share of relevant items: {}", value);
        prop_assert!(near(serendipity(mine, &relevance, &turned(history), &vectors), Ok(value)));
        prop_assert_eq!(serendipity(mine, &relevance, &[], &vectors), Err(Undefined::NoHistory));
        // The reference of ILD is the mean over the whole catalogue, in any order.
        let all: Vec<[f32; 3]> = list.iter().map(|item| vectors[*item as usize]).collect();
        prop_assert!((catalogue_ild(&all).unwrap() - ild(&vectors).unwrap()).abs() < 1e-6);

        let weights: Vec<f64> = weights.into_iter().map(f64::from).collect();
        let shown = [1.0, 0.0, 2.0, 0.0];
        match calibration_kl(&weights, &shown, 9, 0.01) {
            Ok(value) => {
                prop_assert!(value >= -1e-12 && value <= -(0.01_f64.ln()) + 1e-9, "{}", value);
                prop_assert!(near(calibration_kl(&turned(&weights), &turned(&shown), 9, 0.01), Ok(value)));
                prop_assert!(calibration_kl(&weights, &weights, 9, 0.01).unwrap().abs() < 1e-12);
            }
            Err(reason) => prop_assert_eq!(reason, Undefined::NoObservations),
        }
        prop_assert_eq!(calibration_kl(&weights, &shown, 4, 0.01), Err(Undefined::NoHistory));
    }

    #[test]
    fn score_entropy_is_bounded_and_blind_to_order_and_shift(scores in prop::collection::vec(-5.0_f64..5.0, 1..20), shift in -9.0_f64..9.0) {
        let value = score_entropy(&scores).unwrap();
        prop_assert!((0.0..=(scores.len() as f64).ln() + 1e-9).contains(&value));
        prop_assert_eq!(score_entropy(&turned(&scores)), Ok(value));
        let shifted: Vec<f64> = scores.iter().map(|score| score + shift).collect();
        prop_assert!(near(score_entropy(&shifted), Ok(value)));
        prop_assert_eq!(score_evenness(&scores).is_err(), scores.len() == 1);
        // The same list for two users: ln 2 more in the pool.
        let twice = pooled_score_entropy(&[scores.clone(), scores.clone()], 99).unwrap();
        prop_assert!((twice - value - 2.0_f64.ln()).abs() < 1e-9);
    }

    #[test]
    fn ties_at_the_boundary_do_not_depend_on_places(scores in prop::collection::vec((0_u8..4).prop_map(f64::from), 0..20), k in 1_usize..8) {
        let tied = tied_at_boundary(&scores, k).unwrap();
        prop_assert_eq!(tied_at_boundary(&turned(&scores), k), Ok(tied));
        prop_assert!(!tied || scores.len() > k);
        prop_assert_eq!(share_tied_at_boundary(&[scores.clone(), scores], k), Ok(f64::from(u8::from(tied))));
    }

    #[test]
    fn errors_of_probabilities_and_ratings_are_ordered(rows in prop::collection::vec((any::<bool>(), 0.0_f64..=1.0), 1..40)) {
        let (labels, p): (Vec<bool>, Vec<f64>) = rows.into_iter().unzip();
        let truth: Vec<f64> = labels.iter().map(|label| f64::from(u8::from(*label))).collect();
        let (mae, rmse) = (mean_absolute_error(&p, &truth).unwrap(), root_mean_squared_error(&p, &truth).unwrap());
        prop_assert!(0.0 <= mae && mae <= rmse + 1e-12 && rmse <= 1.0);
        prop_assert!((0.0..=16.2).contains(&log_loss(&labels, &p).unwrap()));
        // One user per row and all rows of one user: the same rows, so the same plug-in value.
        let single: Vec<Labelled<'_>> =
            (0..p.len()).map(|i| Labelled { labels: &labels[i..=i], scores: &p[i..=i] }).collect();
        let resampling = Resampling { level: 0.9, replicates: 40, seed: 3 };
        for binning in [Binning::EqualMass(15), Binning::EqualWidth(10)] {
            match calibration_error(&single, binning, resampling) {
                Ok(found) => {
                    let i = found.interval;
                    prop_assert!(0.0 <= i.low && i.low <= found.debiased && found.debiased <= i.high && i.high <= 1.0);
                    prop_assert!(found.debiased <= found.ece && found.ece <= found.mce + 1e-12);
                    prop_assert!(found.above_chance == (found.ece > found.chance_high));
                }
                Err(reason) => {
                    prop_assert_eq!(reason, Undefined::TooFew);
                    prop_assert_eq!(p.len(), 1);
                }
            }
        }
        prop_assert_eq!(gauc(&single, GaucWeight::Impressions), Err(Undefined::OneClass), "one row has one class");
    }

    #[test]
    fn psi_is_not_negative_and_nothing_moves_from_itself(values in prop::collection::vec(-9.0_f64..9.0, 2..40), other in prop::collection::vec(-9.0_f64..9.0, 2..40)) {
        let test = Permutations { level: 0.1, permutations: 20, seed: 2 };
        let (none, _) = psi_quantiles(&values, &turned(&values), 10, test).unwrap();
        prop_assert!(none.abs() < 1e-12, "{}", none);
        let (moved, threshold) = psi_quantiles(&values, &other, 10, test).unwrap();
        prop_assert!(moved >= 0.0 && threshold >= 0.0);
        prop_assert_eq!(psi_quantiles(&values, &turned(&other), 10, test).unwrap().0, moved);
        let (one, two) = ([3.0, 2.0, 5.0], [1.0, 6.0, 3.0]);
        prop_assert!((psi(&one, &two).unwrap() - psi(&two, &one).unwrap()).abs() < 1e-12, "PSI is symmetric");
    }

    #[test]
    fn forgetting_bounds_backward_transfer(cells in prop::collection::vec(0.0_f64..1.0, 16)) {
        let matrix: Vec<Vec<f64>> = cells.chunks(4).map(<[f64]>::to_vec).collect();
        let (lost, transfer) = (forgetting(&matrix).unwrap(), backward_transfer(&matrix).unwrap());
        prop_assert!(lost >= 0.0 && lost >= -transfer - 1e-12, "the best ever is at least what it was at first");
        prop_assert!((0.0..=1.0).contains(&prequential(&matrix).unwrap()));
    }
}

#[test]
fn empty_input_and_one_element_have_a_reason_or_a_value() {
    let none: [Vec<u32>; 0] = [];
    let test = Permutations { level: 0.1, permutations: 5, seed: 1 };
    let resampling = Resampling { level: 0.9, replicates: 5, seed: 1 };
    for undefined in [
        personalisation(&none, 5),
        catalogue_ild::<Vec<f32>>(&[]),
        average_popularity(&none, &[1.0]),
        novelty(&none, &[1.0]),
        novelty_of_list(&[], &[1.0]),
        popularity_lift(&none, &none, &[1.0]),
        serendipity::<[f32; 1]>(&[], &[], &[], &[]),
        calibration_kl(&[], &[], 9, 0.01),
        score_entropy(&[]),
        pooled_score_entropy::<Vec<f64>>(&[], 3),
        share_tied_at_boundary::<Vec<f64>>(&[], 3),
        mean_absolute_error(&[], &[]),
        root_mean_squared_error(&[], &[]),
        log_loss(&[], &[]),
        psi(&[], &[]),
        psi_quantiles(&[], &[1.0], 10, test).map(|found| found.0),
        calibration_error(&[], Binning::EqualMass(15), resampling).map(|found| found.ece),
        gauc(&[], GaucWeight::Positives).map(|found| found.value),
        top_share(&[]),
        forgetting(&[]),
        backward_transfer(&[vec![1.0]]),
        prequential(&[]),
        item_bias::<Vec<u32>>(&[], &[], &[], 0).map(|bias| bias.total_variation),
        user_bias(&[], &[], 0).map(|bias| bias.total_variation),
        personalisation(&[vec![1]], 5),
        catalogue_ild(&[[1.0_f32]]),
        score_evenness(&[1.0]),
    ] {
        assert!(undefined.is_err(), "{undefined:?}");
    }
    for (defined, wanted) in [
        (average_popularity(&[[0]], &[3.0]), 3.0),
        (novelty(&[[0]], &[3.0]), 0.0),
        (score_entropy(&[2.0]), 0.0),
        (mean_absolute_error(&[1.0], &[3.0]), 2.0),
        (root_mean_squared_error(&[1.0], &[3.0]), 2.0),
        (top_share(&[7.0]), 1.0),
        (gini(&[7.0]), 0.0),
        (entropy(&[7.0]), 0.0),
        (coverage(&[7.0]), 1.0),
        (psi(&[1.0], &[9.0]), 0.0),
    ] {
        assert_eq!(defined, Ok(wanted));
    }
}
