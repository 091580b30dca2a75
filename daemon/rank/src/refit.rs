//! Refitting the blend: coordinate search of NDCG@10 over the weights, on windows before a cut-off.
use rayon::prelude::*;

use crate::blend::BlendWeights;
use crate::catalogue::Catalogue;
use crate::evaluate::{Truth, ndcg_of_best, truth};
use crate::log::{DAY_MS, Log};
use crate::memory::{Memory, MemoryOptions};
use crate::recommend::{Candidates, For, Mode, Request, Snapshot};
use crate::sources::{Columns, SOURCES, Source};

/// Weights tried for each source. Coarse on purpose: a finer grid fits the window's noise.
const GRID: [f32; 10] = [0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.6, 1.0, 1.6, 2.5];
/// A change must gain this much NDCG to be taken.
const MARGIN: f64 = 3e-4;
/// Items taken from the top of each source.
const DEPTH: usize = 60;
/// Shoppers of each window that are looked at.
const SHOPPERS: usize = 1500;

/// One shopper's candidates with the sources' normalised scores.
struct Pool {
    /// `candidates x SOURCES`, row-major.
    scores: Vec<f32>,
    items: Vec<u32>,
    ties: Vec<u64>,
    truth: Vec<u32>,
}

impl Pool {
    fn ndcg(&self, weights: &[f32; SOURCES.len()]) -> f64 {
        let order = self
            .scores
            .chunks_exact(SOURCES.len())
            .zip(self.items.iter().zip(&self.ties))
            .map(|(row, (&i, &t))| (row.iter().zip(weights).map(|(a, b)| a * b).sum(), t, i))
            .collect();
        ndcg_of_best(order, &self.truth, 10)
    }
}

fn pool(s: &Snapshot, t: &Truth, r: &Request<'_>) -> Pool {
    let at = s.memory.at();
    let shopper = s.shopper(For::User(t.user), at);
    let eligible = s.eligible(&shopper, r);
    let mut columns = Columns::new(s, &shopper, For::User(t.user));
    let mut items: Vec<u32> = Vec::new();
    for source in SOURCES {
        let column = columns.get(source);
        let mut top: Vec<u32> = eligible.iter().copied().filter(|&i| column[i as usize] > 0.0).collect();
        let by = |a: &u32, b: &u32| {
            column[*b as usize]
                .total_cmp(&column[*a as usize])
                .then_with(|| s.catalogue.tie(*a).cmp(&s.catalogue.tie(*b)))
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
        let column = columns.get(source);
        let max = eligible.iter().fold(0f32, |m, &i| m.max(column[i as usize]));
        if max > 0.0 {
            for (row, &i) in scores.chunks_exact_mut(SOURCES.len()).zip(&items) {
                row[c] = column[i as usize] / max;
            }
        }
    }
    let ties = items.iter().map(|&i| s.catalogue.tie(i)).collect();
    Pool { scores, items, ties, truth: t.items.clone() }
}

fn dense(weights: &[(Source, f32)]) -> [f32; SOURCES.len()] {
    let mut out = [0.0; SOURCES.len()];
    for &(s, w) in weights {
        out[s as usize] = w;
    }
    out
}

fn mean(pools: &[Pool], w: &[f32; SOURCES.len()]) -> f64 {
    let each: Vec<f64> = pools.par_iter().map(|p| p.ndcg(w)).collect();
    each.iter().sum::<f64>() / each.len().max(1) as f64
}

fn search(pools: &[Pool], start: &[(Source, f32)]) -> (Vec<(Source, f32)>, f64) {
    let mut w = dense(start);
    let mut best = mean(pools, &w);
    for _ in 0..3 {
        let before = best;
        for c in 0..SOURCES.len() {
            if pools.iter().all(|p| p.scores.iter().skip(c).step_by(SOURCES.len()).all(|&x| x == 0.0)) {
                continue;
            }
            let old = w[c];
            let mut chosen = old;
            for g in GRID {
                w[c] = g;
                let x = mean(pools, &w);
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

/// Weights that order the windows after `cutoffs` best, and their NDCG@10 there (any item, unseen items; warm candidates). Each
/// window lasts [`Shape::window_days`](crate::Shape::window_days); the caller picks cut-offs whose windows end before whatever it will be judged on. A head
/// without shoppers keeps its default weights.
pub fn refit_weights(
    log: &Log,
    catalogue: &Catalogue,
    cutoffs: &[i64],
    options: &MemoryOptions,
) -> (BlendWeights, [f64; 2]) {
    let mut pools: [Vec<Pool>; 2] = Default::default();
    let start = BlendWeights::default();
    for &at in cutoffs {
        let memory = Memory::fit(log, catalogue, at, options);
        let until = at + memory.shape().window_days() * DAY_MS;
        let s = Snapshot { log: log.clone(), catalogue: catalogue.clone(), memory: memory.into() };
        for (head, mode) in pools.iter_mut().zip([Mode::All, Mode::New]) {
            let mut t = truth(log, &s.memory, until, mode, Candidates::Warm);
            let step = t.len().div_ceil(SHOPPERS).max(1);
            t = t.into_iter().step_by(step).collect();
            let r = Request { mode, candidates: Candidates::Warm, ..Request::new(10, &start) };
            head.extend(t.par_iter().map(|t| pool(&s, t, &r)).collect::<Vec<_>>());
        }
    }
    let [any, unseen] = pools;
    let mut out = start.clone();
    let mut got = [0.0; 2];
    for (h, (pools, weights)) in [(any, &mut out.any), (unseen, &mut out.unseen)].into_iter().enumerate() {
        if !pools.is_empty() {
            (*weights, got[h]) = search(&pools, weights);
        }
    }
    (out, got)
}
