//! METRICS.md vectors TV-D1, TV-D2, TV-D3.

use mercer_reports::diversity::*;
use mercer_reports::novelty::*;
use mercer_reports::value::{Undefined, mean};

fn close(left: f64, right: f64) {
    assert!((left - right).abs() < 1e-6, "{left} is not {right}");
}

#[test]
fn tv_d1_catalogue() {
    let lists = [[0, 1, 2], [0, 1, 3], [0, 2, 4], [0, 1, 2]];
    let popularity = [10.0, 6.0, 4.0, 2.0, 1.0, 1.0];
    let counts = counts(&lists, 3, 6).unwrap();
    assert_eq!(counts, [4.0, 3.0, 3.0, 1.0, 1.0, 0.0]);
    close(coverage(&counts).unwrap(), 0.833_333);
    assert_eq!(aggregate_diversity(&counts), 5);
    close(gini(&counts).unwrap(), 0.388_889);
    // The same value in other conventions: with the n − 1 form, as 1 − G (elliot), and wrongly over shown items only.
    let unbiased = gini(&counts).unwrap() * 6.0 / 5.0;
    close(unbiased, 0.466_667);
    close(1.0 - unbiased, 0.533_333);
    close(gini(&counts[..5]).unwrap(), 0.266_667);
    close(entropy(&counts).unwrap(), 1.473_502);
    // RecBole divides by the number of distinct items.
    close(entropy(&counts).unwrap() / aggregate_diversity(&counts) as f64, 0.294_700);
    close(entropy(&counts).unwrap() / 2.0_f64.ln(), 2.125_815);
    close(effective_items(&counts).unwrap(), 4.364_494);
    let (index, normalised) = hhi(&counts).unwrap();
    close(index, 0.25);
    close(normalised.unwrap(), 0.1);
    close(top_share(&counts).unwrap(), 4.0 / 12.0);
    close(average_popularity(&lists, &popularity).unwrap(), 6.083_333);
    // The vector's tail is the bottom 40 % of items; the short head of 80 % is {1, 2, 3}.
    close(tail_share(&counts, &[0.0, 0.0, 0.0, 0.0, 1.0, 1.0]).unwrap(), 0.083_333);
    let tail = tail_membership(&popularity, 0.8).unwrap();
    assert_eq!(tail, [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
    close(tail_share(&counts, &tail).unwrap(), 2.0 / 12.0);
}

/// Users 1-4 with their training items, and the recommended items with relevance; item n of the vector is index n − 1.
const TRAIN: [&[u32]; 4] = [&[0, 1], &[0, 2], &[0, 1, 3], &[0, 4]];
const RECS: [&[u32]; 4] = [&[2, 3], &[1, 3], &[2, 4], &[1, 2]];
const RELEVANT: [[f64; 2]; 4] = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]];
const FEATURES: [[f32; 3]; 5] = [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]];

#[test]
fn tv_d2_beyond_accuracy() {
    let users_of: Vec<Vec<u32>> =
        (0..5).map(|item| (0..4).filter(|user| TRAIN[*user as usize].contains(&item)).collect()).collect();
    let popularity: Vec<f64> = users_of.iter().map(|users| users.len() as f64).collect();
    let counts = counts(&RECS, 2, 5).unwrap();
    close(coverage(&counts).unwrap(), 0.8);
    close(entropy(&counts).unwrap() / 2.0_f64.ln(), 1.905_639);
    close(novelty(&RECS, &popularity).unwrap(), 2.919_925);

    let similar = |left: u32, right: u32| cooccurrence_cosine(&users_of, left, right);
    let ilds: Vec<f64> = RECS.iter().map(|list| ild_by(list, similar).unwrap()).collect();
    for (value, wanted) in ilds.iter().zip([1.0, 0.292_893, 1.0, 1.0]) {
        close(*value, wanted);
    }
    close(mean(&ilds).unwrap(), 0.823_223);
    let by_cooccurrence: Vec<f64> =
        (0..4).map(|u| serendipity_by(RECS[u], &RELEVANT[u], TRAIN[u], similar).unwrap()).collect();
    close(mean(&by_cooccurrence).unwrap(), 0.359_528);

    let by_features: Vec<f64> =
        (0..4).map(|u| serendipity(RECS[u], &RELEVANT[u], TRAIN[u], &FEATURES).unwrap()).collect();
    // The reference rounds in single precision: by hand the value is 0.2937605, within 2e-6 of the vector's 0.293762.
    close(mean(&by_features).unwrap(), 0.293_760_5);
    assert!((mean(&by_features).unwrap() - 0.293_762).abs() < 2e-6);
    let by_features: Vec<f64> = RECS
        .iter()
        .map(|list| ild(&list.iter().map(|item| FEATURES[*item as usize]).collect::<Vec<_>>()).unwrap())
        .collect();
    close(mean(&by_features).unwrap(), 0.521_447);
}

