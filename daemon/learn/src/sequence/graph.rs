//! Forward pass: from token batches to user vectors, prior weights and repeat scores.
//!
//! A pre-norm transformer (Xiong et al., ICML 2020) in two streams over the same weights: tokens attend to tokens of their own and earlier
//! baskets, prediction points attend to tokens of the baskets before their moment, nothing attends to a point. The last layer computes points
//! only.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::collate::TokenBatch;
use super::history::{COUNT_BUCKETS, TIME_BUCKETS};
use super::options::{KINDS, SequenceOptions};
use super::popularity::HORIZONS;
use super::price_bands::BANDS;
use super::repeats::{FEATURES, SINCE};
use crate::error::{LearnError, Result};
use crate::ops::affine::{affine, projection};
use crate::ops::dropout::{DropKey, dropout};
use crate::ops::gelu::gelu;
use crate::ops::norm::layer_norm;
use crate::ops::prefix::{PrefixMask, prefix_attention};

/// Columns of an item vector behind its embedding: the item's repeat bias, and its slope over the logarithm of days since the last time.
pub(crate) const EXTRA: usize = 2;
/// Hidden width of the repeat term.
const REPEAT_INNER: usize = 16;
const EPS: f64 = 1e-5;

/// Sizes that determine the shapes of the weights. Stored in the header of a model file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Dims {
    pub(crate) width: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    pub(crate) inner: usize,
    /// Width of text vectors; 0 without text.
    pub(crate) text: usize,
    /// Items with an id residual.
    pub(crate) items: usize,
}

/// Name, shape and initial values of a trainable tensor.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TensorSpec {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) init: Init,
}

/// Initial values of a tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Init {
    /// Uniform between minus and plus this value.
    Uniform(f32),
    /// All equal.
    Constant(f32),
}

impl Dims {
    pub(crate) fn new(o: &SequenceOptions, text: usize, items: usize) -> Self {
        Self { width: o.width, layers: o.layers, heads: o.heads, inner: o.inner, text, items }
    }

    /// Every trainable tensor with its shape and initial values.
    pub(crate) fn tensors(&self) -> Vec<TensorSpec> {
        let (d, even) = (self.width, |n: usize| Init::Uniform((3.0 / n as f32).sqrt()));
        let mut all: Vec<TensorSpec> = Vec::new();
        let mut add = |name: &str, shape: &[usize], init: Init| {
            all.push(TensorSpec { name: name.to_owned(), shape: shape.to_vec(), init });
        };
        if self.text > 0 {
            add("text.weight", &[d + EXTRA, self.text], even(d));
        }
        add("item.residual", &[self.items, d + EXTRA], Init::Uniform(0.0));
        add("token.weight", &[d, d], even(d));
        add("token.bias", &[d], Init::Uniform(0.0));
        let tables = [
            ("kind", KINDS),
            ("gap", TIME_BUCKETS),
            ("price", BANDS),
            ("quantity", COUNT_BUCKETS),
            ("times", COUNT_BUCKETS),
            ("since", TIME_BUCKETS),
            ("idle", TIME_BUCKETS),
            ("visits", COUNT_BUCKETS),
        ];
        for (name, rows) in tables {
            add(&format!("{name}.weight"), &[rows, d], Init::Uniform(0.1));
        }
        for l in 0..self.layers {
            let mut add = |name: &str, shape: &[usize], init| add(&format!("layers.{l}.{name}"), shape, init);
            for norm in ["norm1", "norm2"] {
                add(&format!("{norm}.gamma"), &[d], Init::Constant(1.0));
                add(&format!("{norm}.beta"), &[d], Init::Uniform(0.0));
            }
            for (name, out, inner) in [
                ("query", d, d),
                ("keyvalue", 2 * d, d),
                ("output", d, d),
                ("in", self.inner, d),
                ("out", d, self.inner),
            ] {
                add(&format!("{name}.weight"), &[out, inner], even(inner));
                add(&format!("{name}.bias"), &[out], Init::Uniform(0.0));
            }
            add("time", &[self.heads, TIME_BUCKETS], Init::Uniform(0.02));
        }
        add("norm.gamma", &[d], Init::Constant(1.0));
        add("norm.beta", &[d], Init::Uniform(0.0));
        add("user.weight", &[d, d], even(d));
        add("user.bias", &[d], Init::Uniform(0.0));
        add("prior.weight", &[HORIZONS, d], Init::Uniform(0.01));
        // The prior starts as the mean popularity over the half-lives.
        add("prior.bias", &[HORIZONS], Init::Constant(1.0 / HORIZONS as f32));
        add("repeat.gate", &[1, d], Init::Uniform(0.01));
        add("repeat.in.weight", &[REPEAT_INNER, FEATURES], even(FEATURES));
        add("repeat.in.bias", &[REPEAT_INNER], Init::Uniform(0.1));
        add("repeat.out.weight", &[1, REPEAT_INNER], Init::Uniform(0.1));
        add("repeat.skip.weight", &[1, FEATURES], Init::Uniform(0.01));
        add("repeat.skip.bias", &[1], Init::Uniform(0.0));
        all
    }
}

