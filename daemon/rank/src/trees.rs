//! Gradient-boosted trees of a head, logistic, on the same lists and features as its networks (without the sequence model's).
//! Trees need no feature scaling, so they keep what the clipping of a network's inputs loses.
use std::ops::ControlFlow;

use hessboost::config::GrowPolicy;
use hessboost::error::HessboostError;
use hessboost::model::{BoostedModel, Iterations};
use hessboost::objective::{Objective, RegLoss};
use hessboost::prelude::{DMatrix, Trainer, TrainingParams, TreeMethod};
use serde::{Deserialize, Serialize};

use crate::error::RankError;
use crate::features::WIDTH;
use crate::mlp::List;

/// Settings of the trees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TreeOptions {
    /// Trees.
    pub rounds: usize,
    /// Leaves of each.
    pub leaves: usize,
    /// Learning rate.
    pub rate: f64,
    /// Lists to train on at most, thinned evenly beyond it; each holds some hundred rows.
    pub lists: usize,
    /// Seed of row and column sampling.
    pub seed: u64,
}

impl Default for TreeOptions {
    /// Chosen on windows before the test window of two logs.
    fn default() -> Self {
        Self { rounds: 200, leaves: 31, rate: 0.05, lists: 4_000, seed: 1 }
    }
}

/// The trees of a head.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Trees(BoostedModel);

impl PartialEq for Trees {
    fn eq(&self, other: &Self) -> bool {
        serde_json::to_vec(&self.0).ok() == serde_json::to_vec(&other.0).ok()
    }
}

fn failed(error: &HessboostError) -> RankError {
    RankError::Trees(error.to_string())
}

/// NaN for what is not finite; trees treat it as missing and split on that.
const fn or_missing(value: f32) -> f32 {
    if value.is_finite() { value } else { f32::NAN }
}

