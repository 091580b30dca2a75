//! Lists for everybody who came back, judged by what they took: shared by the gate and the reports. Full ranking over the eligible
//! catalogue, never sampled; a global split in time.

use mercer_rank::evaluate::{ndcg, truth};
use mercer_rank::{BlendWeights, Candidates, DAY_MS, For, Log, Mode, RankError, Request, Scored, Snapshot};
use rayon::prelude::*;

/// Users judged at most: beyond it they are thinned evenly.
pub const MAX_USERS: usize = 5_000;

/// Lists and what they are worth, one entry a user in the same order.
#[derive(Debug, Clone, Default)]
pub struct Lists {
    /// Slots of the users.
    pub users: Vec<u32>,
    /// What each took, ascending.
    pub truth: Vec<Vec<u32>>,
    /// What each was given, best first.
    pub lists: Vec<Vec<u32>>,
    /// NDCG at the length of the lists.
    pub ndcg: Vec<f64>,
}

impl Lists {
    /// Hits of a user's list.
    #[must_use]
    pub fn hits(&self, user: usize) -> usize {
        self.lists[user].iter().filter(|item| self.truth[user].binary_search(item).is_ok()).count()
    }

    /// Rank of the first hit, from 1.
    #[must_use]
    pub fn first_hit(&self, user: usize) -> Option<usize> {
        self.lists[user].iter().position(|item| self.truth[user].binary_search(item).is_ok()).map(|place| place + 1)
    }
}

/// The last window of a log: training may use what is not later than its beginning. `None` for a log shorter than two windows.
#[must_use]
pub fn window(log: &Log, last: i64) -> Option<(i64, i64)> {
    let shape = log.shape(last);
    let days = shape.window_days();
    let from = last - days * DAY_MS;
    (!log.is_empty() && from > shape.first + days * DAY_MS).then_some((from, last))
}

/// Makes and judges lists. The memory of the snapshot must be of the moment `from`.
///
/// # Errors
/// As [`mercer_rank::recommend`].
pub fn evaluate(
    snapshot: &Snapshot,
    from: i64,
    to: i64,
    mode: Mode,
    k: usize,
    list: impl Fn(For<'_>, &Request<'_>) -> Result<Vec<Scored>, RankError> + Sync,
    weights: &BlendWeights,
) -> Result<Lists, RankError> {
    evaluate_most(snapshot, (from, to), mode, (k, MAX_USERS), list, weights)
}

/// The same for so many users at most, `(length, users)`.
///
/// # Errors
/// As [`mercer_rank::recommend`].
pub fn evaluate_most(
    snapshot: &Snapshot,
    (from, to): (i64, i64),
    mode: Mode,
    (k, most): (usize, usize),
    list: impl Fn(For<'_>, &Request<'_>) -> Result<Vec<Scored>, RankError> + Sync,
    weights: &BlendWeights,
) -> Result<Lists, RankError> {
    debug_assert!(snapshot.memory.at() <= from);
    let mut wanted = truth(&snapshot.log, &snapshot.memory, to, mode, Candidates::All);
    if wanted.len() > most {
        let step = wanted.len() as f64 / most as f64;
        wanted = (0..most).map(|n| wanted[(n as f64 * step) as usize].clone()).collect();
    }
    let lists: Vec<Vec<u32>> = wanted
        .par_iter()
        .map(|entry| {
            let request = Request { mode, ..Request::new(k, weights) };
            Ok(list(For::User(entry.user), &request)?.into_iter().map(|scored| scored.item).collect())
        })
        .collect::<Result<_, RankError>>()?;
    let ndcg = lists.iter().zip(&wanted).map(|(list, entry)| ndcg(list, &entry.items, k)).collect();
    let (users, truth) = wanted.into_iter().map(|entry| (entry.user, entry.items)).unzip();
    Ok(Lists { users, truth, lists, ndcg })
}
