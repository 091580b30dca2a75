//! The Gaussian mechanism on the sum of users' gradients.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};

use super::random::PrivateRng;
use crate::error::Result;
use crate::micro_batch::add_gradient;

/// Sum of clipped gradients, and its noisy release. Whatever gradients are added, taking one away changes the sum by at most `clip`.
#[derive(Debug)]
pub struct ClippedSum {
    clip: f64,
    sum: BTreeMap<String, Tensor>,
}

impl ClippedSum {
    /// An empty sum; `clip` is the largest norm of a contribution.
    #[must_use]
    pub fn new(clip: f64) -> Self {
        Self { clip, sum: BTreeMap::new() }
    }

    /// Factor that brings a gradient of this norm to at most `clip`.
    #[must_use]
    pub fn factor(&self, norm: f64) -> f64 {
        if norm > self.clip { self.clip / norm } else { 1.0 }
    }

    /// Adds the gradient of one user, clipped over all parameters together. A gradient that is not finite adds nothing: it must neither
    /// break the run nor the bound.
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn add(&mut self, gradient: &BTreeMap<String, Tensor>) -> Result<()> {
        let norm = norm(gradient)?;
        if !norm.is_finite() {
            return Ok(());
        }
        let factor = self.factor(norm);
        for (name, part) in gradient {
            add_gradient(&mut self.sum, name, &(part * factor)?)?;
        }
        Ok(())
    }

    /// The sum with noise of standard deviation `noise * clip` on every element of every variable, divided by `expected_batch`. A variable
    /// that no gradient touched gets its noise like the others.
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn release(
        mut self,
        vars: &BTreeMap<String, Var>,
        noise: f64,
        expected_batch: f64,
        rng: &mut PrivateRng,
    ) -> Result<BTreeMap<String, Tensor>> {
        let mut released = BTreeMap::new();
        for (name, var) in vars {
            let mut total = match self.sum.remove(name) {
                Some(sum) => sum,
                None => var.zeros_like()?.detach(),
            };
            if noise > 0.0 {
                let values = rng.gaussian(var.elem_count(), noise * self.clip);
                total = (total + Tensor::from_vec(values, var.shape(), var.device())?)?;
            }
            released.insert(name.clone(), (total / expected_batch)?.detach());
        }
        Ok(released)
    }
}

/// Euclidean norm over all tensors together.
fn norm(gradient: &BTreeMap<String, Tensor>) -> Result<f64> {
    let mut square = 0f64;
    for part in gradient.values() {
        square += f64::from(part.sqr()?.sum_all()?.to_scalar::<f32>()?);
    }
    Ok(square.sqrt())
}
