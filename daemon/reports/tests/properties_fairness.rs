//! Properties of the item-side fairness metrics that hold for any lists.

use mercer_reports::Undefined;
use mercer_reports::attention::{Attention, ExposureModel, MeasuredAttention};
use mercer_reports::expected_exposure::TargetExposure;
use mercer_reports::exposure::*;
use mercer_reports::exposure_ratio::*;
use mercer_reports::fair_prefix::{PrefixTable, fail_probability};
use mercer_reports::group_statistic::mean_absolute_difference;
use mercer_reports::pairwise::{ScoredCandidates, pairwise};
use mercer_reports::ranking_parity::{RankedUser, ranking_parity};
use proptest::prelude::*;

const CATALOGUE: usize = 12;
const GROUPS: usize = 3;
const FEW: BootstrapOptions = BootstrapOptions { level: 0.95, replicates: 60, seed: 5 };

fn group_of() -> Vec<usize> {
    (0..CATALOGUE).map(|item| item % GROUPS).collect()
}

/// A list without repetition and relevant items.
fn user() -> impl Strategy<Value = (Vec<u32>, Vec<u32>)> {
    let order = Just((0..CATALOGUE as u32).collect::<Vec<u32>>()).prop_shuffle();
    (order, 0..8_usize, prop::collection::btree_set(0..CATALOGUE as u32, 0..5)).prop_map(|(mut order, k, relevant)| {
        order.truncate(k);
        (order, relevant.into_iter().collect())
    })
}

fn users() -> impl Strategy<Value = Vec<(Vec<u32>, Vec<u32>)>> {
    prop::collection::vec(user(), 0..12)
}

