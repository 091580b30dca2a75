//! Applies the re-rankers of a placement one after the other.

use mercer_reports::rerank::{self as arithmetic, RerankError};
use mercer_shared::wire::Reranker;

use crate::serving::rerank::pool::{Candidate, Picked, Pool, RerankContext, Reranked};
use crate::state::mitigations::ActiveMitigations;

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
        Reranker::Mmr { lambda } => super::spread::mmr(context, pool, *lambda),
        Reranker::Dpp { theta } => super::spread::dpp(context, pool, *theta),
        Reranker::Xquad { lambda, by } => super::interests::xquad(context, pool, *lambda, by),
        Reranker::Calibrated { lambda, by } => super::interests::calibrated(context, pool, *lambda, by),
        Reranker::DetGreedy { by, shares } => super::quotas::det_greedy(context, pool, by, shares),
        Reranker::FairStarIr { by, protected, p, alpha } => super::quotas::fair_star_ir(
            context,
            pool,
            &super::quotas::Protected { by, value: protected, p: *p, alpha: *alpha },
        ),
        Reranker::Exposure { by, floors, caps, window_days } => {
            let limits = super::exposure::Limits { by: *by, floors, caps, window_days: *window_days };
            super::exposure::exposure(context, &mitigations.placement, pool, &limits)
        }
        Reranker::Popularity { method: _, gamma } => super::popularity::pda(context, pool, *gamma),
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
