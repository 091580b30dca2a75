//! The network itself: from rows to user vectors and the terms that are added to the scores.
//!
//! Pre-norm transformer (Xiong et al., ICML 2020) in two streams over the same weights: tokens see the tokens of their own and earlier baskets,
//! questions see the tokens of the baskets before their moment, nothing sees a question. In the last layer only questions are computed.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::arrange::Rows;
use super::baskets::{COUNT_BUCKETS, TIME_BUCKETS};
use super::options::{BehaviourOptions, KINDS};
use super::popularity::HORIZONS;
use super::prices::BANDS;
use super::repeat::{FEATURES, SINCE};
use crate::error::{LearnError, Result};
use crate::ops::affine::{affine, projection};
use crate::ops::dropout::{DropKey, dropout};
use crate::ops::gelu::gelu;
use crate::ops::norm::layer_norm;
use crate::ops::prefix::prefix_attention;

/// Columns of an item vector behind its embedding: how readily it is taken again, and how that changes with the days since.
pub(crate) const EXTRA: usize = 2;
/// Width inside the repeat term.
const REPEAT_INNER: usize = 16;
const EPS: f64 = 1e-5;

/// What fixes the shapes of the weights.
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

impl Dims {
    pub(crate) fn new(o: &BehaviourOptions, text: usize, items: usize) -> Self {
        Self { width: o.width, layers: o.layers, heads: o.heads, inner: o.inner, text, items }
    }

    /// Name, shape and largest starting value of every tensor that trains; a negative one means that all values start with its size.
    pub(crate) fn tensors(&self) -> Vec<(String, Vec<usize>, f32)> {
        let (d, even) = (self.width, |n: usize| (3.0 / n as f32).sqrt());
        let mut all: Vec<(String, Vec<usize>, f32)> = Vec::new();
        let mut add = |name: &str, shape: &[usize], size: f32| all.push((name.to_owned(), shape.to_vec(), size));
        if self.text > 0 {
            add("text.weight", &[d + EXTRA, self.text], even(d));
        }
        add("item.residual", &[self.items, d + EXTRA], 0.0);
        add("token.weight", &[d, d], even(d));
        add("token.bias", &[d], 0.0);
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
            add(&format!("{name}.weight"), &[rows, d], 0.1);
        }
        for l in 0..self.layers {
            let mut add = |name: &str, shape: &[usize], size| add(&format!("layers.{l}.{name}"), shape, size);
            for norm in ["norm1", "norm2"] {
                add(&format!("{norm}.gamma"), &[d], -1.0);
                add(&format!("{norm}.beta"), &[d], 0.0);
            }
            for (name, out, inner) in [
                ("query", d, d),
                ("keyvalue", 2 * d, d),
                ("output", d, d),
                ("in", self.inner, d),
                ("out", d, self.inner),
            ] {
                add(&format!("{name}.weight"), &[out, inner], even(inner));
                add(&format!("{name}.bias"), &[out], 0.0);
            }
            add("time", &[self.heads, TIME_BUCKETS], 0.02);
        }
        add("norm.gamma", &[d], -1.0);
        add("norm.beta", &[d], 0.0);
        add("user.weight", &[d, d], even(d));
        add("user.bias", &[d], 0.0);
        add("prior.weight", &[HORIZONS, d], 0.01);
        // The prior starts as popularity itself: a third of each half-life's.
        add("prior.bias", &[HORIZONS], -1.0 / HORIZONS as f32);
        add("repeat.gate", &[1, d], 0.01);
        add("repeat.in.weight", &[REPEAT_INNER, FEATURES], even(FEATURES));
        add("repeat.in.bias", &[REPEAT_INNER], 0.1);
        add("repeat.out.weight", &[1, REPEAT_INNER], 0.1);
        add("repeat.skip.weight", &[1, FEATURES], 0.01);
        add("repeat.skip.bias", &[1], 0.0);
        all
    }
}

/// What the graph makes of the questions.
pub(crate) struct Answers {
    /// `[questions, width]`: times item embeddings gives scores.
    pub(crate) users: Tensor,
    /// `[questions, HORIZONS]`: weights of the popularity features.
    pub(crate) prior: Tensor,
    /// `[questions, 1]`: how readily each shopper takes things again.
    pub(crate) gate: Tensor,
}

/// Rows of the repeat term.
pub(crate) struct RepeatRows {
    /// `[had, FEATURES]`.
    pub(crate) x: Tensor,
    /// Row of [`Answers::gate`] of each.
    pub(crate) question: Tensor,
    /// Row of the item table of each.
    pub(crate) item: Tensor,
}