impl Trees {
    /// Trains on lists of unscaled features, `rows x WIDTH` each, with the weight of each list (none: all weigh alike); features in `hidden`
    /// are not read. `None` when `stopped` said so; it is asked after each tree.
    ///
    /// # Errors
    /// [`RankError::Trees`].
    pub(crate) fn fit(
        lists: &[&List],
        weights: &[f32],
        o: &TreeOptions,
        hidden: &[usize],
        stopped: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<Self>, RankError> {
        let step = lists.len().div_ceil(o.lists.max(1)).max(1);
        let (mut x, mut y, mut row_weights) = (Vec::new(), Vec::new(), Vec::new());
        for (place, list) in lists.iter().enumerate().step_by(step) {
            let weight = weights.get(place);
            row_weights.extend(weight.into_iter().flat_map(|weight| std::iter::repeat_n(*weight, list.positive.len())));
            x.extend(list.x.iter().map(|v| or_missing(*v)));
            y.extend(list.positive.iter().map(|p| f32::from(u8::from(*p))));
        }
        x.chunks_exact_mut(WIDTH).for_each(|row| hidden.iter().for_each(|&f| row[f] = f32::NAN));
        let rows = y.len();
        let data =
            DMatrix::from_dense_vec(x, rows, WIDTH).and_then(|data| data.with_labels(&y)).map_err(|e| failed(&e))?;
        let data = if weights.is_empty() { data } else { data.with_weights(&row_weights).map_err(|e| failed(&e))? };
        let loss = RegLoss::new(1.0).map_err(|e| failed(&e))?;
        let params = TrainingParams::builder()
            .objective(Objective::BinaryLogistic(loss))
            .tree_method(TreeMethod::Hist)
            .grow_policy(GrowPolicy::LossGuide)
            .unlimited_depth()
            .max_leaves(o.leaves)
            .eta(o.rate)
            .min_child_weight(20.0)
            .colsample_bynode(0.3)
            .subsample(0.7)
            .lambda(1.0)
            .max_bin(64)
            .seed(o.seed)
            .build()
            .map_err(|e| failed(&e))?;
        let hook = |_: hessboost::training::RoundEval<'_>| {
            if stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let grown = Trainer::new(&params, &data, o.rounds).on_round(hook).train().map_err(|e| failed(&e))?;
        Ok((!stopped()).then_some(Self(grown.model)))
    }

    /// Log odds of each row of unscaled features.
    pub(crate) fn score(&self, x: &[f32]) -> Vec<f32> {
        let mut row = [0f32; WIDTH];
        x.chunks_exact(WIDTH)
            .map(|from| {
                row.iter_mut().zip(from).for_each(|(to, v)| *to = or_missing(*v));
                self.0.predict_margin_row(&row, Iterations::Best).unwrap_or(0.0)
            })
            .collect()
    }
}

/// Brings the scores of a list to mean 0 and deviation 1; to 0 where all are equal.
pub(crate) fn standardise(scores: &mut [f32]) {
    let n = scores.len().max(1) as f32;
    let mean = scores.iter().sum::<f32>() / n;
    let deviation = (scores.iter().map(|s| (s - mean).powi(2)).sum::<f32>() / n).sqrt();
    let scale = if deviation > 1e-9 { 1.0 / deviation } else { 0.0 };
    scores.iter_mut().for_each(|s| *s = (*s - mean) * scale);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lists in which the first feature, where it is known, says what is taken.
    fn lists(seed: u64) -> Vec<List> {
        let mut state = seed;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 24) as f32
        };
        (0..60)
            .map(|_| {
                let mut x: Vec<f32> = (0..20 * WIDTH).map(|_| draw()).collect();
                let positive: Vec<bool> = x.chunks_exact(WIDTH).map(|row| row[0] > 0.8).collect();
                x[5 * WIDTH] = f32::INFINITY;
                List { user: 0, x, positive }
            })
            .collect()
    }

    /// How often a row that is taken scores higher than one that is not, over all lists.
    fn auc(trees: &Trees, lists: &[List]) -> f64 {
        let rows = lists.iter().flat_map(|list| trees.score(&list.x).into_iter().zip(list.positive.clone()));
        let (taken, left): (Vec<_>, Vec<_>) = rows.partition(|(_, positive)| *positive);
        let higher = |a: f32, b: f32| f64::midpoint((a > b).into(), (a >= b).into());
        let pairs = taken.iter().flat_map(|(a, _)| left.iter().map(move |(b, _)| higher(*a, *b)));
        pairs.sum::<f64>() / (taken.len() * left.len()) as f64
    }

    #[test]
    fn trees_learn_are_the_same_on_any_number_of_threads_and_read_back() {
        let made = lists(7);
        let (lists, o) =
            (made.iter().collect::<Vec<_>>(), TreeOptions { rounds: 20, leaves: 4, ..TreeOptions::default() });
        let fit = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Trees::fit(&lists, &[], &o, &[], &|| false).unwrap().unwrap())
        };
        let (one, two) = (fit(1), fit(2));
        assert_eq!(one, two);
        let scores = one.score(&lists[0].x);
        let of = |taken: bool| {
            let some: Vec<f32> =
                scores.iter().zip(&lists[0].positive).filter(|x| *x.1 == taken).map(|x| *x.0).collect();
            some.iter().sum::<f32>() / some.len() as f32
        };
        assert!(of(true) > of(false) + 0.5, "{scores:?}");
        let back: Trees = serde_json::from_str(&serde_json::to_string(&one).unwrap()).unwrap();
        assert_eq!(back.score(&lists[0].x), scores);
        // Without the feature that tells rows apart nothing is left to learn: on lists that the trees have not seen, what is taken
        // scores no higher than the rest. Trees that see it tell them apart there too.
        let blind = Trees::fit(&lists, &[], &o, &[0], &|| false).unwrap().unwrap();
        let unseen = self::lists(11);
        assert!(auc(&one, &unseen) > 0.95, "{}", auc(&one, &unseen));
        assert!((auc(&blind, &unseen) - 0.5).abs() < 0.05, "{}", auc(&blind, &unseen));
        let mut without = unseen[0].x.clone();
        without.chunks_exact_mut(WIDTH).for_each(|row| row[0] = 0.5);
        assert_eq!(blind.score(&unseen[0].x), blind.score(&without), "a hidden feature is read");
        assert_eq!(Trees::fit(&lists, &[], &o, &[], &|| true).unwrap(), None);
    }

    #[test]
    fn standard_scores_have_no_scale() {
        let mut scores = vec![3.0, 5.0, 7.0];
        standardise(&mut scores);
        assert!((scores[2] - 1.5f32.sqrt()).abs() < 1e-6 && scores[1] == 0.0, "{scores:?}");
        let mut alike = vec![2.0; 3];
        standardise(&mut alike);
        assert_eq!(alike, [0.0; 3]);
    }
}
