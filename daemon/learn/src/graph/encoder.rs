//! The encoder graph: frozen lower layers, trainable upper layers, pooling.

use std::collections::BTreeMap;

use candle_core::{D, DType, Device, Tensor, Var};
use mercer_model::{BertConfig, Pooling};

use super::base::BaseEncoder;
use super::build::GraphBuilder;
use super::layer::{Layer, Norm};
use super::method::Method;
use crate::adalora;
use crate::error::{LearnError, Result};
use crate::lora::{self, Adapter, LowRankPair};
use crate::ops::attention::Spans;
use crate::ops::dropout::DropKey;
use crate::ops::pool;
use crate::texts::{TextId, TextTable};

/// Token states of several texts below each other.
#[derive(Debug, Clone)]
pub struct PackedStates {
    /// `[tokens, hidden]`.
    pub states: Tensor,
    /// Rows of each text.
    pub spans: Spans,
}

/// An encoder whose upper layers train.
#[derive(Debug)]
pub struct TunableEncoder {
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
}

impl TunableEncoder {
    /// Builds the graph; the last `upper` layers train by `method`. Adapters continue from `start` where it has the module; others are
    /// initialised from `seed`.
    ///
    /// # Errors
    /// [`LearnError::TensorMissing`] and [`LearnError::TensorShape`] for a checkpoint or adapter that does not fit, [`LearnError::Option`] for
    /// a rank, dropout or number of layers out of range.
    pub fn new(
        base: BaseEncoder<'_>,
        method: &Method,
        upper: usize,
        seed: u64,
        start: Option<&Adapter>,
        device: &Device,
    ) -> Result<Self> {
        check_method(method)?;
        Self::build(base, method, upper, true, seed, start, device)
    }

    /// The same graph with nothing to train; [`TunableEncoder::lower`] and [`TunableEncoder::states`] split before the last `upper` layers.
    ///
    /// # Errors
    /// [`LearnError::TensorMissing`] and [`LearnError::TensorShape`] for a checkpoint that does not fit.
    pub fn frozen(base: BaseEncoder<'_>, upper: usize, device: &Device) -> Result<Self> {
        Self::build(base, &Method::Full, upper, false, 0, None, device)
    }

    fn build(
        base: BaseEncoder<'_>,
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
        let mut builder = GraphBuilder { base, method, device, seed, start, vars: BTreeMap::new(), adapters: 0 };
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
        })
    }

    /// Trainable tensors by name, sorted.
    #[must_use]
    pub fn vars(&self) -> &BTreeMap<String, Var> {
        &self.vars
    }

    /// Device that the graph runs on.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Architecture.
    #[must_use]
    pub fn config(&self) -> &BertConfig {
        &self.config
    }

    /// Token states after the frozen layers, `[tokens, hidden]`, without gradient. Calls `between` after each layer.
    ///
    /// # Errors
    /// When the tensor library fails; texts must have passed [`TextTable::check`].
    pub fn lower(&self, texts: &TextTable, ids: &[TextId], mut between: impl FnMut()) -> Result<PackedStates> {
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
        Ok(PackedStates { states: x, spans })
    }

    /// Token states after the last layer, from the output of the frozen layers. `drop` is given while training.
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

    /// Unit vectors `[texts, hidden]` from the output of the frozen layers.
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
        unit_rows(&x)
    }

    /// Unit vectors `[texts, hidden]` of texts under the current weights, without dropout and without gradient.
    ///
    /// # Errors
    /// [`LearnError::Text`] for a text that cannot be encoded.
    pub fn embed(&self, texts: &TextTable, ids: &[TextId]) -> Result<Tensor> {
        texts.check(ids.iter().copied(), self.config.vocab_size, self.config.max_tokens())?;
        let mut rows = Vec::new();
        for ids in ids.chunks(32) {
            let lower = self.lower(texts, ids, || ())?;
            rows.push(self.vectors(&lower.states, &lower.spans, None)?.detach());
        }
        if rows.is_empty() {
            return Ok(Tensor::zeros((0, self.config.hidden_size), DType::F32, &self.device)?);
        }
        Ok(Tensor::cat(&rows, 0)?)
    }

    /// The adapter as trained so far, after `steps` steps on a base with the fingerprint `base`.
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
                    Method::AdaLora(_) => adalora::to_pair(&a, &b, &copy(&lora::var_name(&module, 'E'))?)?,
                    _ => Some(LowRankPair { a, b }),
                };
                if let Some(pair) = pair {
                    meta.rank = meta.rank.max(pair.a.dim(0)?);
                    pairs.insert(module, pair);
                }
            }
        }
        meta.scale = l.alpha / l.rank as f64;
        Ok(Adapter { meta, pairs, weights: BTreeMap::new() })
    }
}

/// Checks the ranges of a method's options.
fn check_method(method: &Method) -> Result<()> {
    if let Method::AdaLora(ada) = method {
        ada.check()?;
    }
    let Some(l) = method.lora() else { return Ok(()) };
    let fail = |name, why: String| Err(LearnError::Option { name, why });
    if !(1..=256).contains(&l.rank) {
        return fail("rank", format!("{} is not between 1 and 256", l.rank));
    }
    if !(0.0..1.0).contains(&l.dropout) {
        return fail("dropout", format!("{} is not between 0 and 1", l.dropout));
    }
    if !(l.alpha.is_finite() && l.alpha > 0.0) {
        return fail("alpha", format!("{} is not positive", l.alpha));
    }
    Ok(())
}

/// Scales each row to length 1; a zero row stays zero.
pub(crate) fn unit_rows(x: &Tensor) -> Result<Tensor> {
    let length = (x.sqr()?.sum_keepdim(D::Minus1)? + 1e-12)?.sqrt()?;
    Ok(x.broadcast_div(&length)?)
}
