//! Defects of reference libraries (METRICS.md section 9) that this crate does not share: those of fairness on the item side.

use mercer_reports::exposure::{Attention, Served, amortised_inequity, group_exposure, parity_ratio};
use mercer_reports::fair_prefix::PrefixTable;
use mercer_reports::parity::equal_opportunity;
use mercer_reports::rerank::{Candidates, Method, rerank};

#[test]
fn defect_1_the_last_prefix_counts() {
    // fairsearchcore leaves out position k and says .115.
    let table = PrefixTable::unadjusted(20, 0.25, 0.1).unwrap();
    assert!((table.fail_probability - 0.146_89).abs() < 5e-6);
    // A list that misses only the last demand fails.
    let mut list = [false; 20];
    list[8] = true;
    list[14] = true;
    assert!(!table.passes(&list));
    list[19] = true;
    assert!(table.passes(&list));
    // Adjusted tables never exceed alpha, whatever the parameters.
    for (k, share) in [(5, 0.1), (10, 0.3), (20, 0.25), (40, 0.6), (100, 0.5)] {
        let adjusted = PrefixTable::adjusted(k, share, 0.1).unwrap();
        assert!(adjusted.fail_probability <= 0.1 + 1e-9, "{k} {share}: {}", adjusted.fail_probability);
    }
}

#[test]
fn defect_2_a_candidate_is_listed_once() {
    // AIF360 took a place in a filtered list for a group and listed one item five times.
    let candidates =
        Candidates { scores: &[0.9, 0.8, 0.7, 0.6, 0.5], keys: &[0; 5], groups: &[1, 1, 0, 1, 0], vectors: None };
    let list = rerank(&candidates, Method::DetGreedy { shares: &[0.5, 0.5] }, 5).unwrap().order;
    let mut sorted = list.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [0, 1, 2, 3, 4], "{list:?}");
}

#[test]
fn defect_3_a_group_on_top_has_more_exposure() {
    // rank-fairness-metrics inverted the weight twice: a minority on top scored a negative log ratio.
    let served = [Served { list: &[0, 1, 2, 3, 4], relevant: &[] }];
    let sums = group_exposure(&served, &[0, 1, 1, 1, 1], 2, Attention::Logarithmic).unwrap();
    let log_ratio = parity_ratio(&sums[0], &sums[1]).unwrap().ln();
    assert!(log_ratio > 0.0, "{log_ratio}");
}

#[test]
fn defect_4_attention_is_amortised_over_all_lists() {
    // FairRankTune returned after the first list. Two lists that take turns are fair together, though neither is alone.
    let turns = [Served { list: &[0, 1], relevant: &[0, 1] }, Served { list: &[1, 0], relevant: &[0, 1] }];
    let whole = |served| amortised_inequity(served, 2, Attention::Logarithmic).unwrap();
    assert!(whole(&turns) < 1e-12);
    assert!(whole(&turns[..1]) > 0.2);
    assert!(whole(&[turns[0], turns[0]]) > 1.9 * whole(&turns[..1]));
}

#[test]
fn defect_5_a_group_without_positives_makes_no_gap() {
    // fairlearn gives such a group the rate 0 and reports a gap of .5.
    let flags = [true, true, false, false];
    let found = equal_opportunity(&flags, &[true, false, false, false], &[0, 0, 1, 1]).unwrap();
    assert!(found.rates[1].is_err() && found.difference.is_err() && found.difference_interval(0.95).is_err());
    let three = equal_opportunity(&[true, true, false, true], &[true, false, false, true], &[0, 0, 1, 2]).unwrap();
    assert_eq!(three.difference, Ok(0.5));
}
