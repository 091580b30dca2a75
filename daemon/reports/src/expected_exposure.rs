//! Expected exposure (Diaz et al. 2020): how far the exposure of items is from what a policy that treats equally relevant items equally
//! would give them (METRICS.md section 4).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::exposure::ExposureModel;
use crate::value::Undefined;

/// The three figures of one user. loss = disparity − relevance + ‖t‖².
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExpectedExposure {
    /// EEL: ‖e − t‖², 0 is ideal.
    pub loss: f64,
    /// EED: ‖e‖².
    pub disparity: f64,
    /// EER: 2 e·t.
    pub relevance: f64,
    /// ‖t‖².
    pub target: f64,
}

/// The target exposure of an exposure model over one catalogue: what every relevant and every other item should get.
#[derive(Clone, Debug)]
pub struct TargetExposure {
    /// Σ v over the first m ranks, at m.
    cumulative: Vec<f64>,
    at: Vec<f64>,
}

impl TargetExposure {
    /// The target for `catalogue` eligible items.
    #[must_use]
    pub fn new(catalogue: usize, model: &impl ExposureModel) -> Self {
        let at: Vec<f64> = (0..catalogue).map(|position| model.at(position)).collect();
        let mut cumulative = Vec::with_capacity(catalogue + 1);
        let mut sum = 0.0;
        cumulative.push(0.0);
        for value in &at {
            sum += value;
            cumulative.push(sum);
        }
        Self { cumulative, at }
    }

    /// EEL, EED and EER of one user, whose lists (several, if the policy is random) are averaged.
    ///
    /// The target shares the first m ranks among the m relevant items and the other ranks among the rest, whether shown or not.
    ///
    /// # Errors
    /// [`Undefined::NoObservations`] without lists, [`Undefined::EmptyTruth`] without relevant items, [`Undefined::BadParameter`] for
    /// an item outside the catalogue, an item listed twice or more ranks than items.
    pub fn evaluate<L: AsRef<[u32]>>(&self, lists: &[L], relevant: &[u32]) -> Result<ExpectedExposure, Undefined> {
        let n = self.at.len();
        let relevant: BTreeSet<u32> = relevant.iter().copied().collect();
        if lists.is_empty() {
            return Err(Undefined::NoObservations);
        }
        if relevant.is_empty() {
            return Err(Undefined::EmptyTruth);
        }
        if relevant.iter().any(|item| *item as usize >= n) {
            return Err(Undefined::BadParameter);
        }
        let mut exposure: BTreeMap<u32, f64> = BTreeMap::new();
        for list in lists.iter().map(AsRef::as_ref) {
            let distinct: BTreeSet<u32> = list.iter().copied().collect();
            if distinct.len() != list.len() || distinct.last().is_some_and(|item| *item as usize >= n) {
                return Err(Undefined::BadParameter);
            }
            for (position, item) in list.iter().enumerate() {
                *exposure.entry(*item).or_default() += self.at[position] / lists.len() as f64;
            }
        }
        let m = relevant.len();
        let (own, all) = (self.cumulative[m], self.cumulative[n]);
        let wanted = own / m as f64;
        let rest = if n > m { (all - own) / (n - m) as f64 } else { 0.0 };
        let disparity: f64 = exposure.values().map(|seen| seen * seen).sum();
        let product: f64 =
            exposure.iter().map(|(item, seen)| seen * if relevant.contains(item) { wanted } else { rest }).sum();
        let target = m as f64 * wanted * wanted + (n - m) as f64 * rest * rest;
        Ok(ExpectedExposure { loss: disparity - 2.0 * product + target, disparity, relevance: 2.0 * product, target })
    }
}
