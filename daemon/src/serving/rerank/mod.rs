//! Re-ranks the best candidates of a list by the mitigations of its placement. Which items are candidates is decided before: rules of
//! eligibility (filter, stock, mode) hold whatever is switched on here.
//!
//! One file per family; the arithmetic is that of `mercer_reports`. A re-ranker that cannot work on a list (a shopper without history, say)
//! leaves it as it is and says so.

mod exposure;
mod groups;
mod interests;
mod popularity;
mod quotas;
mod rows;
mod spread;
mod taste;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use mercer_rank::{Event, Snapshot};
use mercer_reports::rerank::{self as arithmetic, Method, RerankError, UnitVectors};
use mercer_shared::wire::{Item, Reranker};
use rustc_hash::FxHashMap;

use crate::state::app::App;
use crate::state::mitigations::{ActiveMitigations, FairTables};
use crate::state::served_exposure::ServedExposure;
use crate::state::shop::ShopState;

pub(crate) use groups::group_of;
pub(crate) use rows::mitigate;

/// Candidates that are re-ranked, unless the list is longer.
pub const DEPTH: usize = 200;

/// What re-rankers read.
#[derive(Clone, Copy)]
pub(crate) struct RerankContext<'a> {
    /// Items by number.
    pub(crate) items: &'a imbl::Vector<Arc<Item>>,
    /// Vectors and counts as of the moment.
    pub(crate) snapshot: &'a Snapshot,
    /// Events of the user or session up to the moment, oldest first; empty for lists of nobody.
    pub(crate) history: &'a [Event],
    /// The moment, UTC milliseconds.
    pub(crate) at: i64,
    /// What was shown before.
    pub(crate) served: &'a ServedExposure,
    /// Tables of FA*IR.
    pub(crate) tables: &'a FairTables,
}

impl<'a> RerankContext<'a> {
    /// What is read for a list that is served.
    pub(crate) fn new(
        app: &'a App,
        view: &'a ShopState,
        snapshot: &'a Snapshot,
        history: &'a [Event],
        at: i64,
    ) -> Self {
        let items = &view.items;
        Self { items, snapshot, history, at, served: &app.mitigations.served, tables: &app.mitigations.tables }
    }
}

/// A candidate with its score, best first in a slice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Candidate {
    /// The item.
    pub(crate) item: u32,
    /// Its score.
    pub(crate) score: f64,
}

/// Candidates in their present order.
pub(crate) struct Pool {
    /// Items.
    items: Vec<u32>,
    /// Relevance by place, 0 to 1, never rising: scores scaled over the candidates. After a re-ranker has worked, the relevance at a place is
    /// still the one of that place, so that the next one respects the order it finds.
    relevance: Vec<f64>,
    /// Length of the list that is asked for.
    k: usize,
}

/// What one re-ranker makes of a pool.
#[derive(Debug, Default)]
pub(crate) struct Picked {
    /// Places of the pool, new order; places that are missing follow in the order that they had.
    pub(crate) order: Vec<usize>,
    /// Why an item moved, by place of the pool, where there is more to say than the name of the re-ranker.
    pub(crate) why: FxHashMap<usize, String>,
    /// What was done without, in words.
    pub(crate) note: Option<String>,
}

impl From<arithmetic::Reranked> for Picked {
    fn from(found: arithmetic::Reranked) -> Self {
        Self { order: found.order, ..Self::default() }
    }
}

impl Pool {
    /// Picks the first `k` by a method. Equal gains go to the candidate that stands first. `groups` and `vectors` have one entry a place.
    fn pick(
        &self,
        groups: &[usize],
        vectors: Option<&UnitVectors>,
        method: Method<'_>,
    ) -> Result<arithmetic::Reranked, RerankError> {
        let keys: Vec<u64> = (0..self.items.len() as u64).collect();
        let candidates = arithmetic::Candidates { scores: &self.relevance, keys: &keys, groups, vectors };
        arithmetic::rerank(&candidates, method, self.k)
    }
}

/// Candidates in their new order.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Reranked {
    /// Places among the candidates.
    pub(crate) order: Vec<usize>,
    /// What moved each candidate, by its place among the candidates; empty where nothing did.
    pub(crate) by: Vec<String>,
    /// What was done without, in words.
    pub(crate) notes: Vec<String>,
}

