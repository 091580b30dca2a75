//! Candidates of one user with their scores by several columns (sources or baselines), for the search of column weights.
use rayon::prelude::*;

use crate::catalogue::Catalogue;
use crate::evaluate::{mean, ndcg};

/// Candidates, their scores by each column, and which of them are relevant.
pub(crate) struct ScorePool {
    columns: usize,
    /// `candidates x columns`, row-major.
    scores: Vec<f32>,
    items: Vec<u32>,
    /// Tie-break key of each candidate.
    ties: Vec<u64>,
    /// Relevant items, ascending.
    relevant: Vec<u32>,
}

impl ScorePool {
    /// `scores` is `items x columns`, row-major; `relevant` ascends.
    pub(crate) fn new(catalogue: &Catalogue, items: Vec<u32>, scores: Vec<f32>, relevant: Vec<u32>) -> Self {
        let ties = items.iter().map(|&i| catalogue.key(i)).collect();
        Self { columns: scores.len() / items.len().max(1), scores, items, ties, relevant }
    }

    /// Whether a column is 0 for every candidate.
    pub(crate) fn is_empty_column(&self, column: usize) -> bool {
        self.scores.iter().skip(column).step_by(self.columns.max(1)).all(|&x| x == 0.0)
    }

    /// NDCG@k of the candidates ordered by the weighted sum of the columns; `k` at least 1.
    fn ndcg(&self, weights: &[f32], k: usize) -> f64 {
        let sum = |row: &[f32]| row.iter().zip(weights).map(|(a, b)| a * b).sum::<f32>();
        let mut order: Vec<(f32, u64, u32)> = self
            .scores
            .chunks_exact(self.columns.max(1))
            .zip(self.ties.iter().zip(&self.items))
            .map(|(row, (&tie, &item))| (sum(row), tie, item))
            .collect();
        let by = |a: &(f32, u64, u32), b: &(f32, u64, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        if order.len() > k {
            order.select_nth_unstable_by(k - 1, by);
            order.truncate(k);
        }
        order.sort_unstable_by(by);
        ndcg(&order.iter().map(|x| x.2).collect::<Vec<_>>(), &self.relevant, k)
    }
}

/// Mean NDCG@k over users of the candidates ordered by the weighted sum of the columns.
pub(crate) fn mean_ndcg(pools: &[ScorePool], weights: &[f32], k: usize) -> f64 {
    mean(&pools.par_iter().map(|pool| pool.ndcg(weights, k)).collect::<Vec<_>>())
}
