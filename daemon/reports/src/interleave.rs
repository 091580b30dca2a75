//! Team-draft interleaving of two rankers in one list, and its verdict (METRICS.md section 2; Radlinski 2008).

use crate::distributions::sign_test;
use crate::value::Undefined;

/// Whose item it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Team {
    /// The first ranker.
    A,
    /// The second ranker.
    B,
}

/// Interleaves two rankings. `coin` is asked whenever both teams have equally many items; the first ranker that is out of items
/// leaves the rest to the other.
pub fn team_draft<T: PartialEq + Clone>(a: &[T], b: &[T], k: usize, mut coin: impl FnMut() -> Team) -> Vec<(T, Team)> {
    let mut list: Vec<(T, Team)> = Vec::with_capacity(k);
    let mut counts = [0_usize; 2];
    while list.len() < k {
        let next = |ranking: &[T]| ranking.iter().find(|item| !list.iter().any(|(taken, _)| taken == *item)).cloned();
        let (from_a, from_b) = (next(a), next(b));
        let turn = match counts[0].cmp(&counts[1]) {
            std::cmp::Ordering::Less => Team::A,
            std::cmp::Ordering::Greater => Team::B,
            std::cmp::Ordering::Equal => coin(),
        };
        let (item, team) = match (turn, from_a, from_b) {
            (_, None, None) => break,
            (Team::A, Some(item), _) | (Team::B, Some(item), None) => (item, Team::A),
            (Team::B, _, Some(item)) | (Team::A, None, Some(item)) => (item, Team::B),
        };
        counts[usize::from(team == Team::B)] += 1;
        list.push((item, team));
    }
    list
}

/// Outcome over sessions: a preference, not a lift in revenue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preference {
    /// Δ_AB = (wins of A + ties / 2) / sessions − 1/2.
    pub delta: f64,
    /// Two-sided exact sign test over sessions that are not tied.
    pub p: f64,
}

/// Preference from the number of sessions won by A, won by B and tied.
///
/// # Errors
/// [`Undefined::NoObservations`] without sessions.
pub fn preference(wins_a: u64, wins_b: u64, ties: u64) -> Result<Preference, Undefined> {
    let sessions = wins_a + wins_b + ties;
    if sessions == 0 {
        return Err(Undefined::NoObservations);
    }
    let delta = (wins_a as f64 + ties as f64 / 2.0) / sessions as f64 - 0.5;
    Ok(Preference { delta, p: sign_test(wins_a, wins_a + wins_b) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tv_s3_team_draft() {
        let mut coins = [Team::A, Team::B].into_iter();
        let list = team_draft(&["a", "b", "c", "d"], &["b", "c", "a", "e"], 4, || coins.next().unwrap_or(Team::A));
        assert_eq!(list, [("a", Team::A), ("b", Team::B), ("c", Team::B), ("d", Team::A)]);
        let plain = preference(60, 40, 0).unwrap();
        assert!((plain.p - 0.056_888).abs() < 1e-6, "{}", plain.p);
        assert!((preference(60, 40, 20).unwrap().delta - 0.083_333).abs() < 1e-6);
        assert!(preference(0, 0, 0).is_err());
    }

    #[test]
    fn a_ranker_without_items_leaves_the_rest_to_the_other() {
        let list = team_draft(&["a"], &["a", "b", "c"], 3, || Team::A);
        assert_eq!(list.iter().map(|(item, _)| *item).collect::<Vec<_>>(), ["a", "b", "c"]);
    }
}