/// Applies the mitigations of a placement to candidates (best first) for a list of `k`.
pub(crate) fn rerank(
    context: &RerankContext<'_>,
    mitigations: &ActiveMitigations,
    candidates: &[Candidate],
    k: usize,
) -> Reranked {
    let n = candidates.len();
    let mut done = Reranked { order: (0..n).collect(), by: vec![String::new(); n], notes: Vec::new() };
    // The largest move of each candidate so far, and its total so far.
    let mut largest = vec![0_i64; n];
    let relevance = relevance(candidates);
    for reranker in &mitigations.rerankers {
        let items = done.order.iter().map(|&place| candidates[place].item).collect();
        let pool = Pool { items, relevance: relevance.clone(), k: k.min(n) };
        match step(context, mitigations, reranker, &pool) {
            Ok(picked) => {
                let Picked { order, why, note } = picked;
                done.notes.extend(note.map(|note| format!("{}: {note}", name(reranker))));
                let order = completed(order, n);
                for (to, &from) in order.iter().enumerate() {
                    let (candidate, rise) = (done.order[from], from as i64 - to as i64);
                    if rise.abs() > largest[candidate].abs() {
                        largest[candidate] = rise;
                        done.by[candidate] = match why.get(&from) {
                            Some(why) => why.clone(),
                            None if rise > 0 => name(reranker),
                            None => format!("others that {} moved up", name(reranker)),
                        };
                    }
                }
                done.order = order.into_iter().map(|from| done.order[from]).collect();
            }
            Err(reason) => done.notes.push(format!("{} left the list as it was: {reason}", name(reranker))),
        }
    }
    done
}

fn step(
    context: &RerankContext<'_>,
    mitigations: &ActiveMitigations,
    reranker: &Reranker,
    pool: &Pool,
) -> Result<Picked, RerankError> {
    match reranker {
        Reranker::Mmr { lambda } => spread::mmr(context, pool, *lambda),
        Reranker::Dpp { theta } => spread::dpp(context, pool, *theta),
        Reranker::Xquad { lambda, by } => interests::xquad(context, pool, *lambda, by),
        Reranker::Calibrated { lambda, by } => interests::calibrated(context, pool, *lambda, by),
        Reranker::DetGreedy { by, shares } => quotas::det_greedy(context, pool, by, shares),
        Reranker::FairStarIr { by, protected, p, alpha } => {
            quotas::fair_star_ir(context, pool, &quotas::Protected { by, value: protected, p: *p, alpha: *alpha })
        }
        Reranker::Exposure { by, floors, caps, window_days } => {
            let limits = exposure::Limits { by: *by, floors, caps, window_days: *window_days };
            exposure::exposure(context, &mitigations.placement, pool, &limits)
        }
        Reranker::Popularity { method: _, gamma } => popularity::pda(context, pool, *gamma),
    }
}

/// A re-ranker in words.
pub(crate) fn name(reranker: &Reranker) -> String {
    match reranker {
        Reranker::Mmr { .. } => "diversity (MMR)".to_owned(),
        Reranker::Dpp { .. } => "diversity (DPP)".to_owned(),
        Reranker::Xquad { by, .. } => format!("coverage of interests by {by} (xQuAD)"),
        Reranker::Calibrated { by, .. } => format!("calibration by {by}"),
        Reranker::DetGreedy { by, .. } => format!("target shares by {by} (DetGreedy)"),
        Reranker::FairStarIr { by, protected, .. } => format!("fair prefixes for {by} {protected} (FA*IR)"),
        Reranker::Exposure { by, .. } => format!("exposure limits by {}", by.grouping()),
        Reranker::Popularity { .. } => "popularity debiasing (PDA)".to_owned(),
    }
}

/// Scores scaled to 0 to 1, by place: 1 for all where they are equal.
fn relevance(candidates: &[Candidate]) -> Vec<f64> {
    let mut scores: Vec<f64> = candidates.iter().map(|candidate| candidate.score).collect();
    // The head may have been re-ordered without new scores: the place decides.
    scores.sort_by(|a, b| b.total_cmp(a));
    arithmetic::unit_scale(&scores)
}

/// An order of all `n` places: the picked ones, then the others in the order that they had.
fn completed(mut order: Vec<usize>, n: usize) -> Vec<usize> {
    let mut taken = vec![false; n];
    order.iter().for_each(|&place| taken[place] = true);
    order.extend((0..n).filter(|&place| !taken[place]));
    order
}
