//! The trainable graph of a BERT-family encoder (Devlin et al., arXiv 1810.04805) on packed texts.
//!
//! Layers below `split` are frozen and never part of a gradient; their output per text is what [`crate::cache`] keeps. Layers from `split` on
//! carry adapters ([`Method::Lora`], [`Method::AdaLora`]) or are variables themselves ([`Method::Full`]). Embeddings are always frozen: dense moments for a whole
//! vocabulary cost more than everything else and bring nothing. The encoder's own dropout stays off, otherwise frozen output could not be kept.
//!
//! The pair classifier is this graph with one more linear layer on top of [`Encoder::states`]. To extend: the behaviour network is [`Layer`]
//! with a causal form of `ops::attention` over item vectors instead of token states; it reuses `ops`, `optim`, `checkpoint` and the sampler
//! as they are.

mod build;
mod layer;

use std::collections::{BTreeMap, HashMap};

use candle_core::{D, DType, Device, Tensor, Var};
use mercer_model::{BertConfig, Pooling};
use serde::{Deserialize, Serialize};

use self::build::Builder;
pub use self::layer::Layer;
use self::layer::Norm;
use crate::adalora::{self, AdaLoraOptions};
use crate::error::{LearnError, Result};
use crate::lora::{self, Adapter, LoraOptions};
use crate::ops::attention::Spans;
use crate::ops::dropout::DropKey;
use crate::ops::pool;
use crate::texts::{TextId, TextTable};

/// What trains in the upper layers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Low-rank adapters, weights frozen.
    Lora(LoraOptions),
    /// Low-rank adapters whose ranks go where they matter, weights frozen.
    AdaLora(AdaLoraOptions),
    /// All weights of the upper layers.
    Full,
}

impl Method {
    /// Size and place of low-rank adapters, where this method trains some.
    #[must_use]
    pub fn lora(&self) -> Option<&LoraOptions> {
        match self {
            Self::Lora(lora) | Self::AdaLora(AdaLoraOptions { lora, .. }) => Some(lora),
            Self::Full => None,
        }
    }

    /// Why training by this method cannot go on from an adapter; `None` where it can. That they share a base is for the caller to see.
    #[must_use]
    pub fn refuses(&self, start: &Adapter) -> Option<String> {
        let rank = |most: usize, equal: bool| {
            let ranks = start.pairs.values().filter_map(|(a, _)| a.dim(0).ok());
            ranks.into_iter().find(|r| *r > most || (equal && *r != most))
        };
        let Some(lora) = self.lora() else {
            return (!start.pairs.is_empty()).then(|| "has low-rank pairs, all weights are to train".to_owned());
        };
        if !start.weights.is_empty() {
            return Some("has whole weights, low-rank pairs are to train".to_owned());
        }
        let (scale, expected) = (start.meta.scale, lora.alpha / lora.rank as f64);
        if scale != expected {
            return Some(format!("has scale {scale}, alpha / rank is {expected}"));
        }
        match self {
            Self::AdaLora(o) => {
                rank(o.initial, false).map(|r| format!("has rank {r}, the run begins with {}", o.initial))
            }
            _ => rank(lora.rank, true).map(|r| format!("has rank {r}, {} is to train", lora.rank)),
        }
    }
}

/// The checkpoint that is tuned: borrowed, never changed.
#[derive(Debug, Clone, Copy)]
pub struct Base<'a> {
    /// Architecture.
    pub config: &'a BertConfig,
    /// How token states become a vector.
    pub pooling: Pooling,
    /// Weights by Hugging Face name without a `bert.` prefix; any float type.
    pub tensors: &'a HashMap<String, Tensor>,
}

impl Base<'_> {
    /// A weight in f32 on `device`, with the shape that the configuration asks for.
    fn tensor(&self, name: &str, shape: &[usize], device: &Device) -> Result<Tensor> {
        let t = self.tensors.get(name).ok_or_else(|| LearnError::TensorMissing { name: name.to_owned() })?;
        if t.dims() != shape {
            return Err(LearnError::TensorShape {
                name: name.to_owned(),
                expected: shape.to_vec(),
                found: t.dims().to_vec(),
            });
        }
        Ok(t.detach().to_device(device)?.to_dtype(DType::F32)?.contiguous()?)
    }
}

