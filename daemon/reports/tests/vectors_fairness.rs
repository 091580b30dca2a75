//! METRICS.md vectors TV-F0 to TV-F6, each under its label.

use mercer_reports::Undefined;
use mercer_reports::attention::PERSISTENCE;
use mercer_reports::expected_exposure::TargetExposure;
use mercer_reports::exposure::*;
use mercer_reports::exposure_ratio::*;
use mercer_reports::fair_prefix::{PrefixTable, fail_probability, pass_rate};
use mercer_reports::gaps::{gap, holm, mean_pairwise, min_over_max};
use mercer_reports::group_statistic::{benefit_cross_entropy, mean_absolute_difference};
use mercer_reports::mean;
use mercer_reports::pairwise::{ScoredCandidates, pairwise};
use mercer_reports::parity::*;
use mercer_reports::proportions::{Rate, newcombe, wilson};
use mercer_reports::ranking_parity::{RankedUser, ranking_parity};

fn close(left: f64, right: f64) {
    assert!((left - right).abs() < 1e-6, "{left} is not {right}");
}

fn bits(text: &str) -> Vec<bool> {
    text.chars().map(|c| c == '1').collect()
}

#[test]
fn tv_f1_rates() {
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
    let interval = opportunity.difference_interval(0.95).unwrap();
    close(interval.difference, 0.5);
    assert!(interval.low < 0.0 && interval.high < 1.0, "two of two against one of two is no finding: {interval:?}");
    assert_eq!(opportunity.intervals(0.95)[1].unwrap().1, 1.0);
}

#[test]
fn tv_f0_rates() {
    let (low, high) = wilson(0, 20, 0.95).unwrap();
    close(low, 0.0);
    close(high, 0.161_125);
    let (low, high) = wilson(30, 100, 0.95).unwrap();
    close(low, 0.218_949);
    close(high, 0.395_849);
    let found = newcombe(Rate { hits: 30, trials: 100 }, Rate { hits: 6, trials: 50 }, 0.95).unwrap();
    close(found.difference, 0.18);
    close(found.low, 0.036_806);
    close(found.high, 0.295_154);
}

#[test]
fn tv_f2_item_exposure() {
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
    assert_eq!(awrf(&sums, &ExposureTarget::Relevance), total_variation(&shares, &[0.4, 0.6]));
    assert_eq!(awrf(&sums, &ExposureTarget::Catalogue), total_variation(&shares, &[2.0, 4.0]));
    close(awrf(&sums, &ExposureTarget::Policy { shares: vec![0.5, 0.5] }).unwrap(), 0.136_682);
    let off = ExposureTarget::Policy { shares: vec![0.5, 0.4] };
    assert_eq!(awrf(&sums, &off), Err(Undefined::BadParameter));
    close(shares[0] / (shares[0] + shares[1]), 0.636_682);
    close(shares[1] / (shares[0] + shares[1]), 0.363_318);
}

#[test]
fn tv_f2_expected_exposure() {
    let target = TargetExposure::new(6, &Attention::Rbp { persistence: 0.5 });
    let u1 = target.evaluate(&[[0_u32, 1, 2, 3]], &[0, 3]).unwrap();
    let u2 = target.evaluate(&[[1_u32, 0, 4, 2]], &[1, 4, 5]).unwrap();
    for (user, wanted) in [(u1, 0.644_775), (u2, 0.815_430)] {
        close(user.loss, wanted);
        close(user.loss, user.disparity - user.relevance + user.target);
    }
    // A policy that shows the relevant items first in every order is ideal.
    let orders: Vec<Vec<u32>> = [[0, 3], [3, 0]]
        .iter()
        .flat_map(|head| (0..4).map(move |turn| (head, turn)))
        .map(|(head, turn)| {
            let mut rest = vec![1_u32, 2, 4, 5];
            rest.rotate_left(turn);
            head.iter().copied().chain(rest).collect()
        })
        .collect();
    close(target.evaluate(&orders, &[0, 3]).unwrap().loss, 0.0);
    assert_eq!(target.evaluate(&[[0_u32, 0]], &[0]), Err(Undefined::BadParameter));
    assert_eq!(target.evaluate(&[[0_u32, 1]], &[]), Err(Undefined::EmptyTruth));
    assert_eq!(target.evaluate::<[u32; 1]>(&[], &[0]), Err(Undefined::NoObservations));
}

