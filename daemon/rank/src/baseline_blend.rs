//! The best weighted sum of up to three baselines, chosen on a window.
use rayon::prelude::*;

use crate::baselines::{Baseline, FittedBaseline, weighted_list};
use crate::error::RankError;
use crate::evaluate::GroundTruth;
use crate::mode::Mode;
use crate::request::{Candidates, RankRequest, RankedItem};
use crate::score_pool::{ScorePool, mean_ndcg};
use crate::snapshot::Recipient;

/// Weights tried for the second and third baseline of a sum; the first has 1.
const WEIGHTS: [f32; 6] = [0.05, 0.15, 0.3, 0.6, 1.0, 2.0];
/// Items per baseline and user that the search for weights reads.
const DEPTH: usize = 100;

/// A weighted sum of up to three baselines.
#[derive(Debug, Clone)]
pub struct BaselineBlend {
    /// The baselines with their weights, the first of weight 1.
    pub parts: Vec<(Baseline, f32)>,
    /// Mean NDCG on the window that the weights were chosen on.
    pub mean_ndcg: f64,
}

/// The candidates of a user: the top of each baseline.
fn score_pool(fitted: &[FittedBaseline], truth: &GroundTruth, r: &RankRequest<'_>) -> Option<ScorePool> {
    let s = fitted.first()?.snapshot();
    let at = s.index.at();
    let whom = Recipient::User(truth.user);
    let eligible = s.eligible(&s.user_state(whom, at), r);
    let mut columns = Vec::new();
    let mut picked: Vec<usize> = Vec::new();
    for baseline in fitted {
        let column = baseline.scores(&baseline.snapshot().user_state(whom, at), whom, &eligible);
        let mut places: Vec<usize> = (0..eligible.len()).collect();
        let key = |p: &usize| (s.catalogue.key(eligible[*p]), *p);
        let by = |a: &usize, b: &usize| column[*b].total_cmp(&column[*a]).then_with(|| key(a).cmp(&key(b)));
        if places.len() > DEPTH {
            places.select_nth_unstable_by(DEPTH, by);
            places.truncate(DEPTH);
        }
        picked.extend(places);
        columns.push(column);
    }
    picked.sort_unstable();
    picked.dedup();
    let scores = picked.iter().flat_map(|&p| columns.iter().map(move |column| column[p])).collect();
    let items = picked.iter().map(|&p| eligible[p]).collect();
    Some(ScorePool::new(&s.catalogue, items, scores, truth.items.clone()))
}

/// Every single baseline, pair and triple of `n`, with each combination of [`WEIGHTS`]; fewer and cheaper baselines first.
fn combinations(n: usize) -> Vec<Vec<(usize, f32)>> {
    let mut out = Vec::new();
    for a in 0..n {
        out.push(vec![(a, 1.0)]);
        for b in a + 1..n {
            for wb in WEIGHTS {
                out.push(vec![(a, 1.0), (b, wb)]);
                for c in b + 1..n {
                    out.extend(WEIGHTS.map(|wc| vec![(a, 1.0), (b, wb), (c, wc)]));
                }
            }
        }
    }
    out
}

impl BaselineBlend {
    /// Chooses up to three of the fitted baselines and their weights by mean NDCG at `k` on a window.
    #[must_use]
    pub fn choose(fitted: &[FittedBaseline], truth: &[GroundTruth], mode: Mode, k: usize) -> Self {
        let r = RankRequest { mode, candidates: Candidates::Warm, ..RankRequest::new(k) };
        let pools: Vec<ScorePool> = truth.par_iter().filter_map(|t| score_pool(fitted, t, &r)).collect();
        let tried = combinations(fitted.len());
        let mean = |weights: &Vec<(usize, f32)>| {
            let mut dense = vec![0f32; fitted.len()];
            weights.iter().for_each(|&(n, weight)| dense[n] = weight);
            mean_ndcg(&pools, &dense, k)
        };
        let means: Vec<f64> = tried.par_iter().map(mean).collect();
        // Of equally good sums the first is kept.
        let best = (0..tried.len()).fold(None, |best: Option<usize>, n| match best {
            Some(b) if means[b] >= means[n] => Some(b),
            _ => Some(n),
        });
        let Some(best) = best else { return Self { parts: Vec::new(), mean_ndcg: 0.0 } };
        let parts = tried[best].iter().map(|&(n, w)| (fitted[n].baseline, w)).collect();
        Self { parts, mean_ndcg: means[best] }
    }

    /// A list of the sum as of `at`, from baselines that were fitted to one moment; those that the sum does not name are not read.
    ///
    /// # Errors
    /// As [`FittedBaseline::recommend`].
    pub fn recommend(
        &self,
        fitted: &[FittedBaseline],
        whom: Recipient<'_>,
        at: i64,
        r: &RankRequest<'_>,
    ) -> Result<Vec<RankedItem>, RankError> {
        let parts: Vec<(&FittedBaseline, f32)> = self
            .parts
            .iter()
            .filter_map(|(baseline, weight)| Some((fitted.iter().find(|x| x.baseline == *baseline)?, *weight)))
            .collect();
        weighted_list(&parts, whom, at, r)
    }
}