/// Weights by name with the forward pass over them.
#[derive(Debug, Clone)]
pub(crate) struct Graph {
    pub(crate) dims: Dims,
    pub(crate) weights: BTreeMap<String, Tensor>,
}

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

    /// Vectors `[rows, width + EXTRA]` from centred text `[rows, text]`; zeros without text.
    pub(crate) fn texts(&self, text: &Tensor) -> Result<Tensor> {
        let rows = text.dim(0)?;
        if self.dims.text == 0 || rows == 0 {
            return Ok(Tensor::zeros((rows, self.dims.width + EXTRA), candle_core::DType::F32, &Device::Cpu)?);
        }
        Ok(projection(text, self.get("text.weight")?)?)
    }

    /// Vectors of items: text and id residual. `keep [items, 1]`, where given, is 0 for items that must do without the residual.
    pub(crate) fn items(&self, items: &[u32], text: &Tensor, keep: Option<&Tensor>) -> Result<Tensor> {
        let residual = self.get("item.residual")?.index_select(&index(items.to_vec())?, 0)?;
        let residual = match keep {
            Some(keep) => residual.broadcast_mul(keep)?,
            None => residual,
        };
        Ok((self.texts(text)? + residual)?)
    }

    /// Token states before the first layer. `table` are item vectors followed by query vectors, `row_of` the row of each token in it.
    fn tokens(
        &self,
        rows: &Rows,
        table: &Tensor,
        row_of: Vec<u32>,
        drop: Option<DropKey>,
        share: f64,
    ) -> Result<Tensor> {
        let d = self.dims.width;
        // Chosen first and cut then: the table may hold a whole catalogue.
        let x = table.index_select(&index(row_of)?, 0)?.narrow(1, 0, d)?.contiguous()?;
        let mut x = self.linear(&x, "token")?;
        let tables = [
            ("kind", &rows.kinds),
            ("gap", &rows.gaps),
            ("price", &rows.prices),
            ("quantity", &rows.quantities),
            ("times", &rows.times),
            ("since", &rows.since),
        ];
        for (name, rows) in tables {
            x = (x + self.look_up(name, rows)?)?;
        }
        match drop {
            Some(key) => Ok(dropout(&x, share, key, 0)?),
            None => Ok(x),
        }
    }

    fn attend(&self, x: &Tensor, kv: &Tensor, l: usize, sight: &Arc<crate::ops::prefix::Sight>) -> Result<Tensor> {
        let q = self.linear(x, &format!("layers.{l}.query"))?;
        let seen = prefix_attention(&q, kv, self.get(&format!("layers.{l}.time"))?, sight)?;
        self.linear(&seen, &format!("layers.{l}.output"))
    }

    fn feed(&self, x: &Tensor, l: usize) -> Result<Tensor> {
        let inner = gelu(&self.linear(&self.norm(x, &format!("layers.{l}.norm2"))?, &format!("layers.{l}.in"))?)?;
        self.linear(&inner, &format!("layers.{l}.out"))
    }

    /// Answers to the questions of a batch.
    ///
    /// # Errors
    /// When the tensor library fails.
    pub(crate) fn answers(
        &self,
        rows: Rows,
        table: &Tensor,
        row_of: Vec<u32>,
        drop: Option<DropKey>,
        share: f64,
    ) -> Result<Answers> {
        let lose = |x: Tensor, place: usize| match drop {
            Some(key) => dropout(&x, share, key, place as u32),
            None => Ok(x),
        };
        let mut y = (self.look_up("idle", &rows.idle)? + self.look_up("visits", &rows.visits)?)?;
        if !row_of.is_empty() {
            let mut x = self.tokens(&rows, table, row_of, drop, share)?;
            let (tokens_see, questions_see) = (Arc::new(rows.tokens_see), Arc::new(rows.questions_see));
            for l in 0..self.dims.layers {
                let name = format!("layers.{l}.norm1");
                let normed = self.norm(&x, &name)?;
                let kv = self.linear(&normed, &format!("layers.{l}.keyvalue"))?;
                let seen = self.attend(&self.norm(&y, &name)?, &kv, l, &questions_see)?;
                y = (y + lose(seen, 4 * l + 1)?)?;
                y = (&y + lose(self.feed(&y, l)?, 4 * l + 2)?)?;
                if l + 1 < self.dims.layers {
                    let seen = self.attend(&normed, &kv, l, &tokens_see)?;
                    x = (x + lose(seen, 4 * l + 3)?)?;
                    x = (&x + lose(self.feed(&x, l)?, 4 * l + 4)?)?;
                }
            }
        }
        let y = self.norm(&y, "norm")?;
        let prior = self.linear(&y, "prior")?;
        let gate = y.matmul(&self.get("repeat.gate")?.t()?)?;
        Ok(Answers { users: self.linear(&y, "user")?, prior, gate })
    }

    /// Scores `[had]` of the repeat term. `table` as in [`Graph::answers`].
    ///
    /// # Errors
    /// When the tensor library fails.
    pub(crate) fn repeats(&self, rows: &RepeatRows, answers: &Answers, table: &Tensor) -> Result<Tensor> {
        let n = rows.x.dim(0)?;
        if n == 0 {
            return Ok(Tensor::zeros(0, candle_core::DType::F32, &Device::Cpu)?);
        }
        let inner = self.linear(&rows.x, "repeat.in")?.relu()?;
        let curve = inner.matmul(&self.get("repeat.out.weight")?.t()?)?;
        let line = affine(&rows.x, self.get("repeat.skip.weight")?, self.get("repeat.skip.bias")?)?;
        let gate = answers.gate.index_select(&rows.question, 0)?;
        let own = table.index_select(&rows.item, 0)?.narrow(1, self.dims.width, EXTRA)?;
        let since = (own.narrow(1, 1, 1)? * rows.x.narrow(1, SINCE, 1)?)?;
        Ok(((((curve + line)? + gate)? + own.narrow(1, 0, 1)?)? + since)?.flatten_all()?)
    }
}
