//! Builds layers from the base weights and collects the trainable variables.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};

use super::base::BaseEncoder;
use super::layer::{Layer, Linear, LowRank, Norm};
use super::method::Method;
use crate::adalora;
use crate::error::{LearnError, Result};
use crate::lora::{self, Adapter, LoraOptions, LowRankPair, LowRankVars, WeightShape};

/// Builds layers one by one and collects the variables on the way.
pub(super) struct GraphBuilder<'a> {
    pub(super) base: BaseEncoder<'a>,
    pub(super) method: &'a Method,
    pub(super) device: &'a Device,
    pub(super) seed: u64,
    pub(super) start: Option<&'a Adapter>,
    pub(super) vars: BTreeMap<String, Var>,
    /// Adapters built so far; numbers their dropout masks.
    pub(super) adapters: u32,
}

impl GraphBuilder<'_> {
    /// A weight of the base; a variable if `trains`.
    fn weight(&mut self, name: String, shape: &[usize], trains: bool) -> Result<Tensor> {
        let t = self.base.tensor(&name, shape, self.device)?;
        if !trains {
            return Ok(t);
        }
        let t = match self.start.and_then(|s| s.weights.get(&name)) {
            Some(learned) if learned.dims() != shape => {
                return Err(LearnError::TensorShape { name, expected: shape.to_vec(), found: learned.dims().to_vec() });
            }
            Some(learned) => learned.detach().to_device(self.device)?,
            None => t,
        };
        let var = Var::from_tensor(&t)?;
        let t = var.as_tensor().clone();
        self.vars.insert(name, var);
        Ok(t)
    }

    fn linear(&mut self, layer: usize, module: &str, shape: WeightShape, upper: bool) -> Result<Linear> {
        let name = format!("encoder.layer.{layer}.{module}");
        let full = upper && matches!(self.method, Method::Full);
        let lora = match self.method.lora() {
            Some(l) if upper && l.targets.modules().contains(&module) => Some(self.adapter(&name, shape, l)?),
            _ => None,
        };
        Ok(Linear {
            w: self.weight(format!("{name}.weight"), &[shape.out, shape.inner], full)?,
            b: self.weight(format!("{name}.bias"), &[shape.out], full)?,
            trains: full,
            lora,
        })
    }

    fn adapter(&mut self, module: &str, shape: WeightShape, options: &LoraOptions) -> Result<LowRank> {
        let earlier = self.start.and_then(|s| s.pairs.get(module));
        let vars = match (self.method, earlier) {
            (Method::AdaLora(ada), _) => adalora::init(module, ada.initial, shape, self.seed, earlier, self.device)?,
            (_, Some(pair)) => self.copy_pair(module, pair, shape, options.rank)?,
            (_, None) => lora::init(module, options.rank, shape, self.seed, self.device)?,
        };
        Ok(self.low_rank(module, vars, options))
    }

    /// Variables that continue from an earlier LoRA pair of the same rank.
    fn copy_pair(&self, module: &str, pair: &LowRankPair, shape: WeightShape, rank: usize) -> Result<LowRankVars> {
        for (t, side, expected) in [(&pair.a, 'A', [rank, shape.inner]), (&pair.b, 'B', [shape.out, rank])] {
            if t.dims() != expected {
                return Err(LearnError::TensorShape {
                    name: lora::var_name(module, side),
                    expected: expected.to_vec(),
                    found: t.dims().to_vec(),
                });
            }
        }
        let own = |t: &Tensor| Var::from_tensor(&t.detach().to_device(self.device)?);
        Ok(LowRankVars { a: own(&pair.a)?, b: own(&pair.b)?, e: None })
    }

    /// Registers the variables of an adapter under their names.
    fn low_rank(&mut self, module: &str, vars: LowRankVars, options: &LoraOptions) -> LowRank {
        let place = self.adapters;
        self.adapters += 1;
        let LowRankVars { a, b, e } = vars;
        let part = LowRank {
            a: a.as_tensor().clone(),
            b: b.as_tensor().clone(),
            e: e.as_ref().map(|e| e.as_tensor().clone()),
            scale: options.alpha / options.rank as f64,
            dropout: options.dropout,
            place,
        };
        let vars = [('A', Some(a)), ('B', Some(b)), ('E', e)];
        self.vars.extend(vars.into_iter().filter_map(|(side, var)| Some((lora::var_name(module, side), var?))));
        part
    }

    pub(super) fn norm(&mut self, name: &str, trains: bool) -> Result<Norm> {
        let h = self.base.config.hidden_size;
        Ok(Norm {
            gamma: self.weight(format!("{name}.weight"), &[h], trains)?,
            beta: self.weight(format!("{name}.bias"), &[h], trains)?,
            trains,
            eps: self.base.config.layer_norm_eps,
        })
    }

    pub(super) fn layer(&mut self, i: usize, upper: bool) -> Result<Layer> {
        let (h, f) = (self.base.config.hidden_size, self.base.config.intermediate_size);
        let full = upper && matches!(self.method, Method::Full);
        let shape = |out, inner| WeightShape { out, inner };
        Ok(Layer {
            query: self.linear(i, "attention.self.query", shape(h, h), upper)?,
            key: self.linear(i, "attention.self.key", shape(h, h), upper)?,
            value: self.linear(i, "attention.self.value", shape(h, h), upper)?,
            output: self.linear(i, "attention.output.dense", shape(h, h), upper)?,
            inner: self.linear(i, "intermediate.dense", shape(f, h), upper)?,
            outer: self.linear(i, "output.dense", shape(h, f), upper)?,
            attention_norm: self.norm(&format!("encoder.layer.{i}.attention.output.LayerNorm"), full)?,
            output_norm: self.norm(&format!("encoder.layer.{i}.output.LayerNorm"), full)?,
            heads: self.base.config.num_attention_heads,
            act: self.base.config.hidden_act,
        })
    }
}
