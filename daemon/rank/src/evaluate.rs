//! Evaluation on a global time split: what shoppers took in the window after a cut-off, lists for many shoppers at once, and
//! NDCG (METRICS.md sections 0 and 1).
use rayon::prelude::*;
use rustc_hash::FxHashSet;

use crate::batch::each;
use crate::blend::BlendWeights;
use crate::error::RankError;
use crate::log::Log;
use crate::memory::Memory;
use crate::ranker::Ranker;
use crate::recommend::{Candidates, Mode, Request, Scored, Snapshot, blended};

/// What one shopper took in the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    /// The shopper.
    pub user: u32,
    /// Distinct items, ascending.
    pub items: Vec<u32>,
}

/// Ground truth of shoppers with events at or before `memory.at()` and purchases in `(memory.at(), until]`: for mode `New` without
/// what they had before, for warm or cold candidates only those. Shoppers without any such item are left out.
pub fn truth(log: &Log, memory: &Memory, until: i64, mode: Mode, candidates: Candidates) -> Vec<Truth> {
    let (at, target) = (memory.at(), memory.shape().target);
    (0..log.users() as u32)
        .into_par_iter()
        .filter_map(|user| {
            let before = log.until(user, at);
            if !before.iter().any(|e| e.kind == target) {
                return None;
            }
            let bought = |e: &&crate::log::Event| e.kind == target;
            let seen: FxHashSet<u32> = match mode {
                Mode::New => before.iter().filter(bought).filter_map(|e| e.item).collect(),
                _ => FxHashSet::default(),
            };
            let fits = |&i: &u32| {
                !seen.contains(&i)
                    && match candidates {
                        Candidates::All => true,
                        Candidates::Warm => memory.is_warm(i),
                        Candidates::Cold => !memory.is_warm(i),
                    }
            };
            let mut items: Vec<u32> =
                log.between(user, at, until).iter().filter(bought).filter_map(|e| e.item).filter(fits).collect();
            items.sort_unstable();
            items.dedup();
            (!items.is_empty()).then_some(Truth { user, items })
        })
        .collect()
}

/// NDCG@k with binary gains; the ideal is cut at k.
pub fn ndcg(list: &[u32], truth: &[u32], k: usize) -> f64 {
    let gain = |rank: usize| 1.0 / ((rank + 2) as f64).log2();
    let got: f64 =
        list.iter().take(k).enumerate().filter(|(_, i)| truth.binary_search(i).is_ok()).map(|(r, _)| gain(r)).sum();
    let ideal: f64 = (0..truth.len().min(k)).map(gain).sum();
    if ideal > 0.0 { got / ideal } else { 0.0 }
}

/// NDCG@k of the items of `(score, tie-break key, item)`, best first; `k` at least 1.
pub(crate) fn ndcg_of_best(mut order: Vec<(f32, u64, u32)>, truth: &[u32], k: usize) -> f64 {
    let by = |a: &(f32, u64, u32), b: &(f32, u64, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
    if order.len() > k {
        order.select_nth_unstable_by(k - 1, by);
        order.truncate(k);
    }
    order.sort_unstable_by(by);
    ndcg(&order.iter().map(|x| x.2).collect::<Vec<_>>(), truth, k)
}

/// Lists for many shoppers of the log at `at`, in the order of `users`: those of a ranker, or of the request's blend. The same as for
/// each alone, but cheaper. `unwanted` is asked before each.
///
/// # Errors
/// As [`recommend`](crate::recommend()) and [`Ranker::recommend`]; [`RankError::Stopped`] when the lists became unwanted.
pub fn lists(
    s: &Snapshot,
    ranker: Option<&Ranker>,
    users: &[u32],
    at: i64,
    r: &Request<'_>,
    unwanted: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<Vec<Scored>>, RankError> {
    match ranker {
        Some(ranker) => ranker.check(s, at)?,
        None => s.check(at)?,
    }
    let beside = ranker.map(|ranker| ranker.beside(s));
    let s = beside.as_deref().unwrap_or(s);
    each(s, users, at, |_, shopper, columns| match ranker {
        _ if unwanted() => Err(RankError::Stopped),
        Some(ranker) => Ok(ranker.ranked(s, shopper, columns, r)),
        None => Ok(blended(s, shopper, columns, r)),
    })
    .into_iter()
    .collect()
}

/// Mean NDCG@10 of a blend over the shoppers of `truth`, with the values per shopper.
///
/// # Errors
/// As [`lists`].
pub fn score_blend(
    s: &Snapshot,
    truth: &[Truth],
    mode: Mode,
    candidates: Candidates,
    weights: &BlendWeights,
) -> Result<(f64, Vec<f64>), RankError> {
    let users: Vec<u32> = truth.iter().map(|t| t.user).collect();
    let r = Request { mode, candidates, ..Request::new(10, weights) };
    let lists = lists(s, None, &users, s.memory.at(), &r, &|| false)?;
    let each: Vec<f64> = lists
        .iter()
        .zip(truth)
        .map(|(l, t)| ndcg(&l.iter().map(|x| x.item).collect::<Vec<_>>(), &t.items, 10))
        .collect();
    let mean = each.iter().sum::<f64>() / each.len().max(1) as f64;
    Ok((mean, each))
}
