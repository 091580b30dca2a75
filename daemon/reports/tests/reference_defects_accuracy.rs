//! Defects 6 to 9 of the reference libraries (METRICS.md section 9), each with a case on which Mercer does not share it.

use mercer_reports::Undefined;
use mercer_reports::classification::{GaucWeight, Labelled, auc, gauc};
use mercer_reports::distributions::normal_quantile;
use mercer_reports::diversity::{aggregate_diversity, entropy, gini};
use mercer_reports::drift::{Permutations, QUANTILE_BINS, psi, psi_quantiles};
use mercer_reports::parity::{RatedItem, unfairness};

/// elliot `gauc.py` is off by one: the worst order of ten items has .1 instead of 0. Its `gini_index.py` returns 1 − G.
#[test]
fn defect_6_the_worst_order_has_auc_zero_and_gini_is_not_turned_round() {
    for positive in 0..10_usize {
        // One positive on every place; scores fall with the place.
        let labels: Vec<bool> = (0..10).map(|place| place == positive).collect();
        let scores: Vec<f64> = (0..10).map(|place| -f64::from(place)).collect();
        let expected = (9 - positive) as f64 / 9.0;
        assert!((auc(&labels, &scores).unwrap() - expected).abs() < 1e-12, "place {positive}");
        let user = Labelled { labels: &labels, scores: &scores };
        let found = gauc(&[user, user], GaucWeight::Impressions).unwrap();
        assert!((found.value - expected).abs() < 1e-12, "place {positive}: {}", found.value);
    }
    // Equal exposure is 0 and all on one item is near 1: lower is more equal.
    assert_eq!(gini(&[3.0; 5]), Ok(0.0));
    assert_eq!(gini(&[0.0, 0.0, 0.0, 0.0, 15.0]), Ok(0.8));
}

/// cornac's AUC counts ties as losses, so a constant scorer has 0. RecBole divides the entropy by the number of distinct items.
#[test]
fn defect_7_a_constant_scorer_has_auc_one_half_and_entropy_is_not_divided() {
    for positives in 1..10_usize {
        let labels: Vec<bool> = (0..10).map(|place| place < positives).collect();
        assert_eq!(auc(&labels, &[0.3; 10]), Ok(0.5), "{positives} positives");
    }
    // Equal exposure of n items has entropy ln n; the wrong division would make it smaller the more items there are.
    for n in [2, 10, 100] {
        let counts = vec![1.0; n];
        assert!((entropy(&counts).unwrap() - (n as f64).ln()).abs() < 1e-12);
        assert!(entropy(&counts).unwrap() > entropy(&counts).unwrap() / aggregate_diversity(&counts) as f64);
    }
}

/// RecBole-FairRec zips negatives with the attributes of positives, so extra negatives are dropped without a word.
#[test]
fn defect_8_no_rating_is_dropped_where_the_sides_differ_in_number() {
    let rated = |in_group, predicted| RatedItem { item: 0, in_group, predicted, actual: 3.0 };
    let mut ratings = vec![rated(true, 3.0), rated(false, 3.0)];
    let before = unfairness(&ratings).unwrap();
    assert_eq!((before.value, before.non_parity), (0.0, 0.0));
    // Nine more on one side only: a zip of both sides would never see them.
    ratings.extend(std::iter::repeat_n(rated(false, 5.0), 9));
    let after = unfairness(&ratings).unwrap();
    assert!((after.value - 1.8).abs() < 1e-12 && (after.non_parity - 1.8).abs() < 1e-12, "{after:?}");
    // Slices that belong together are refused when their lengths differ, instead of being cut to the shorter.
    assert_eq!(auc(&[true, false, false], &[0.9, 0.1]), Err(Undefined::LengthMismatch));
}

/// Evidently's PSI is documented as by quantiles of the reference, and takes Sturges bins of the pooled data.
#[test]
fn defect_9_psi_bins_are_the_quantiles_of_the_reference() {
    let test = Permutations { level: 0.01, permutations: 50, seed: 1 };
    // A skewed reference: bins of equal width would put nearly all of it into the first.
    let reference: Vec<f64> =
        (0..1_000).map(|i| (2.0 * normal_quantile((f64::from(i) + 0.5) / 1_000.0)).exp()).collect();
    let current: Vec<f64> = reference.iter().map(|value| value * 2.0).collect();
    let (found, threshold) = psi_quantiles(&reference, &current, QUANTILE_BINS, test).unwrap();
    // By hand: ten equal shares of the reference, and where the doubled values fall among its deciles.
    let mut edges = reference.clone();
    edges.sort_by(f64::total_cmp);
    let mut shares = [0.0; 10];
    for value in &current {
        let bin = (1..10).filter(|bin| *value >= f64::midpoint(edges[bin * 100 - 1], edges[bin * 100])).count();
        shares[bin] += 1.0;
    }
    assert!((found - psi(&[100.0; 10], &shares).unwrap()).abs() < 0.01, "{found}");
    assert!(found > threshold, "{found} {threshold}");
    // An outlier in the current data moves the bins of a pooled histogram, not those of the reference.
    let mut far = current;
    far[0] = 1e12;
    let (with_outlier, _) = psi_quantiles(&reference, &far, QUANTILE_BINS, test).unwrap();
    assert!((with_outlier - found).abs() < 0.01, "{with_outlier} {found}");
}
