//! METRICS.md vectors of the mitigation table: MMR, DPP, xQuAD, Steck, DetGreedy.

use mercer_reports::Undefined;
use mercer_reports::diversity::{calibration_kl, cosine};
use mercer_reports::rerank::*;

const REL: [f64; 5] = [0.9, 0.85, 0.8, 0.5, 0.4];
const V: [[f32; 3]; 5] = [[1.0, 0.0, 0.0], [0.96, 0.28, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.6, 0.8, 0.0]];

fn similar(left: usize, right: usize) -> Result<f64, Undefined> {
    cosine(&V[left], &V[right])
}

fn close(left: f64, right: f64) {
    assert!((left - right).abs() < 1e-5, "{left} is not {right}");
}

#[test]
fn vector_mmr() {
    assert_eq!(mmr(&REL, 0.7, 4, similar).unwrap(), [0, 2, 3, 1]);
    // Relevance alone keeps the order; a list is never longer than the candidates.
    assert_eq!(mmr(&REL, 1.0, 9, similar).unwrap(), [0, 1, 2, 3, 4]);
    assert!(mmr(&REL, 1.5, 4, similar).is_err());
}

#[test]
fn vector_dpp() {
    let found = dpp(&REL, 5, None, similar).unwrap();
    assert_eq!((&found.list[..3], found.by_determinant), (&[0, 2, 3][..], 3));
    assert_eq!(found.list[3..], [1, 4], "back-filled by quality");
    close(found.log_det, -2.043_302);
    let sharp: Vec<f64> = REL.iter().map(|rel| (2.0 * rel).exp()).collect();
    assert_eq!(dpp(&sharp, 4, Some(2), similar).unwrap().list, [0, 2, 1, 3]);
    assert!(dpp(&[0.0], 1, None, similar).is_err());
}

#[test]
fn vector_xquad() {
    let (a, b) = ([1.0, 0.0], [0.0, 1.0]);
    let found = xquad(&REL, &[0.7, 0.3], &[a, a, b, b, a], 0.3, 4).unwrap();
    for ((index, gain), (wanted, value)) in found.into_iter().zip([(0, 0.84), (2, 0.65), (1, 0.595), (3, 0.35)]) {
        assert_eq!(index, wanted);
        close(gain, value);
    }
}

#[test]
fn vector_steck() {
    let category = [0, 0, 1, 1, 0];
    let list = calibrated(&REL, &category, &[0.7, 0.3], 10, 0.9, 0.01, 4).unwrap();
    assert_eq!(list, [0, 2, 1, 4]);
    close(calibration_kl(&[0.7, 0.3], &[3.0, 1.0], 10, 0.01).unwrap(), 0.006_269);
    assert_eq!(calibrated(&REL, &category, &[0.7, 0.3], 3, 0.9, 0.01, 4), Err(Undefined::NoHistory));
}

#[test]
fn vector_det_greedy() {
    let scores = [0.99, 0.95, 0.9, 0.85, 0.5, 0.45, 0.4];
    let group = [0, 0, 0, 0, 1, 1, 1];
    assert_eq!(det_greedy(&scores, &group, &[0.5, 0.5], 6).unwrap(), [0, 4, 1, 5, 2, 6]);
    assert_eq!(det_greedy(&scores, &group, &[0.7, 0.3], 6).unwrap(), [0, 1, 2, 4, 3, 5]);
    // A group that runs out leaves its places to the other.
    assert_eq!(det_greedy(&scores, &group, &[0.0, 1.0], 5).unwrap(), [4, 5, 6, 0, 1]);
    assert!(det_greedy(&scores, &group, &[0.5, 0.4], 6).is_err());
}