/// BLAKE3 of all weights and of the architecture, in lower-case hexadecimal: what an adapter belongs to.
///
/// # Errors
/// [`LearnError::TensorMissing`] when the checkpoint is not whole.
pub fn fingerprint(base: Base<'_>) -> Result<String> {
    let mut hash = blake3::Hasher::new();
    hash.update(&serde_json::to_vec(base.config).map_err(candle_core::Error::wrap)?);
    for (name, shape) in base.config.tensor_shapes() {
        let t = base.tensor(&name, &shape, &Device::Cpu)?;
        hash.update(name.as_bytes());
        crate::ops::with_slice(&t, |values| {
            let mut bytes = Vec::with_capacity(1 << 16);
            for block in values.chunks(1 << 14) {
                bytes.clear();
                bytes.extend(block.iter().flat_map(|v| v.to_le_bytes()));
                hash.update(&bytes);
            }
            Ok(())
        })?;
    }
    Ok(hash.finalize().to_hex().to_string())
}

/// An encoder whose upper layers train.
#[derive(Debug)]
pub struct Encoder {
    words: Tensor,
    /// Position embeddings, from the first that is used, with the embedding of token type 0 added.
    positions: Tensor,
    norm: Norm,
    layers: Vec<Layer>,
    split: usize,
    vars: BTreeMap<String, Var>,
    config: BertConfig,
    pooling: Pooling,
    device: Device,
    method: Method,
    seed: u64,
}

impl Encoder {
    /// Builds the graph; the `upper` last layers train by `method`. Adapters start from `start` where it has the module, else seeded.
    ///
    /// # Errors
    /// [`LearnError::TensorMissing`] and [`LearnError::TensorShape`] for a checkpoint or adapter that does not fit, [`LearnError::Option`] for
    /// a rank, dropout or number of layers out of range.
    pub fn new(
        base: Base<'_>,
        method: &Method,
        upper: usize,
        seed: u64,
        start: Option<&Adapter>,
        device: &Device,
    ) -> Result<Self> {
        if let Method::AdaLora(ada) = method {
            ada.check()?;
        }
        if let Some(l) = method.lora() {
            let why = if !(1..=256).contains(&l.rank) {
                Some(("rank", format!("{} is not between 1 and 256", l.rank)))
            } else if !(0.0..1.0).contains(&l.dropout) {
                Some(("dropout", format!("{} is not between 0 and 1", l.dropout)))
            } else if !(l.alpha.is_finite() && l.alpha > 0.0) {
                Some(("alpha", format!("{} is not positive", l.alpha)))
            } else {
                None
            };
            if let Some((name, why)) = why {
                return Err(LearnError::Option { name, why });
            }
        }
        Self::build(base, method, upper, true, seed, start, device)
    }

    /// The same graph with nothing to train: [`Encoder::lower`] and [`Encoder::states`] part at the `upper` last layers.
    ///
    /// # Errors
    /// [`LearnError::TensorMissing`] and [`LearnError::TensorShape`] for a checkpoint that does not fit.
    pub fn frozen(base: Base<'_>, upper: usize, device: &Device) -> Result<Self> {
        Self::build(base, &Method::Full, upper, false, 0, None, device)
    }

