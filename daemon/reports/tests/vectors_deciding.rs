//! METRICS.md vectors TV-S1 (paired difference) and TV-S2 (CUPED), and the power table of section 2.

use mercer_reports::compare::{CupedArm, cuped, detectable_effect, student_test};
use mercer_reports::resample::sign_flip_p;
use mercer_reports::signed_rank::signed_rank_p;
use mercer_reports::value::standard_deviation;
use mercer_reports::{compare_paired, mean};

const A: [f64; 10] = [0.40, 0.0, 0.63, 1.0, 0.39, 0.0, 0.50, 0.31, 0.0, 0.43];
const B: [f64; 10] = [0.50, 0.0, 1.0, 1.0, 0.63, 0.0, 0.43, 0.50, 0.39, 0.63];

fn close(left: f64, right: f64) {
    assert!((left - right).abs() < 1e-6, "{left} is not {right}");
}

#[test]
fn tv_s1_paired_difference() {
    let d: Vec<f64> = B.iter().zip(A).map(|(b, a)| b - a).collect();
    close(mean(&d).unwrap(), 0.142);
    let t = student_test(&d, 0.95).unwrap();
    close(t.t, 2.773_259);
    close(t.p, 0.021_638);
    close(t.low, 0.026_170);
    close(t.high, 0.257_830);
    close(sign_flip_p(&d, 2000, 1).unwrap(), 0.03125);
    close(signed_rank_p(&d).unwrap(), 0.03125);

    let some = |values: [f64; 10]| values.map(Some);
    let comparison = compare_paired(&some(B), &some(A), 0.025, 2000, 1).unwrap();
    close(comparison.difference, 0.142);
    close(comparison.p, 0.03125);
    assert!(comparison.interval.low > 0.0 && comparison.interval.low < 0.1, "{comparison:?}");
    assert!(comparison.interval.high > 0.18 && comparison.interval.high < 0.28, "{comparison:?}");
    close(comparison.lower, comparison.interval.low);
    close(comparison.moved, 0.7);
}

#[test]
fn tv_s2_cuped() {
    let (xa, xb) = ([2.0, 4.0, 3.0, 5.0], [1.0, 6.0, 2.0, 4.0]);
    let (ya, yb) = ([3.0, 5.0, 4.0, 6.0], [3.0, 8.0, 4.0, 6.0]);
    let (adjusted, theta) =
        cuped(&[CupedArm { covariate: &xa, outcome: &ya }, CupedArm { covariate: &xb, outcome: &yb }]).unwrap();
    close(theta, 0.974_843);
    close(mean(&yb).unwrap() - mean(&ya).unwrap(), 0.75);
    close(mean(&adjusted[1]).unwrap() - mean(&adjusted[0]).unwrap(), 0.993_711);
    // The variance that is left is 1 − ρ² of covariate and outcome.
    let variance = |values: &[f64]| standard_deviation(values).unwrap().powi(2);
    let (x, y) = ([xa, xb].concat(), [ya, yb].concat());
    close(variance(&adjusted.concat()) / variance(&y), 0.095_206);
    let (cx, cy) = (mean(&x).unwrap(), mean(&y).unwrap());
    let covariance = x.iter().zip(&y).map(|(a, b)| (a - cx) * (b - cy)).sum::<f64>() / (x.len() - 1) as f64;
    close(1.0 - covariance.powi(2) / (variance(&x) * variance(&y)), 0.095_206);
}

#[test]
fn power_table() {
    for (n, effect) in [(500, 0.028), (2000, 0.014), (5000, 0.009), (20_000, 0.004)] {
        let found = detectable_effect(0.25, n, 0.05, 0.8).unwrap();
        assert!((found - effect).abs() < 5e-4, "{n}: {found}");
    }
    assert!(standard_deviation(&[1.0]).is_err());
}

#[test]
fn undefined_users_leave_the_pair_and_are_counted() {
    let one = [Some(1.0), None, Some(0.5), Some(0.2)];
    let two = [Some(0.5), Some(0.4), None, Some(0.1)];
    let comparison = compare_paired(&one, &two, 0.025, 200, 1).unwrap();
    assert_eq!((comparison.n_used, comparison.n_total), (2, 4));
    assert!(compare_paired(&one, &two[..2], 0.025, 200, 1).is_err());
    assert!(compare_paired(&one[..1], &two[..1], 0.025, 200, 1).is_err());
}
