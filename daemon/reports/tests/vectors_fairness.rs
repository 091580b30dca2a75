//! METRICS.md vectors TV-F1, TV-F2, TV-F3, TV-F4, TV-F6 (TV-F0 stands beside its code).

use mercer_reports::exposure::*;
use mercer_reports::gaps::{gap, holm, mean_pairwise, min_over_max};
use mercer_reports::mean;
use mercer_reports::parity::*;

fn close(left: f64, right: f64) {
    assert!((left - right).abs() < 1e-6, "{left} is not {right}");
}

fn bits(text: &str) -> Vec<bool> {
    text.chars().map(|c| c == '1').collect()
}

#[test]
fn vector_f1_rates() {
    let (y, selected) = (bits("110011001010"), bits("101011000011"));
    let groups = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2];
    let parity = demographic_parity(&selected, &groups).unwrap();
    assert_eq!(parity.rates, [Ok(0.5), Ok(0.5), Ok(0.5)]);
    close(parity.difference.unwrap(), 0.0);
    let opportunity = equal_opportunity(&y, &selected, &groups).unwrap();
    assert_eq!(opportunity.rates, [Ok(0.5), Ok(1.0), Ok(0.5)]);
    close(opportunity.difference.unwrap(), 0.5);
    close(opportunity.to_overall.unwrap(), 0.333_333);
    close(opportunity.ratio.unwrap(), 0.5);
    // A group without positives has no rate, and makes no phantom gap.
    let empty = equal_opportunity(&bits("1100"), &bits("1100"), &[0, 0, 1, 1]).unwrap();
    assert!(empty.rates[1].is_err() && empty.difference.is_err());
}

#[test]
fn vector_f2_item_exposure() {
    let (a, b, c, d, e, f) = (0, 1, 2, 3, 4, 5);
    let group_of = [0, 0, 1, 1, 1, 1];
    let (l1, l2) = ([a, b, c, d], [b, a, e, c]);
    let served = [Served { list: &l1, relevant: &[a, d] }, Served { list: &l2, relevant: &[b, e, f] }];
    let sums = group_exposure(&served, &group_of, 2, Attention::Logarithmic).unwrap();
    let (h, t) = (sums[0], sums[1]);
    close(h.exposure, 3.261_860);
    close(t.exposure, 1.861_353);
    close(parity_ratio(&t, &h).unwrap(), 0.285_321);
    close(treatment_ratio(&t, &h).unwrap(), 0.380_428);
    close(impact_ratio(&t, &h).unwrap(), 0.310_226);
    let shares = [h.exposure, t.exposure];
    close(total_variation(&shares, &[0.4, 0.6]).unwrap(), 0.236_682);
    close(total_variation(&shares, &[2.0, 4.0]).unwrap(), 0.303_349);
    close(amortised_inequity(&served, 6, Attention::Logarithmic).unwrap(), 1.606_698);
    let models = AttentionPair { configured: Attention::Logarithmic, other: Attention::Rbp { persistence: 0.85 } };
    let groups = GroupPair { group: 1, reference: 0 };
    let robust = robust_ratio(&served, &group_of, groups, models, parity_ratio).unwrap();
    close(robust.value.value.unwrap(), 0.285_321);
    assert!(!robust.depends_on_exposure_model);
}

#[test]
fn a_finding_that_hangs_on_the_exposure_model_says_so() {
    // Group 0 holds rank 1, group 1 holds ranks 2 and 3 with as many items per list position.
    let served = [Served { list: &[0, 2, 3], relevant: &[0] }];
    let group_of = [0, 0, 1, 1];
    let steep = Attention::Rbp { persistence: 0.3 };
    let models = AttentionPair { configured: Attention::Logarithmic, other: steep };
    let groups = GroupPair { group: 1, reference: 0 };
    let robust = robust_ratio(&served, &group_of, groups, models, parity_ratio).unwrap();
    assert!(robust.value.value.unwrap() > 1.0 && robust.other.value.unwrap() < 1.0, "{robust:?}");
    assert!(robust.depends_on_exposure_model);
}

#[test]
fn vector_f3_group_gap() {
    let groups: [&[f64]; 3] = [&[0.8, 0.6, 0.7], &[0.5, 0.4], &[0.9, 0.3, 0.6, 0.6]];
    let means: Vec<f64> = groups.iter().map(|values| mean(values).unwrap()).collect();
    for (value, wanted) in means.iter().zip([0.70, 0.45, 0.60]) {
        close(*value, wanted);
    }
    close(gap(&means).unwrap(), 0.25);
    close(min_over_max(&means).unwrap(), 0.642_857);
    close(mean_pairwise(&means).unwrap(), 0.166_667);
    for (beta, wanted) in [(-1.0, -0.015_510), (0.5, -0.016_080), (2.0, -0.016_975)] {
        close(generalised_cross_entropy(&means, &[1.0; 3], beta).unwrap(), wanted);
    }
    assert!(generalised_cross_entropy(&[1.0, 0.0], &[1.0, 1.0], 2.0).is_err());
    assert!(generalised_cross_entropy(&[1.0, 1.0], &[1.0, 0.0], -1.0).is_err());
}

#[test]
fn vector_f4_ratings() {
    let rated = |item, in_group, pairs: &[(f64, f64)]| -> Vec<RatedItem> {
        pairs.iter().map(|&(predicted, actual)| RatedItem { item, in_group, predicted, actual }).collect()
    };
    let mut ratings = rated(0, true, &[(4.0, 5.0), (3.0, 4.0)]);
    ratings.extend(rated(0, false, &[(4.5, 4.0), (5.0, 5.0)]));
    ratings.extend(rated(1, true, &[(2.0, 2.0), (3.0, 2.0)]));
    ratings.extend(rated(1, false, &[(3.0, 4.0)]));
    ratings.extend(rated(2, true, &[]));
    let found = unfairness(&ratings).unwrap();
    close(found.value, 1.375);
    close(found.absolute, 0.625);
    close(found.under, 1.0);
    close(found.over, 0.375);
    close(found.non_parity, 1.166_667);
    ratings.extend(rated(2, true, &[(1.0, 1.0)]));
    assert_eq!(unfairness(&ratings).unwrap().skipped, 1);
}

#[test]
fn vector_f6_ndkl() {
    close(ndkl(&[0, 0, 1, 1], &[0.5, 0.5]).unwrap(), 0.452_369);
    close(ndkl(&[0, 1, 0, 1], &[0.5, 0.5]).unwrap(), 0.281_645);
    assert!(ndkl(&[], &[0.5, 0.5]).is_err() && ndkl(&[1], &[1.0, 0.0]).is_err());
}

#[test]
fn holm_steps_down() {
    let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
    for (value, wanted) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
        close(*value, wanted);
    }
}