#[test]
fn tv_d3_calibration() {
    let c = |drama: f64, action: f64| calibration_kl(&[0.7, 0.3], &[drama, action], 5, 0.01).unwrap();
    close(c(1.0, 0.0), 1.133_982);
    close(c(0.7, 0.3), 0.0);
    close(c(0.5, 0.5), 0.080_691);
    close(c(0.0, 1.0), 2.864_535);
    assert_eq!(calibration_kl(&[0.7, 0.3], &[1.0, 0.0], 4, 0.01), Err(Undefined::NoHistory));
}

#[test]
fn nothing_is_undefined_not_zero() {
    assert_eq!(gini(&[0.0, 0.0]), Err(Undefined::NoObservations));
    assert_eq!(coverage(&[]), Err(Undefined::ZeroDenominator));
    assert_eq!(ild(&[[1.0_f32, 0.0]]), Err(Undefined::ListTooShort));
    assert_eq!(ild(&[[1.0_f32, 0.0], [0.0, 0.0]]), Err(Undefined::ZeroVector));
    assert_eq!(novelty::<Vec<u32>>(&[], &[1.0]), Err(Undefined::NoObservations));
    assert_eq!(serendipity(&[0], &[1.0], &[], &FEATURES), Err(Undefined::NoHistory));
    assert!(counts(&[[7]], 1, 5).is_err());
    // An item nobody touched is more novel than any that was touched, and no error.
    let popularity = [3.0, 1.0, 0.0];
    assert!(novelty(&[[2]], &popularity).unwrap() > novelty(&[[1]], &popularity).unwrap());
    close(popularity_lift(&[[0]], &[[1]], &popularity).unwrap(), 2.0);
    assert_eq!(popularity_lift::<[u32; 1], Vec<u32>>(&[[0]], &[], &popularity), Err(Undefined::NoHistory));
}

#[test]
fn the_reference_of_ild_is_the_mean_over_all_pairs_of_the_catalogue() {
    // TV-D2's features: against all ten pairs one by one.
    let all: Vec<u32> = (0..5).collect();
    let pairs = ild_by(&all, |a, b| cosine(&FEATURES[a as usize], &FEATURES[b as usize])).unwrap();
    close(catalogue_ild(&FEATURES).unwrap(), pairs);
    assert_eq!(catalogue_ild(&FEATURES[..1]), Err(Undefined::ListTooShort));
    assert_eq!(catalogue_ild(&[[0.0_f32, 0.0], [1.0, 0.0]]), Err(Undefined::ZeroVector));
    assert_eq!(catalogue_ild(&[vec![1.0_f32], vec![1.0, 0.0]]), Err(Undefined::LengthMismatch));
}

#[test]
fn personalisation_by_hand() {
    // TV-D1: overlaps of the six pairs of users are 2, 2, 3, 1, 2, 2 of three items.
    let lists = [[0, 1, 2], [0, 1, 3], [0, 2, 4], [0, 1, 2]];
    close(personalisation(&lists, 3).unwrap(), 1.0 - 12.0 / 3.0 / 6.0);
    assert_eq!(personalisation(&[[1, 2], [1, 2]], 2).map(|value| value.abs() < 1e-12), Ok(true));
    assert_eq!(personalisation(&[[1, 2], [3, 4]], 2), Ok(1.0));
    // Lists of one and of two items: cosine 1 / √2.
    close(personalisation(&[vec![1], vec![1, 2], vec![]], 5).unwrap(), 1.0 - 1.0 / 2.0_f64.sqrt());
    assert_eq!(personalisation(&[vec![1], vec![]], 5), Err(Undefined::TooFew));
}
