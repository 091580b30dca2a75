//! Evaluation on a global time split: what users bought in the window after a cut-off, and NDCG (METRICS.md sections 0 and 1).
use rayon::prelude::*;
use rustc_hash::FxHashSet;

use crate::collaborative_index::CollaborativeIndex;
use crate::log::{Event, Log};
use crate::mode::Mode;
use crate::request::Candidates;

/// What one user bought in the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroundTruth {
    /// The user.
    pub user: u32,
    /// Distinct items, ascending.
    pub items: Vec<u32>,
}

/// Ground truth of users with purchases at or before `index.at()` and in `(index.at(), until]`. Mode `Novel` leaves out what a user
/// bought before; `candidates` keeps warm or cold items only. Users without any item left are
/// left out; the others are in the order of their stable keys.
pub fn ground_truth(
    log: &Log,
    index: &CollaborativeIndex,
    until: i64,
    mode: Mode,
    candidates: Candidates,
) -> Vec<GroundTruth> {
    let (at, target) = (index.at(), index.summary().target);
    log.users_by_key()
        .into_par_iter()
        .filter_map(|user| {
            let before = log.until(user, at);
            let is_purchase = |e: &&Event| e.is_positive(target);
            if !before.iter().any(|e| is_purchase(&e)) {
                return None;
            }
            let bought: FxHashSet<u32> = match mode {
                Mode::Novel => before.iter().filter(is_purchase).filter_map(|e| e.item).collect(),
                Mode::All => FxHashSet::default(),
            };
            let counts = |&i: &u32| {
                !bought.contains(&i)
                    && match candidates {
                        Candidates::All => true,
                        Candidates::Warm => index.is_warm(i),
                        Candidates::Cold => !index.is_warm(i),
                    }
            };
            let in_window = log.between(user, at, until).iter().filter(is_purchase).filter_map(|e| e.item);
            let mut items: Vec<u32> = in_window.filter(counts).collect();
            items.sort_unstable();
            items.dedup();
            (!items.is_empty()).then_some(GroundTruth { user, items })
        })
        .collect()
}

/// NDCG@k with binary gains; the ideal is cut at k. `truth` ascends.
pub fn ndcg(list: &[u32], truth: &[u32], k: usize) -> f64 {
    let gain = |rank: usize| 1.0 / ((rank + 2) as f64).log2();
    let got: f64 =
        list.iter().take(k).enumerate().filter(|(_, i)| truth.binary_search(i).is_ok()).map(|(r, _)| gain(r)).sum();
    let ideal: f64 = (0..truth.len().min(k)).map(gain).sum();
    if ideal > 0.0 { got / ideal } else { 0.0 }
}

/// Mean, 0 of nothing.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
