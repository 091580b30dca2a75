//! Merges the order of a list with the order of the cross-encoder.

/// Rows of a list that are scored anew at most.
pub const HEAD: usize = 20;
/// Damping of ranks (Cormack et al., SIGIR 2009).
const DAMPING: f64 = 60.0;
/// Weight of the list's order against the cross-encoder's. The list knows times, habits and other shoppers; the cross-encoder reads texts
/// only, so it may move rows a little and not reverse the list.
const LIST: f64 = 2.0;

/// The order of the first rows of a list after re-scoring, as places in the list as it was. Both orders count by reciprocal rank, the
/// list's twice; equal rows keep the list's order.
#[must_use]
pub fn mixed(scores: &[f32]) -> Vec<usize> {
    let mut by_score: Vec<usize> = (0..scores.len()).collect();
    by_score.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
    let mut rank = vec![0usize; scores.len()];
    for (place, &row) in by_score.iter().enumerate() {
        rank[row] = place;
    }
    let weight = |row: usize| LIST / (DAMPING + 1.0 + row as f64) + 1.0 / (DAMPING + 1.0 + rank[row] as f64);
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| weight(b).total_cmp(&weight(a)).then(a.cmp(&b)));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_changes_nothing_and_disagreement_moves_a_little() {
        assert_eq!(mixed(&[4.0, 3.0, 2.0, 1.0]), [0, 1, 2, 3]);
        assert_eq!(mixed(&[0.0; 4]), [0, 1, 2, 3]);
        assert_eq!(mixed(&[]), Vec::<usize>::new());
        // The last of twenty, seen as the best by far, rises a third of the way and never to the top.
        let mut scores: Vec<f32> = (0..20).map(|i| 20.0 - i as f32).collect();
        scores[19] = 100.0;
        let place = mixed(&scores).iter().position(|row| *row == 19).unwrap();
        assert!((9..=14).contains(&place), "{place}");
        // The list turned around stays in the list's order.
        let turned: Vec<f32> = (0..20).map(|i| i as f32).collect();
        assert_eq!(mixed(&turned), (0..20).collect::<Vec<_>>());
    }
}