    fn build(
        base: Base<'_>,
        method: &Method,
        upper: usize,
        trains: bool,
        seed: u64,
        start: Option<&Adapter>,
        device: &Device,
    ) -> Result<Self> {
        let config = base.config;
        if upper > config.num_hidden_layers {
            return Err(LearnError::Option {
                name: "upper_layers",
                why: format!("{upper} of {} layers", config.num_hidden_layers),
            });
        }
        let (h, at) = (config.hidden_size, config.position_offset());
        let split = config.num_hidden_layers - upper;
        let mut builder = Builder { base, method, device, seed, start, vars: BTreeMap::new(), adapters: 0 };
        let get = |name: &str, shape: &[usize]| base.tensor(name, shape, device);
        let positions = get("embeddings.position_embeddings.weight", &[config.max_position_embeddings, h])?.narrow(
            0,
            at,
            config.max_tokens(),
        )?;
        let kind = get("embeddings.token_type_embeddings.weight", &[config.type_vocab_size, h])?.narrow(0, 0, 1)?;
        let layers = (0..config.num_hidden_layers)
            .map(|i| builder.layer(i, trains && i >= split))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            words: get("embeddings.word_embeddings.weight", &[config.vocab_size, h])?,
            positions: positions.broadcast_add(&kind)?,
            norm: builder.norm("embeddings.LayerNorm", false)?,
            vars: builder.vars,
            layers,
            split,
            config: config.clone(),
            pooling: base.pooling,
            device: device.clone(),
            method: method.clone(),
            seed,
        })
    }

    /// Trainable tensors by name, sorted.
    #[must_use]
    pub fn vars(&self) -> &BTreeMap<String, Var> {
        &self.vars
    }

    /// Where the graph runs.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Architecture.
    #[must_use]
    pub fn config(&self) -> &BertConfig {
        &self.config
    }

    /// States after the frozen layers, `[tokens, hidden]`, without gradient. `between` is called after each layer.
    ///
    /// # Errors
    /// When the tensor library fails; texts must have passed [`TextTable::check`].
    pub fn lower(&self, texts: &TextTable, ids: &[TextId], mut between: impl FnMut()) -> Result<(Tensor, Spans)> {
        let spans = Spans::from_lengths(ids.iter().map(|id| texts.get(*id).len()));
        let n = spans.tokens();
        let (mut tokens, mut places) = (Vec::with_capacity(n), Vec::with_capacity(n));
        for id in ids {
            tokens.extend_from_slice(texts.get(*id));
            places.extend(0..texts.get(*id).len() as u32);
        }
        let words = self.words.index_select(&Tensor::from_vec(tokens, n, &self.device)?, 0)?;
        let places = self.positions.index_select(&Tensor::from_vec(places, n, &self.device)?, 0)?;
        let mut x = self.norm.forward(&words, &places)?;
        for layer in &self.layers[..self.split] {
            x = layer.forward(&x, &spans, None)?;
            between();
        }
        Ok((x, spans))
    }

    /// Token states after the last layer, from the states after the frozen ones.
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn states(&self, lower: &Tensor, spans: &Spans, drop: Option<DropKey>) -> Result<Tensor> {
        let mut x = lower.clone();
        for layer in &self.layers[self.split..] {
            x = layer.forward(&x, spans, drop)?;
        }
        Ok(x)
    }

    /// Unit vectors `[texts, hidden]` from the states after the frozen layers.
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn vectors(&self, lower: &Tensor, spans: &Spans, drop: Option<DropKey>) -> Result<Tensor> {
        let x = self.states(lower, spans, drop)?;
        let x = match self.pooling {
            Pooling::Mean => pool::span_mean(&x, spans)?,
            Pooling::Cls => pool::span_first(&x, spans)?,
            Pooling::Max => pool::span_max(&x, spans)?,
        };
        unit(&x)
    }

    /// Unit vectors `[texts, hidden]` of any texts, without dropout and without gradient: what the present weights make of them.
    ///
    /// # Errors
    /// [`LearnError::Text`] for a text that cannot be encoded.
    pub fn embed(&self, texts: &TextTable, ids: &[TextId]) -> Result<Tensor> {
        texts.check(ids.iter().copied(), self.config.vocab_size, self.config.max_tokens())?;
        let mut rows = Vec::new();
        for ids in ids.chunks(32) {
            let (x, spans) = self.lower(texts, ids, || ())?;
            rows.push(self.vectors(&x, &spans, None)?.detach());
        }
        if rows.is_empty() {
            return Ok(Tensor::zeros((0, self.config.hidden_size), DType::F32, &self.device)?);
        }
        Ok(Tensor::cat(&rows, 0)?)
    }

    /// What was learned so far, after `steps` steps on a base with this fingerprint.
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn learned(&self, base: String, steps: u64) -> Result<Adapter> {
        let copy = |name: &str| -> Result<Tensor> {
            let var = self.vars.get(name).ok_or_else(|| LearnError::TensorMissing { name: name.to_owned() })?;
            Ok(var.as_detached_tensor().copy()?)
        };
        let mut meta = lora::AdapterMeta { format: lora::ADAPTER_FORMAT, scale: 0.0, rank: 0, base, steps };
        let Some(l) = self.method.lora() else {
            let weights = self.vars.keys().map(|n| Ok((n.clone(), copy(n)?))).collect::<Result<_>>()?;
            return Ok(Adapter { meta, pairs: BTreeMap::new(), weights });
        };
        let mut pairs = BTreeMap::new();
        for layer in self.split..self.config.num_hidden_layers {
            for module in l.targets.modules() {
                let module = format!("encoder.layer.{layer}.{module}");
                let (a, b) = (copy(&lora::var_name(&module, 'A'))?, copy(&lora::var_name(&module, 'B'))?);
                let pair = match &self.method {
                    Method::AdaLora(_) => adalora::pair(&a, &b, &copy(&lora::var_name(&module, 'E'))?)?,
                    _ => Some((a, b)),
                };
                if let Some(pair) = pair {
                    meta.rank = meta.rank.max(pair.0.dim(0)?);
                    pairs.insert(module, pair);
                }
            }
        }
        meta.scale = l.alpha / l.rank as f64;
        Ok(Adapter { meta, pairs, weights: BTreeMap::new() })
    }

    /// Seed of adapters and dropout.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }
}

/// Rows scaled to length 1; a zero row stays zero.
pub(crate) fn unit(x: &Tensor) -> Result<Tensor> {
    let length = (x.sqr()?.sum_keepdim(D::Minus1)? + 1e-12)?.sqrt()?;
    Ok(x.broadcast_div(&length)?)
}

#[cfg(test)]
mod tests;
