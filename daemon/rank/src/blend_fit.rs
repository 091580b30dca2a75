//! Fits the weights of the blend: coordinate search of NDCG@10 on windows before a cut-off.
use rayon::prelude::*;

use crate::blend::BlendWeights;
use crate::collaborative_index::{CollaborativeIndex, IndexOptions};
use crate::dataset::Dataset;
use crate::evaluate::{GroundTruth, ground_truth};
use crate::log::DAY_MS;
use crate::mode::{Mode, PerMode};
use crate::request::{Candidates, RankRequest};
use crate::score_pool::{ScorePool, mean_ndcg};
use crate::snapshot::{Recipient, Snapshot};
use crate::source::{SOURCES, Source};
use crate::source_scores::SourceScores;

/// Weights tried for each source. Coarse on purpose: a finer grid fits the window's noise.
const GRID: [f32; 10] = [0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.6, 1.0, 1.6, 2.5];
/// A change must gain this much NDCG to be taken.
const MARGIN: f64 = 3e-4;
/// Items taken from the top of each source.
const DEPTH: usize = 60;
/// Users of each window at most.
const MAX_USERS: usize = 1500;
/// Length of the evaluated lists.
const K: usize = 10;

/// The candidates of a user: the top of each source, scored as a share of the source's largest eligible value.
fn score_pool(s: &Snapshot, truth: &GroundTruth, r: &RankRequest<'_>) -> ScorePool {
    let whom = Recipient::User(truth.user);
    let user = s.user_state(whom, s.index.at());
    let eligible = s.eligible(&user, r);
    let mut source_scores = SourceScores::new(s, &user, whom);
    let mut items: Vec<u32> = Vec::new();
    for source in SOURCES {
        let column = source_scores.get(source);
        let mut top: Vec<u32> = eligible.iter().copied().filter(|&i| column[i as usize] > 0.0).collect();
        let by = |a: &u32, b: &u32| {
            column[*b as usize]
                .total_cmp(&column[*a as usize])
                .then_with(|| s.catalogue.key(*a).cmp(&s.catalogue.key(*b)))
        };
        if top.len() > DEPTH {
            top.select_nth_unstable_by(DEPTH, by);
            top.truncate(DEPTH);
        }
        items.extend(top);
    }
    items.sort_unstable();
    items.dedup();
    let mut scores = vec![0f32; items.len() * SOURCES.len()];
    for (c, source) in SOURCES.into_iter().enumerate() {
        let column = source_scores.get(source);
        let max = eligible.iter().fold(0f32, |m, &i| m.max(column[i as usize]));
        if max > 0.0 {
            for (row, &i) in scores.chunks_exact_mut(SOURCES.len()).zip(&items) {
                row[c] = column[i as usize] / max;
            }
        }
    }
    ScorePool::new(&s.catalogue, items, scores, truth.items.clone())
}

/// Weights in the order of [`SOURCES`], 0 where a source has none.
fn dense(weights: &[(Source, f32)]) -> [f32; SOURCES.len()] {
    let mut out = [0.0; SOURCES.len()];
    for &(s, w) in weights {
        out[s as usize] = w;
    }
    out
}

/// Coordinate search from `start`; returns the weights and their mean NDCG.
fn search(pools: &[ScorePool], start: &[(Source, f32)]) -> (Vec<(Source, f32)>, f64) {
    let mut w = dense(start);
    let mut best = mean_ndcg(pools, &w, K);
    for _ in 0..3 {
        let before = best;
        for c in 0..SOURCES.len() {
            if pools.iter().all(|p| p.is_empty_column(c)) {
                continue;
            }
            let mut chosen = w[c];
            for g in GRID {
                w[c] = g;
                let x = mean_ndcg(pools, &w, K);
                if x > best + MARGIN {
                    (best, chosen) = (x, g);
                }
            }
            w[c] = chosen;
        }
        if best <= before {
            break;
        }
    }
    (SOURCES.into_iter().zip(w).filter(|x| x.1 > 0.0).collect(), best)
}

/// Fits the weights on the windows after `cutoffs`, warm candidates; returns them with their NDCG@10 there. A window lasts
/// [`LogSummary::window_days`](crate::LogSummary::window_days); the caller picks cut-offs whose windows end before what the blend
/// will be evaluated on. A mode without users keeps its default weights.
pub fn fit_blend_weights(data: Dataset<'_>, cutoffs: &[i64], options: &IndexOptions) -> (BlendWeights, PerMode<f64>) {
    let mut pools: PerMode<Vec<ScorePool>> = PerMode::default();
    for &at in cutoffs {
        let index = CollaborativeIndex::fit(data, at, options);
        let until = at + index.summary().window_days() * DAY_MS;
        let s = Snapshot { log: data.log.clone(), catalogue: data.catalogue.clone(), index: index.into() };
        for mode in [Mode::All, Mode::Novel] {
            let truth = ground_truth(data.log, &s.index, until, mode, Candidates::Warm);
            let step = truth.len().div_ceil(MAX_USERS).max(1);
            let thinned: Vec<GroundTruth> = truth.into_iter().step_by(step).collect();
            let r = RankRequest { mode, candidates: Candidates::Warm, ..RankRequest::new(K) };
            pools.get_mut(mode).extend(thinned.par_iter().map(|t| score_pool(&s, t, &r)).collect::<Vec<_>>());
        }
    }
    let mut weights = BlendWeights::default();
    let mut ndcg = PerMode::both(0.0);
    if !pools.all.is_empty() {
        (weights.all, ndcg.all) = search(&pools.all, &weights.all);
    }
    if !pools.novel.is_empty() {
        (weights.novel, ndcg.novel) = search(&pools.novel, &weights.novel);
    }
    (weights, ndcg)
}