#[test]
fn tv_f2_pairwise() {
    let groups = [0, 0, 1, 1, 1, 1];
    // u1 ranks a > b > c > d > e > f, u2 ranks b > a > e > c > d > f.
    let (s1, s2) = ([6.0, 5.0, 4.0, 3.0, 2.0, 1.0], [5.0, 6.0, 3.0, 2.0, 4.0, 1.0]);
    let (c1, c2) = ([true, false, false, true, false, false], [false, true, false, false, true, true]);
    let user = |scores, clicked| ScoredCandidates { scores, clicked, groups: &groups };
    let found = pairwise(&[user(&s1, &c1), user(&s2, &c2)], 2, BootstrapOptions::default()).unwrap();
    let (h, t) = (&found[0], &found[1]);
    close(h.all.value.unwrap(), 1.0);
    close(t.all.value.unwrap(), 0.4);
    close(h.inter.value.unwrap(), 1.0);
    close(t.inter.value.unwrap(), 0.0);
    close(t.intra.value.unwrap(), 4.0 / 7.0);
    assert_eq!(t.pairs.all().pairs, 10.0);
    // One group's clicks against nothing are undefined, not 0; equal scores count half.
    let none = pairwise(&[user(&[1.0; 6], &[false; 6])], 2, BootstrapOptions::default()).unwrap();
    assert_eq!((none[0].all.value, none[0].all.reason), (None, Some(Undefined::NoObservations)));
    let tied = pairwise(&[user(&[1.0; 6], &c1)], 2, BootstrapOptions::default()).unwrap();
    assert_eq!(tied[0].all.value, Some(0.5));
}

#[test]
fn rsp_and_reo_compare_rates_of_groups() {
    let group_of = [0, 0, 1, 1];
    let user = |list, relevant, excluded| RankedUser { list, relevant, excluded };
    let users = [user(&[0, 2], &[0, 1, 3], &[]), user(&[1, 0], &[2], &[3])];
    let found = ranking_parity(&users, &group_of, 2, 0.95).unwrap();
    // Group 0: 3 of 4 places; group 1: 1 of 3, because one of its items had been bought.
    let rates: Vec<f64> = found.statistical_parity.rates.iter().map(|rate| rate.value.unwrap()).collect();
    close(rates[0], 0.75);
    close(rates[1], 1.0 / 3.0);
    close(found.statistical_parity.value.value.unwrap(), (0.75 - 1.0 / 3.0) / 2.0 / f64::midpoint(0.75, 1.0 / 3.0));
    // Relevant: group 0 has 1 of 2, group 1 has 0 of 2.
    close(found.equal_opportunity.value.value.unwrap(), 1.0);
    assert!(ranking_parity(&[user(&[3], &[], &[3])], &group_of, 2, 0.95).is_err(), "an excluded item cannot be listed");
    let one_sided = ranking_parity(&[user(&[0], &[0], &[])], &group_of, 2, 0.95).unwrap();
    assert_eq!(one_sided.equal_opportunity.value.reason, Some(Undefined::NoGroups));
}

