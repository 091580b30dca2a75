//! Lists for all returning users, compared with what they took; shared by the gate and the reports. Full ranking over the eligible
//! catalogue, never sampled; a global split in time.

use mercer_rank::evaluate::{GroundTruth, ground_truth, ndcg};
use mercer_rank::{DAY_MS, Log, LogSummary, RankError, RankRequest, ScoringPolicy, Snapshot, Window};
use mercer_shared::time::Timestamp;

/// Users evaluated at most: beyond it they are thinned evenly.
pub const MAX_USERS: usize = 5_000;

/// Lists and their metrics, one entry per user in the same order.
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

/// The last window of a log; training may use what is not later than its beginning. `None` for a log shorter than two
/// windows.
#[must_use]
pub fn window(log: &Log, last: i64) -> Option<(i64, i64)> {
    let shape = log.summary(last);
    let days = shape.window_days();
    // A single event long after all others does not make a window.
    let last = if shape.outliers > 0 { last.min(shape.last) } else { last };
    let from = last - days * DAY_MS;
    (!log.is_empty() && from > shape.first + days * DAY_MS).then_some((from, last))
}

/// Says which interactions windows and cut-offs do not follow, if any.
#[must_use]
pub fn outlier_note(summary: &LogSummary) -> Option<String> {
    (summary.outliers > 0).then(|| {
        let dated = match summary.outliers {
            1 => "1 interaction is".to_owned(),
            many => format!("{many} interactions are"),
        };
        format!(
            "{dated} dated far from all others: windows and cut-offs follow {} to {}",
            Timestamp::at(summary.first),
            Timestamp::at(summary.last)
        )
    })
}

/// Keeps an evenly spaced sample of at most this many users.
#[must_use]
pub fn thinned(all: Vec<GroundTruth>, most: usize) -> Vec<GroundTruth> {
    let step = all.len() as f64 / most as f64;
    if all.len() <= most { all } else { (0..most).map(|n| all[(n as f64 * step) as usize].clone()).collect() }
}

/// Mean, 0 of nothing.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Values of which none is missing, as the comparisons read them.
#[must_use]
pub fn known(values: &[f64]) -> Vec<Option<f64>> {
    values.iter().copied().map(Some).collect()
}

/// Limits of an evaluation.
pub struct Limits<'a> {
    /// Users evaluated at most.
    pub users: usize,
    /// Whether the evaluation was cancelled; called for each list.
    pub unwanted: &'a (dyn Fn() -> bool + Sync),
}

impl Limits<'_> {
    /// All users that [`MAX_USERS`] allows, without cancellation.
    pub const NONE: Self = Self { users: MAX_USERS, unwanted: &|| false };
}

/// Makes the lists that `request` asks for, for the users who took something within the window, and evaluates them. The collaborative
/// index of the snapshot must be of the window's cut-off.
///
/// # Errors
/// As [`ScoringPolicy::lists`].
pub fn evaluate(
    snapshot: &Snapshot,
    window: Window,
    request: &RankRequest<'_>,
    policy: ScoringPolicy<'_>,
    limits: &Limits<'_>,
) -> Result<Lists, RankError> {
    let Window { cutoff, end } = window;
    let request = request.for_window(end);
    debug_assert!(snapshot.index.at() <= cutoff);
    let wanted =
        thinned(ground_truth(&snapshot.log, &snapshot.index, end, request.mode, request.candidates), limits.users);
    lists_of(snapshot, wanted, cutoff, &request, policy, limits.unwanted)
}

/// Makes the lists of users of whom it is known what they took. The request is that of their window.
///
/// # Errors
/// As [`ScoringPolicy::lists`].
pub fn lists_of(
    snapshot: &Snapshot,
    wanted: Vec<GroundTruth>,
    cutoff: i64,
    request: &RankRequest<'_>,
    policy: ScoringPolicy<'_>,
    unwanted: &(dyn Fn() -> bool + Sync),
) -> Result<Lists, RankError> {
    let users: Vec<u32> = wanted.iter().map(|entry| entry.user).collect();
    let made = policy.lists(snapshot, &users, cutoff, request, unwanted)?;
    let lists: Vec<Vec<u32>> =
        made.into_iter().map(|list| list.into_iter().map(|scored| scored.item).collect()).collect();
    let ndcg = lists.iter().zip(&wanted).map(|(list, entry)| ndcg(list, &entry.items, request.k)).collect();
    let (users, truth) = wanted.into_iter().map(|entry| (entry.user, entry.items)).unzip();
    Ok(Lists { users, truth, lists, ndcg })
}
