//! METRICS.md vectors TV-R1 (ranx = pytrec_eval): per user and mean, all metrics.

use mercer_reports::{Gain, Metric, accuracy, mean_of};

fn close(left: f64, right: f64) {
    assert!((left - right).abs() < 1e-6, "{left} is not {right}");
}

type Judged = Vec<(&'static str, f64)>;

fn users() -> Vec<(Judged, Vec<&'static str>)> {
    let run = vec!["a", "b", "c", "d", "e"];
    vec![
        (vec![("a", 3.0), ("c", 1.0), ("f", 2.0)], run.clone()),
        (vec![("b", 1.0), ("e", 1.0)], run.clone()),
        (vec![("z", 2.0)], run),
        (vec![("d", 1.0)], vec!["d", "a", "b"]),
    ]
}

/// The gain of each item of `list`; items without judgement gain 0. A repeated item gains once.
fn gains_of<T: PartialEq>(list: &[T], judged: &[(T, f64)]) -> Vec<f64> {
    let gain = |position: usize| {
        if list[..position].contains(&list[position]) {
            return 0.0;
        }
        judged.iter().find(|(item, _)| *item == list[position]).map_or(0.0, |(_, gain)| *gain)
    };
    (0..list.len()).map(gain).collect()
}

fn values(metric: Metric, k: usize) -> Vec<f64> {
    let per_user = users()
        .iter()
        .map(|(judged, run)| {
            let gains: Vec<f64> = judged.iter().map(|(_, gain)| *gain).collect();
            metric.evaluate(&gains_of(run, judged), &gains, k)
        })
        .collect::<Vec<_>>();
    let mut values: Vec<f64> = per_user.iter().map(|value| value.unwrap()).collect();
    values.push(mean_of(&per_user).mean.value.unwrap());
    values
}

fn check(metric: Metric, k: usize, expected: [f64; 5]) {
    for (value, wanted) in values(metric, k).into_iter().zip(expected) {
        close(value, wanted);
    }
}

#[test]
fn tv_r1_at_5() {
    check(Metric::Precision, 5, [0.4, 0.4, 0.0, 0.2, 0.25]);
    check(Metric::Recall, 5, [0.666_667, 1.0, 0.0, 1.0, 0.666_667]);
    check(Metric::F1, 5, [0.5, 0.571_429, 0.0, 0.333_333, 0.351_190]);
    check(Metric::Hit, 5, [1.0, 1.0, 0.0, 1.0, 0.75]);
    check(Metric::Mrr, 5, [1.0, 0.5, 0.0, 1.0, 0.625]);
    check(Metric::Map, 5, [0.555_556, 0.45, 0.0, 1.0, 0.501_389]);
    check(Metric::Ndcg, 5, [0.735_007, 0.624_051, 0.0, 1.0, 0.589_764]);
    check(Metric::NdcgExponential, 5, [0.798_485, 0.624_051, 0.0, 1.0, 0.605_634]);
}

#[test]
fn tv_r1_at_3_and_1() {
    check(Metric::Ndcg, 3, [0.735_007, 0.386_853, 0.0, 1.0, 0.530_465]);
    close(values(Metric::Map, 3)[4], 0.451_389);
    close(values(Metric::Map, 1)[0], 0.333_333);
    close(values(Metric::MapCapped, 1)[0], 1.0);
    let binary = accuracy::ndcg(&[1.0, 0.0, 1.0, 0.0, 0.0], &[1.0, 1.0, 1.0], 5, Gain::Linear).unwrap();
    close(binary, 0.703_918);
}

#[test]
fn a_user_without_list_counts_zero_and_one_without_truth_is_left_out() {
    for metric in Metric::ALL {
        assert_eq!(metric.evaluate(&[], &[1.0], 10), Ok(0.0), "{metric:?}");
        assert!(metric.evaluate(&[0.0, 0.0], &[], 10).is_err(), "{metric:?}");
        assert!(metric.evaluate(&[1.0], &[1.0], 0).is_err(), "{metric:?}");
        assert!(metric.evaluate(&[f64::NAN], &[1.0], 1).is_err(), "{metric:?}");
    }
    // A repeated item is found once.
    assert_eq!(gains_of(&["a", "a"], &[("a", 1.0)]), vec![1.0, 0.0]);
    // Negative gains clip to zero.
    assert_eq!(accuracy::ndcg(&[-2.0, 1.0], &[-2.0, 1.0], 1, Gain::Linear), Ok(0.0));
}

#[test]
fn map_by_recbole_and_mar_by_evidently_are_other_metrics() {
    // Hits on ranks 1 and 3 of three relevant items.
    let (ranked, judged) = ([1.0, 0.0, 1.0, 0.0], [1.0; 3]);
    let precisions = 1.0 + 2.0 / 3.0;
    close(accuracy::average_precision(&ranked, &judged, 2).unwrap(), 1.0 / 3.0);
    close(accuracy::average_precision_capped(&ranked, &judged, 2).unwrap(), 0.5);
    close(accuracy::average_precision(&ranked, &judged, 4).unwrap(), precisions / 3.0);
    close(accuracy::average_precision_capped(&ranked, &judged, 4).unwrap(), precisions / 3.0);
    // Recall 1/3 at the first hit, 2/3 at the second.
    close(accuracy::average_recall(&ranked, &judged, 4).unwrap(), 1.0 / 3.0);
    // P = 2/4, R = 2/3.
    close(accuracy::f_beta(&ranked, &judged, 4, 2.0).unwrap(), 5.0 * (1.0 / 3.0) / (4.0 * 0.5 + 2.0 / 3.0));
    close(accuracy::f_beta(&ranked, &judged, 4, 1.0).unwrap(), accuracy::f1(&ranked, &judged, 4).unwrap());
    assert!(accuracy::f_beta(&ranked, &judged, 4, 0.0).is_err());
}
