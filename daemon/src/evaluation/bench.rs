//! What every arm of an evaluation is trained and evaluated on.

use mercer_rank::Log;
use mercer_reports::Metric;

use crate::runs::context::{RunExit, failed};
use crate::state::app::App;
use crate::state::shop::ShopState;

/// Metrics in the order of the report; NDCG decides.
pub(crate) const METRICS: [Metric; 6] =
    [Metric::Ndcg, Metric::Recall, Metric::Precision, Metric::Hit, Metric::Mrr, Metric::Map];

/// Name of a metric on the wire.
pub(crate) fn metric_name(metric: Metric, k: usize) -> String {
    let word = match metric {
        Metric::Ndcg => "ndcg",
        Metric::Recall => "recall",
        Metric::Precision => "precision",
        Metric::Hit => "hit",
        Metric::Mrr => "mrr",
        Metric::Map => "map",
        other => return other.label(k),
    };
    format!("{word}@{k}")
}

/// What every arm is trained and evaluated on.
pub(crate) struct Bench<'a> {
    pub(crate) app: &'a App,
    pub(crate) view: &'a ShopState,
    pub(crate) log: Log,
    /// Nothing later is known to an arm.
    pub(crate) cutoff: i64,
    /// End of the window of truth.
    pub(crate) to: i64,
    /// Beginning of the window before the cut-off, where it has a window of history before it.
    pub(crate) tuned_from: Option<i64>,
    pub(crate) window_days: i64,
    pub(crate) k: usize,
}

pub(crate) fn rank_problem(error: &mercer_rank::RankError) -> RunExit {
    failed(error)
}