fn served(users: &[(Vec<u32>, Vec<u32>)]) -> Vec<Served<'_>> {
    users.iter().map(|(list, relevant)| Served { list, relevant }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn exposure_is_shared_out_and_ratios_are_inverse(users in users()) {
        let served = served(&users);
        let sums = group_exposure(&served, &group_of(), GROUPS, Attention::Logarithmic).unwrap();
        let whole: f64 = served.iter().flat_map(|one| (0..one.list.len()).map(|rank| Attention::Logarithmic.at(rank))).sum();
        prop_assert!((sums.iter().map(|sum| sum.exposure).sum::<f64>() - whole).abs() < 1e-9);
        prop_assert!(sums.iter().all(|sum| sum.gain <= sum.exposure + 1e-12));
        for of in [parity_ratio, treatment_ratio, impact_ratio] {
            if let (Ok(one), Ok(other)) = (of(&sums[0], &sums[1]), of(&sums[1], &sums[0])) {
                prop_assert!((one * other - 1.0).abs() < 1e-9);
            }
        }
        for target in [ExposureTarget::Catalogue, ExposureTarget::Relevance, ExposureTarget::Policy { shares: vec![0.2, 0.3, 0.5] }] {
            match awrf(&sums, &target) {
                Ok(distance) => prop_assert!((0.0..=1.0 + 1e-12).contains(&distance)),
                Err(reason) => prop_assert_eq!(reason, Undefined::ZeroDenominator),
            }
        }
        match amortised_inequity(&served, CATALOGUE, Attention::Logarithmic) {
            Ok(debt) => prop_assert!(debt <= 2.0 * users.len() as f64 + 1e-9),
            Err(reason) => prop_assert_eq!(reason, Undefined::NoObservations),
        }
    }

    #[test]
    fn the_order_of_users_changes_no_ratio(users in users()) {
        let comparisons = [Comparison { group: 0, reference: Reference::Others }, Comparison { group: 1, reference: Reference::Group(2) }];
        let ratios = |users: &[(Vec<u32>, Vec<u32>)]| {
            let table = ExposureTable::new(&served(users), &group_of(), GROUPS, &Attention::Logarithmic).unwrap();
            table.ratios(RatioKind::Treatment, &comparisons, FEW).unwrap()
        };
        let turned: Vec<_> = users.iter().rev().cloned().collect();
        for (one, other) in ratios(&users).iter().zip(&ratios(&turned)) {
            match (one.value.value, other.value.value) {
                (Some(a), Some(b)) => prop_assert!((a - b).abs() < 1e-9),
                _ => prop_assert_eq!(one.value.reason, other.value.reason),
            }
            if let (Some(interval), Some(value)) = (one.interval, one.value.value) {
                prop_assert!(interval.low <= interval.high && interval.low >= 0.0 && value.is_finite());
            }
        }
    }

    #[test]
    fn expected_exposure_adds_up((list, relevant) in user(), persistence in 0.1_f64..0.95) {
        let target = TargetExposure::new(CATALOGUE, &Attention::Rbp { persistence });
        match target.evaluate(&[list], &relevant) {
            Ok(found) => {
                prop_assert!((found.loss - (found.disparity - found.relevance + found.target)).abs() < 1e-12);
                prop_assert!(found.loss >= -1e-12 && found.disparity >= 0.0 && found.relevance >= 0.0);
            }
            Err(reason) => prop_assert_eq!((reason, relevant.is_empty()), (Undefined::EmptyTruth, true)),
        }
    }

    #[test]
    fn turning_all_scores_round_turns_pairwise_accuracy_round(
        rows in prop::collection::vec((0_u8..5, any::<bool>(), 0..GROUPS), 0..20)
    ) {
        let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
        let clicked: Vec<bool> = rows.iter().map(|row| row.1).collect();
        let groups: Vec<usize> = rows.iter().map(|row| row.2).collect();
        let run = |scores: &[f64]| pairwise(&[ScoredCandidates { scores, clicked: &clicked, groups: &groups }], GROUPS, FEW).unwrap();
        let turned: Vec<f64> = scores.iter().map(|score| -score).collect();
        for (one, other) in run(&scores).iter().zip(&run(&turned)) {
            for (a, b) in [(one.all, other.all), (one.intra, other.intra), (one.inter, other.inter)] {
                match (a.value, b.value) {
                    (Some(a), Some(b)) => prop_assert!((a + b - 1.0).abs() < 1e-12 && (0.0..=1.0).contains(&a)),
                    _ => prop_assert_eq!(a.reason, Some(Undefined::NoObservations)),
                }
            }
        }
    }

    #[test]
    fn rates_of_ranking_are_rates(users in users()) {
        let ranked: Vec<RankedUser<'_>> =
            users.iter().map(|(list, relevant)| RankedUser { list, relevant, excluded: &[] }).collect();
        let found = ranking_parity(&ranked, &group_of(), GROUPS, 0.95).unwrap();
        for uneven in [&found.statistical_parity, &found.equal_opportunity] {
            prop_assert!(uneven.rates.iter().filter_map(|rate| rate.value).all(|rate| (0.0..=1.0).contains(&rate)));
            prop_assert!(uneven.value.value.is_none_or(|value| (0.0..=(GROUPS as f64).sqrt()).contains(&value)));
            prop_assert_eq!(uneven.n_used, uneven.rates.iter().filter(|rate| rate.value.is_some()).count());
        }
    }

    #[test]
    fn adjusted_tables_keep_their_level(k in 1_usize..40, share in 0.05_f64..0.95, alpha in 0.01_f64..0.3) {
        let (plain, adjusted) = (PrefixTable::unadjusted(k, share, alpha).unwrap(), PrefixTable::adjusted(k, share, alpha).unwrap());
        prop_assert!(adjusted.fail_probability <= alpha + 1e-9);
        for table in [&plain, &adjusted] {
            prop_assert_eq!(fail_probability(&table.minimum, share), Ok(table.fail_probability));
            prop_assert!(table.minimum.windows(2).all(|pair| pair[0] <= pair[1]), "demands never fall: {:?}", table);
            prop_assert!(table.minimum.iter().enumerate().all(|(prefix, least)| *least <= prefix + 1));
            prop_assert!(table.passes(&vec![true; k]));
        }
    }

    #[test]
    fn measured_attention_never_rises(values in prop::collection::vec(0.0_f64..1.0, 1..20)) {
        if let Ok(measured) = MeasuredAttention::new(&values) {
            prop_assert_eq!(measured.at(0), 1.0);
            prop_assert!((0..30).all(|rank| measured.at(rank) >= measured.at(rank + 1) && measured.at(rank) >= 0.0));
        }
    }

    #[test]
    fn numbering_of_groups_changes_no_difference(values in prop::collection::vec((0.0_f64..1.0, 0..GROUPS), 1..30)) {
        let scores: Vec<_> = values.iter().map(|value| Ok(value.0)).collect();
        let groups: Vec<usize> = values.iter().map(|value| value.1).collect();
        let renumbered: Vec<usize> = groups.iter().map(|group| (group + 1) % GROUPS).collect();
        let of = |groups: &[usize]| mean_absolute_difference(&scores, groups, GROUPS, FEW).unwrap().value;
        match (of(&groups).value, of(&renumbered).value) {
            (Some(a), Some(b)) => prop_assert!((a - b).abs() < 1e-12 && a >= 0.0),
            (a, b) => prop_assert_eq!(a, b),
        }
    }
}