/// Outputs of the graph per prediction point.
pub(crate) struct PointOutputs {
    /// `[points, width]`; times item embeddings gives scores.
    pub(crate) user_vectors: Tensor,
    /// `[points, HORIZONS]`: weights on the popularity features.
    pub(crate) prior: Tensor,
    /// `[points, 1]`: each user's repeat bias.
    pub(crate) gate: Tensor,
}

/// Inputs of the repeat term, one row per candidate of each point.
pub(crate) struct RepeatBatch {
    /// `[rows, FEATURES]`.
    pub(crate) x: Tensor,
    /// Row of [`PointOutputs::gate`] of each.
    pub(crate) point: Tensor,
    /// Row of the item table of each.
    pub(crate) item: Tensor,
}

/// Inputs of one forward pass.
pub(crate) struct GraphInput<'a> {
    pub(crate) batch: TokenBatch,
    /// Item vectors followed by query vectors.
    pub(crate) table: &'a Tensor,
    /// Row of each token in `table`.
    pub(crate) row_of: Vec<u32>,
    /// Given while training.
    pub(crate) dropout: Option<InputDropout>,
}

/// Dropout of a training step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InputDropout {
    pub(crate) key: DropKey,
    /// Share of values set to zero.
    pub(crate) share: f64,
}

impl GraphInput<'_> {
    /// Applies dropout while training; `place` numbers the masks of a step.
    fn drop(&self, x: Tensor, place: usize) -> Result<Tensor> {
        match self.dropout {
            Some(InputDropout { key, share }) => Ok(dropout(&x, share, key, place as u32)?),
            None => Ok(x),
        }
    }
}

/// Weights by name, and the forward pass over them.
#[derive(Debug, Clone)]
pub(crate) struct Graph {
    pub(crate) dims: Dims,
    pub(crate) weights: BTreeMap<String, Tensor>,
}

/// Row numbers as a tensor.
pub(crate) fn index(values: Vec<u32>) -> Result<Tensor> {
    let n = values.len();
    Ok(Tensor::from_vec(values, n, &Device::Cpu)?)
}

impl Graph {
    pub(crate) fn get(&self, name: &str) -> Result<&Tensor> {
        self.weights.get(name).ok_or_else(|| LearnError::TensorMissing { name: name.to_owned() })
    }

    fn linear(&self, x: &Tensor, name: &str) -> Result<Tensor> {
        Ok(affine(x, self.get(&format!("{name}.weight"))?, self.get(&format!("{name}.bias"))?)?)
    }

    fn norm(&self, x: &Tensor, name: &str) -> Result<Tensor> {
        let (gamma, beta) = (self.get(&format!("{name}.gamma"))?, self.get(&format!("{name}.beta"))?);
        Ok(layer_norm(x, gamma, beta, EPS)?)
    }

    fn look_up(&self, name: &str, rows: &[u32]) -> Result<Tensor> {
        Ok(self.get(&format!("{name}.weight"))?.index_select(&index(rows.to_vec())?, 0)?)
    }

    /// Vectors `[rows, width + EXTRA]` from normalised text vectors `[rows, text]`; zeros without text.
    pub(crate) fn texts(&self, text: &Tensor) -> Result<Tensor> {
        let rows = text.dim(0)?;
        if self.dims.text == 0 || rows == 0 {
            return Ok(Tensor::zeros((rows, self.dims.width + EXTRA), candle_core::DType::F32, &Device::Cpu)?);
        }
        Ok(projection(text, self.get("text.weight")?)?)
    }

    /// Vectors of items: text plus id residual. `keep [items, 1]`, if given, is 0 for items whose residual is dropped.
    pub(crate) fn items(&self, items: &[u32], text: &Tensor, keep: Option<&Tensor>) -> Result<Tensor> {
        let residual = self.get("item.residual")?.index_select(&index(items.to_vec())?, 0)?;
        let residual = match keep {
            Some(keep) => residual.broadcast_mul(keep)?,
            None => residual,
        };
        Ok((self.texts(text)? + residual)?)
    }