fn two_groups(model: Attention, served: &[Served<'_>]) -> Vec<RobustRatio> {
    let lists = GroupedLists { served, group_of: &[0, 0, 1, 1], groups: 2 };
    let models = ModelPair { configured: &Attention::Logarithmic, other: &model };
    let comparisons = [Comparison { group: 1, reference: Reference::Others }];
    robust_ratios(lists, RatioKind::Parity, &comparisons, models, BootstrapOptions::default()).unwrap()
}

#[test]
fn a_finding_that_hangs_on_the_exposure_model_says_so() {
    // Group 0 holds rank 1, group 1 holds ranks 2 and 3 with as many items.
    let served = [Served { list: &[0, 2, 3], relevant: &[0] }];
    let robust = two_groups(Attention::Rbp { persistence: 0.3 }, &served)[0];
    assert!(robust.value.value.value.unwrap() > 1.0 && robust.other.value.value.unwrap() < 1.0, "{robust:?}");
    assert!(robust.depends_on_exposure_model);
    let alike = two_groups(Attention::Rbp { persistence: PERSISTENCE }, &served)[0];
    assert!(!alike.depends_on_exposure_model, "{alike:?}");
}

#[test]
fn a_replicate_that_misses_a_group_is_null() {
    // One list of eight shows group 0: about a third of the replicates miss it, and their ratio is undefined.
    let shown: Vec<Vec<u32>> = (0..8).map(|list| if list == 0 { vec![0, 2] } else { vec![2, 3] }).collect();
    let served: Vec<Served<'_>> = shown.iter().map(|list| Served { list, relevant: &[] }).collect();
    let found = two_groups(Attention::Uniform, &served)[0].value;
    let interval = found.interval.unwrap();
    assert!((1_000..1_600).contains(&interval.replicates), "{interval:?}");
    assert!(interval.low <= found.value.value.unwrap() && found.value.value.unwrap() <= interval.high);
}

#[test]
fn tv_f5_fair_prefix_tables() {
    let table = PrefixTable::unadjusted(20, 0.25, 0.1).unwrap();
    let wanted = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3];
    assert_eq!(table.minimum, wanted);
    assert!((table.fail_probability - 0.146_89).abs() < 5e-6, "{}", table.fail_probability);
    let table = PrefixTable::unadjusted(10, 0.5, 0.1).unwrap();
    assert_eq!(table.minimum, [0, 0, 0, 1, 1, 1, 2, 2, 3, 3]);
    assert!((table.fail_probability - 0.128_91).abs() < 5e-6, "{}", table.fail_probability);
    let adjusted = PrefixTable::adjusted(10, 0.5, 0.1).unwrap();
    assert_eq!(adjusted.minimum, [0, 0, 0, 0, 1, 1, 2, 2, 2, 3]);
    close(adjusted.prefix_alpha, 0.0625);
    assert!((adjusted.fail_probability - 0.089_84).abs() < 5e-6, "{}", adjusted.fail_probability);
    // The largest level: the next one fails too often.
    assert!(PrefixTable::unadjusted(10, 0.5, 0.0626).unwrap().fail_probability > 0.1);
}

#[test]
fn fair_prefix_edges_and_pass_rate() {
    assert_eq!(PrefixTable::adjusted(0, 0.5, 0.1), Err(Undefined::ListTooShort));
    assert_eq!(PrefixTable::adjusted(5, 1.0, 0.1), Err(Undefined::BadParameter));
    assert_eq!(PrefixTable::unadjusted(5, 0.5, 0.0), Err(Undefined::BadParameter));
    assert_eq!(fail_probability(&[0, 0, 0], 0.3), Ok(0.0));
    close(fail_probability(&[1], 0.3).unwrap(), 0.7);
    close(fail_probability(&[2], 0.3).unwrap(), 1.0);
    let table = PrefixTable::adjusted(10, 0.5, 0.1).unwrap();
    let lists = [bits("0000111100"), bits("0000011111"), bits(""), bits("0001")];
    let rate = pass_rate(&lists, &table, 0.95);
    assert_eq!((rate.n_used, rate.n_total), (3, 4));
    close(rate.value.value.unwrap(), 2.0 / 3.0);
    assert_eq!(pass_rate::<Vec<bool>>(&[], &table, 0.95).value.reason, Some(Undefined::NoObservations));
}

#[test]
fn tv_f3_group_gap() {
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
    let (values, of): (Vec<_>, Vec<_>) = groups
        .iter()
        .enumerate()
        .flat_map(|(group, values)| values.iter().map(move |value| (Ok(*value), group)))
        .unzip();
    let options = BootstrapOptions::default();
    let difference = mean_absolute_difference(&values, &of, 3, options).unwrap();
    close(difference.value.value.unwrap(), 0.166_667);
    let interval = difference.interval.unwrap();
    assert!(interval.low >= 0.0 && interval.high <= 0.6 && interval.replicates < options.replicates, "{interval:?}");
    close(benefit_cross_entropy(&values, &of, &[1.0; 3], 2.0, options).unwrap().value.value.unwrap(), -0.016_975);
    assert_eq!(
        mean_absolute_difference(&values, &of, 4, options).unwrap().value.reason,
        Some(Undefined::NoObservations)
    );
    assert_eq!(mean_absolute_difference(&values, &of, 2, options), Err(Undefined::BadParameter));
    assert!(generalised_cross_entropy(&[1.0, 0.0], &[1.0, 1.0], 2.0).is_err());
    assert!(generalised_cross_entropy(&[1.0, 1.0], &[1.0, 0.0], -1.0).is_err());
}

#[test]
fn tv_f4_ratings() {
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
fn tv_f6_ndkl() {
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
