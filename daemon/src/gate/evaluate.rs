//! Makes a policy's lists for the users of an evaluation window and measures them.

use mercer_rank::{BlendWeights, Candidates, Mode, RankRequest, ScoringPolicy, Snapshot, Window};
use mercer_shared::problem::{Code, Problem};

use crate::gate::policy::FittedPolicy;
use crate::reports::window_lists::{self, Limits, Lists, mean};
use crate::state::problems::Answer;

/// Length of the lists.
const K: usize = 10;

/// Which lists are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListSlice {
    /// Lists of all items.
    All,
    /// Lists of items that are novel to the user.
    Novel,
    /// Lists of items without any purchase.
    Cold,
}

/// Metrics of a version's lists and of its search on a window.
#[derive(Clone, Default)]
pub(crate) struct Evaluated {
    /// Lists of all items.
    pub(crate) all: Lists,
    /// Lists of novel items.
    pub(crate) novel: Lists,
    /// NDCG@10 of each searching user; empty where it was not measured.
    pub(crate) search: Vec<f64>,
    /// NDCG@10 of each user who took cold items, on lists of nothing else; empty where it was not measured.
    pub(crate) cold: Vec<f64>,
}

impl Evaluated {
    /// NDCG@10 of lists: the mean over both kinds.
    pub(crate) fn lists_ndcg(&self) -> f64 {
        f64::midpoint(mean(&self.all.ndcg), mean(&self.novel.ndcg))
    }

    /// NDCG@10 of search: the mean over searching users.
    pub(crate) fn search_ndcg(&self) -> f64 {
        mean(&self.search)
    }
}

/// A policy's lists of one slice.
///
/// # Errors
/// `internal`, also when the run was cancelled.
pub(crate) fn evaluate_slice(
    snapshot: &Snapshot,
    window: Window,
    policy: FittedPolicy<'_>,
    slice: ListSlice,
    limits: &Limits<'_>,
) -> Answer<Lists> {
    let weights = policy.blend.cloned().unwrap_or_else(|| BlendWeights::for_index(&snapshot.index));
    let policy = ScoringPolicy { ranker: policy.ranker, blend: &weights };
    let request = match slice {
        ListSlice::All => RankRequest::new(K),
        ListSlice::Novel => RankRequest { mode: Mode::Novel, ..RankRequest::new(K) },
        ListSlice::Cold => RankRequest { candidates: Candidates::Cold, ..RankRequest::new(K) },
    };
    let lists = window_lists::evaluate(snapshot, window, &request, policy, limits);
    lists.map_err(|error| Problem::new(Code::Internal, error.to_string()))
}

/// A policy's lists of all and of novel items; search and cold items are not measured.
///
/// # Errors
/// As [`evaluate_slice`].
pub(crate) fn evaluate(
    snapshot: &Snapshot,
    window: Window,
    policy: FittedPolicy<'_>,
    limits: &Limits<'_>,
) -> Answer<Evaluated> {
    let lists = |slice| evaluate_slice(snapshot, window, policy, slice, limits);
    Ok(Evaluated { all: lists(ListSlice::All)?, novel: lists(ListSlice::Novel)?, ..Evaluated::default() })
}