    /// Token states before the first layer.
    fn tokens(&self, input: &GraphInput<'_>) -> Result<Tensor> {
        let (batch, d) = (&input.batch, self.dims.width);
        // Selected before it is narrowed: the table may hold a whole catalogue.
        let x = input.table.index_select(&index(input.row_of.clone())?, 0)?.narrow(1, 0, d)?.contiguous()?;
        let mut x = self.linear(&x, "token")?;
        let tables = [
            ("kind", &batch.kinds),
            ("gap", &batch.gaps),
            ("price", &batch.prices),
            ("quantity", &batch.quantities),
            ("times", &batch.times),
            ("since", &batch.since),
        ];
        for (name, rows) in tables {
            x = (x + self.look_up(name, rows)?)?;
        }
        input.drop(x, 0)
    }

    fn attend(&self, x: &Tensor, kv: &Tensor, l: usize, mask: &Arc<PrefixMask>) -> Result<Tensor> {
        let q = self.linear(x, &format!("layers.{l}.query"))?;
        let seen = prefix_attention(&q, kv, self.get(&format!("layers.{l}.time"))?, mask)?;
        self.linear(&seen, &format!("layers.{l}.output"))
    }

    fn feed_forward(&self, x: &Tensor, l: usize) -> Result<Tensor> {
        let inner = gelu(&self.linear(&self.norm(x, &format!("layers.{l}.norm2"))?, &format!("layers.{l}.in"))?)?;
        self.linear(&inner, &format!("layers.{l}.out"))
    }

    /// Outputs for the prediction points of a batch.
    ///
    /// # Errors
    /// When the tensor library fails.
    pub(crate) fn forward(&self, mut input: GraphInput<'_>) -> Result<PointOutputs> {
        let mut y = (self.look_up("idle", &input.batch.idle)? + self.look_up("visits", &input.batch.visits)?)?;
        if !input.row_of.is_empty() {
            let mut x = self.tokens(&input)?;
            let token_mask = Arc::new(std::mem::take(&mut input.batch.token_mask));
            let point_mask = Arc::new(std::mem::take(&mut input.batch.point_mask));
            for l in 0..self.dims.layers {
                let name = format!("layers.{l}.norm1");
                let normed = self.norm(&x, &name)?;
                let kv = self.linear(&normed, &format!("layers.{l}.keyvalue"))?;
                let seen = self.attend(&self.norm(&y, &name)?, &kv, l, &point_mask)?;
                y = (y + input.drop(seen, 4 * l + 1)?)?;
                y = (&y + input.drop(self.feed_forward(&y, l)?, 4 * l + 2)?)?;
                if l + 1 < self.dims.layers {
                    let seen = self.attend(&normed, &kv, l, &token_mask)?;
                    x = (x + input.drop(seen, 4 * l + 3)?)?;
                    x = (&x + input.drop(self.feed_forward(&x, l)?, 4 * l + 4)?)?;
                }
            }
        }
        let y = self.norm(&y, "norm")?;
        let prior = self.linear(&y, "prior")?;
        let gate = y.matmul(&self.get("repeat.gate")?.t()?)?;
        Ok(PointOutputs { user_vectors: self.linear(&y, "user")?, prior, gate })
    }

    /// Scores `[rows]` of the repeat term. `table` as in [`GraphInput`].
    ///
    /// # Errors
    /// When the tensor library fails.
    pub(crate) fn repeats(&self, rows: &RepeatBatch, points: &PointOutputs, table: &Tensor) -> Result<Tensor> {
        let n = rows.x.dim(0)?;
        if n == 0 {
            return Ok(Tensor::zeros(0, candle_core::DType::F32, &Device::Cpu)?);
        }
        let inner = self.linear(&rows.x, "repeat.in")?.relu()?;
        let curve = inner.matmul(&self.get("repeat.out.weight")?.t()?)?;
        let line = affine(&rows.x, self.get("repeat.skip.weight")?, self.get("repeat.skip.bias")?)?;
        let gate = points.gate.index_select(&rows.point, 0)?;
        let own = table.index_select(&rows.item, 0)?.narrow(1, self.dims.width, EXTRA)?;
        let since = (own.narrow(1, 1, 1)? * rows.x.narrow(1, SINCE, 1)?)?;
        Ok(((((curve + line)? + gate)? + own.narrow(1, 0, 1)?)? + since)?.flatten_all()?)
    }
}
