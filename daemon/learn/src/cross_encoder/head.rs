//! The head: a linear layer from the token states of a pair to one log-odds.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, Var};
use mercer_model::Pooling;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::layout::PackedPairs;
use crate::error::{LearnError, Result};
use crate::graph::{TunableEncoder, unit_rows};
use crate::ops::attention::Spans;
use crate::ops::dropout::{DropKey, dropout};
use crate::ops::pool;

/// Name of the trainable weight.
pub(super) const WEIGHT: &str = "head.weight";
/// Name of the trainable bias.
pub(super) const BIAS: &str = "head.bias";
/// Number of the head's dropout mask; adapters count from 0.
const PLACE: u32 = u32::MAX;
/// The head learns this much faster than the pretrained encoder: its stored weights are smaller by the factor.
const SPEED: f64 = 5.0;
/// Initial log-odds of a pair with cosine 1.
const SLOPE: f64 = 10.0;

/// What the linear layer reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeadKind {
    /// The encoder's pooling over each side: direction of the sum, and component-wise product.
    Pooled,
    /// The state of the first token.
    First,
}

/// Weights of the head, tensors on their device.
#[derive(Debug, Clone)]
pub struct HeadWeights {
    /// `[1, width]`.
    pub weight: Tensor,
    /// `[1]`.
    pub bias: Tensor,
}

/// Dropout of a training step.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadDropout {
    pub(super) key: DropKey,
    /// Share of values dropped before the linear layer.
    pub(super) share: f64,
}

/// The head, trainable or fixed.
#[derive(Debug, Clone)]
pub(super) struct Head {
    kind: HeadKind,
    pooling: Pooling,
    /// `[1, width]`.
    weight: Tensor,
    /// `[1]`.
    bias: Tensor,
}

fn pooled(x: &Tensor, spans: &Spans, pooling: Pooling) -> Result<Tensor> {
    Ok(match pooling {
        Pooling::Mean => pool::span_mean(x, spans)?,
        Pooling::Cls => pool::span_first(x, spans)?,
        Pooling::Max => pool::span_max(x, spans)?,
    })
}

impl Head {
    /// Width of the linear layer's input.
    fn width(kind: HeadKind, hidden: usize) -> usize {
        match kind {
            HeadKind::Pooled => 2 * hidden,
            HeadKind::First => hidden,
        }
    }

    /// A trainable head and its variables. The pooled head starts at the cosine of both sides, the other one at small random weights.
    pub(super) fn start(
        kind: HeadKind,
        pooling: Pooling,
        hidden: usize,
        seed: u64,
        device: &Device,
    ) -> Result<(Self, BTreeMap<String, Var>)> {
        let width = Self::width(kind, hidden);
        let values: Vec<f32> = match kind {
            HeadKind::Pooled => {
                let each = (SLOPE / hidden as f64 / SPEED) as f32;
                (0..width).map(|i| if i < hidden { 0.0 } else { each }).collect()
            }
            HeadKind::First => {
                let mut rng = ChaCha8Rng::from_seed(*blake3::hash(format!("pair head {seed}").as_bytes()).as_bytes());
                (0..width).map(|_| rng.random_range(-0.01f32..0.01)).collect()
            }
        };
        let weight = Var::from_tensor(&Tensor::from_vec(values, (1, width), device)?)?;
        let bias = Var::from_tensor(&Tensor::zeros(1, DType::F32, device)?)?;
        let head = Self { kind, pooling, weight: weight.as_tensor().clone(), bias: bias.as_tensor().clone() };
        Ok((head, BTreeMap::from([(WEIGHT.to_owned(), weight), (BIAS.to_owned(), bias)])))
    }

    /// A head with trained weights.
    pub(super) fn fixed(
        kind: HeadKind,
        pooling: Pooling,
        hidden: usize,
        weights: &HeadWeights,
        device: &Device,
    ) -> Result<Self> {
        let HeadWeights { weight, bias } = weights;
        let width = Self::width(kind, hidden);
        for (name, t, expected) in [(WEIGHT, weight, vec![1, width]), (BIAS, bias, vec![1])] {
            if t.dims() != expected {
                return Err(LearnError::TensorShape { name: name.to_owned(), expected, found: t.dims().to_vec() });
            }
        }
        let (weight, bias) = (weight.to_device(device)?.detach(), bias.to_device(device)?.detach());
        Ok(Self { kind, pooling, weight, bias })
    }

    /// Bias for which pairs with these log-odds have, on average, the log-odds of the share of positives.
    pub(super) fn balanced(logits: &[f32], share: f64) -> f32 {
        let mean = logits.iter().map(|l| f64::from(*l)).sum::<f64>() / logits.len().max(1) as f64;
        let share = share.clamp(0.01, 0.99);
        (((share / (1.0 - share)).ln() - mean) / SPEED) as f32
    }

    /// Log-odds `[pairs]` from the output of the frozen layers; `drop` is given while training.
    pub(super) fn logits(
        &self,
        encoder: &TunableEncoder,
        packed: &PackedPairs,
        drop: Option<HeadDropout>,
    ) -> Result<Tensor> {
        let x = encoder.states(&packed.states, &packed.pairs, drop.map(|d| d.key))?;
        let z = match self.kind {
            HeadKind::First => pool::span_first(&x, &packed.pairs)?,
            HeadKind::Pooled => {
                let sides = unit_rows(&pooled(&x, &packed.sides, self.pooling)?)?;
                let (n, h) = (packed.pairs.texts(), sides.dim(1)?);
                let sides = sides.reshape((n, 2, h))?;
                let (a, b) = (sides.narrow(1, 0, 1)?.squeeze(1)?, sides.narrow(1, 1, 1)?.squeeze(1)?);
                // Both parts have components of about 1 whatever the width.
                let sum = (unit_rows(&(&a + &b)?)? * (h as f64).sqrt())?;
                let product = ((a * b)? * h as f64)?;
                Tensor::cat(&[sum, product], 1)?
            }
        };
        let z = match drop {
            Some(HeadDropout { key, share }) => dropout(&z, share, key, PLACE)?,
            None => z,
        };
        let scores = z.matmul(&self.weight.t()?)?.broadcast_add(&self.bias)?;
        Ok((scores.squeeze(1)? * SPEED)?)
    }
}
