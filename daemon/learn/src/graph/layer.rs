//! One transformer layer: linear layers with or without adapter, layer norms, attention.

use candle_core::Tensor;
use mercer_model::HiddenAct;

use crate::error::Result;
use crate::ops::attention::{Spans, attention};
use crate::ops::dropout::{DropKey, dropout};
use crate::ops::{composed, gelu::gelu, linear::frozen_linear, norm};

/// A linear layer: frozen, frozen with an adapter, or trainable.
#[derive(Debug)]
pub(super) struct Linear {
    pub(super) w: Tensor,
    pub(super) b: Tensor,
    pub(super) trains: bool,
    pub(super) lora: Option<LowRank>,
}

/// The low-rank path beside a frozen weight.
#[derive(Debug)]
pub(super) struct LowRank {
    pub(super) a: Tensor,
    pub(super) b: Tensor,
    /// Weight of each rank (AdaLoRA).
    pub(super) e: Option<Tensor>,
    pub(super) scale: f64,
    pub(super) dropout: f64,
    /// Number that tells the adapter's dropout mask from those of other adapters.
    pub(super) place: u32,
}

impl Linear {
    pub(super) fn forward(&self, x: &Tensor, drop: Option<DropKey>) -> Result<Tensor> {
        if self.trains {
            return Ok(composed::linear(x, &self.w, &self.b)?);
        }
        let y = frozen_linear(x, &self.w, &self.b)?;
        let Some(l) = &self.lora else { return Ok(y) };
        let x = match drop {
            Some(key) => dropout(x, l.dropout, key, l.place)?,
            None => x.clone(),
        };
        let low = (x.matmul(&l.a.t()?)? * l.scale)?;
        let low = match &l.e {
            Some(e) => low.broadcast_mul(e)?,
            None => low,
        };
        Ok((y + low.matmul(&l.b.t()?)?)?)
    }
}

/// A layer norm, frozen or trainable.
#[derive(Debug)]
pub(super) struct Norm {
    pub(super) gamma: Tensor,
    pub(super) beta: Tensor,
    pub(super) trains: bool,
    pub(super) eps: f64,
}

impl Norm {
    /// Layer norm of `x + skip`.
    pub(super) fn forward(&self, x: &Tensor, skip: &Tensor) -> Result<Tensor> {
        Ok(if self.trains {
            norm::layer_norm(&(x + skip)?, &self.gamma, &self.beta, self.eps)?
        } else {
            norm::add_layer_norm(x, skip, &self.gamma, &self.beta, self.eps)?
        })
    }
}

/// One transformer layer, layer norm after each residual sum.
#[derive(Debug)]
pub struct Layer {
    pub(super) query: Linear,
    pub(super) key: Linear,
    pub(super) value: Linear,
    pub(super) output: Linear,
    pub(super) inner: Linear,
    pub(super) outer: Linear,
    pub(super) attention_norm: Norm,
    pub(super) output_norm: Norm,
    pub(super) heads: usize,
    pub(super) act: HiddenAct,
}

impl Layer {
    /// `[tokens, hidden]` to the same shape; `drop` is given while training.
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn forward(&self, x: &Tensor, spans: &Spans, drop: Option<DropKey>) -> Result<Tensor> {
        let (q, k, v) = (self.query.forward(x, drop)?, self.key.forward(x, drop)?, self.value.forward(x, drop)?);
        let context = attention(&q, &k, &v, spans, self.heads)?;
        let x = self.attention_norm.forward(&self.output.forward(&context, drop)?, x)?;
        let inner = self.inner.forward(&x, drop)?;
        let inner = match self.act {
            HiddenAct::Gelu => gelu(&inner)?,
            HiddenAct::GeluTanh => inner.gelu()?,
            HiddenAct::Relu => inner.relu()?,
        };
        self.output_norm.forward(&self.outer.forward(&inner, drop)?, &x)
    }
}
