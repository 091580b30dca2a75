//! How a ranker's scores are spread over the first k: flat scores mean that it hardly prefers one item to the next (Evidently's
//! score distribution).

use crate::value::{Measure, Undefined, finite};

/// Entropy in nats of softmax(scores) of one list: ln k when all scores are equal, 0 when one item has all the weight. The scale of the
/// scores matters, so values of two models compare only if their scores have one scale; [`score_evenness`] divides by ln k. Interval:
/// the mean over users, resampled over users.
///
/// # Errors
/// [`Undefined::NoObservations`] for an empty list, [`Undefined::NotFinite`].
pub fn score_entropy(scores: &[f64]) -> Measure {
    if scores.is_empty() {
        return Err(Undefined::NoObservations);
    }
    if scores.iter().any(|score| !score.is_finite()) {
        return Err(Undefined::NotFinite);
    }
    let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // Sorted, so that the order of the list changes no bit.
    let mut shifted: Vec<f64> = scores.iter().map(|score| score - highest).collect();
    shifted.sort_by(f64::total_cmp);
    let total: f64 = shifted.iter().map(|score| score.exp()).sum();
    // H = ln Z − Σ p s with s shifted by the highest score.
    let expected: f64 = shifted.iter().map(|score| score.exp() / total * score).sum();
    finite((total.ln() - expected).max(0.0))
}

/// [`score_entropy`] over ln k, between 0 and 1.
///
/// # Errors
/// As [`score_entropy`]; [`Undefined::ListTooShort`] below two scores.
pub fn score_evenness(scores: &[f64]) -> Measure {
    if scores.len() == 1 {
        return Err(Undefined::ListTooShort);
    }
    Ok(score_entropy(scores)? / (scores.len() as f64).ln())
}

/// Evidently's convention: [`score_entropy`] of the scores of all lists, each cut at k, pooled into one softmax. It grows with the
/// number of users (by ln of it) and mixes scales of users, so it is printed for comparison only.
///
/// # Errors
/// As [`score_entropy`].
pub fn pooled_score_entropy<S: AsRef<[f64]>>(lists: &[S], k: usize) -> Measure {
    score_entropy(&lists.iter().flat_map(|list| list.as_ref().iter().take(k).copied()).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_of_flat_sharp_and_mixed_scores() {
        let close = |left: f64, right: f64| assert!((left - right).abs() < 1e-12, "{left} is not {right}");
        close(score_entropy(&[0.3; 8]).unwrap(), 8.0_f64.ln());
        close(score_evenness(&[0.3; 8]).unwrap(), 1.0);
        close(score_entropy(&[900.0, 0.0]).unwrap(), 0.0);
        // Weights 1/4 and 3/4.
        let expected = -(0.25 * 0.25_f64.ln() + 0.75 * 0.75_f64.ln());
        close(score_entropy(&[0.0, 3.0_f64.ln()]).unwrap(), expected);
        // Two users with the same list: one more ln 2.
        let list = [0.0, 3.0_f64.ln(), -900.0];
        close(pooled_score_entropy(&[list, list], 2).unwrap(), expected + 2.0_f64.ln());
        assert_eq!(score_entropy(&[]), Err(Undefined::NoObservations));
        assert_eq!(score_evenness(&[1.0]), Err(Undefined::ListTooShort));
        assert_eq!(score_entropy(&[f64::INFINITY]), Err(Undefined::NotFinite));
    }
}
