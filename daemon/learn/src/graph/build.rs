//! Gathers a checkpoint's weights into layers and collects what trains.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};

use super::layer::{Layer, Linear, Lora, Norm};
use super::{Base, Method};
use crate::adalora;
use crate::error::{LearnError, Result};
use crate::lora::{self, Adapter, LoraOptions};

/// Gathers weights into layers and collects what trains.
pub(super) struct Builder<'a> {
    pub(super) base: Base<'a>,
    pub(super) method: &'a Method,
    pub(super) device: &'a Device,
    pub(super) seed: u64,
    pub(super) start: Option<&'a Adapter>,
    pub(super) vars: BTreeMap<String, Var>,
    pub(super) adapters: u32,
}

impl Builder<'_> {
    /// A weight that trains when `trains`.
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

    fn linear(&mut self, layer: usize, module: &str, shape: (usize, usize), upper: bool) -> Result<Linear> {
        let name = format!("encoder.layer.{layer}.{module}");
        let full = upper && matches!(self.method, Method::Full);
        let lora = match self.method.lora() {
            Some(l) if upper && l.targets.modules().contains(&module) => Some(self.adapter(&name, shape, l)?),
            _ => None,
        };
        Ok(Linear {
            w: self.weight(format!("{name}.weight"), &[shape.0, shape.1], full)?,
            b: self.weight(format!("{name}.bias"), &[shape.0], full)?,
            trains: full,
            lora,
        })
    }

    fn adapter(&mut self, module: &str, shape: (usize, usize), options: &LoraOptions) -> Result<Lora> {
        let before = self.start.and_then(|s| s.pairs.get(module));
        let (a, b) = match before {
            _ if matches!(self.method, Method::AdaLora(_)) => return self.varied(module, shape, options, before),
            Some((a, b)) => {
                for (t, side, expected) in [(a, 'A', [options.rank, shape.1]), (b, 'B', [shape.0, options.rank])] {
                    if t.dims() != expected {
                        return Err(LearnError::TensorShape {
                            name: lora::var_name(module, side),
                            expected: expected.to_vec(),
                            found: t.dims().to_vec(),
                        });
                    }
                }
                let own = |t: &Tensor| Var::from_tensor(&t.detach().to_device(self.device)?);
                (own(a)?, own(b)?)
            }
            None => lora::start(module, options.rank, shape, self.seed, self.device)?,
        };
        Ok(self.part(module, (a, b, None), options))
    }

    /// An adapter of [`Method::AdaLora`].
    fn varied(
        &mut self,
        module: &str,
        shape: (usize, usize),
        options: &LoraOptions,
        before: Option<&(Tensor, Tensor)>,
    ) -> Result<Lora> {
        let ranks = match self.method {
            Method::AdaLora(ada) => ada.initial,
            _ => options.rank,
        };
        let (q, p, l) = adalora::start(module, (ranks, self.seed), shape, before, self.device)?;
        Ok(self.part(module, (q, p, Some(l)), options))
    }

    /// Takes up what trains of an adapter.
    fn part(&mut self, module: &str, (a, b, e): (Var, Var, Option<Var>), options: &LoraOptions) -> Lora {
        let place = self.adapters;
        self.adapters += 1;
        let part = Lora {
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
        Ok(Layer {
            query: self.linear(i, "attention.self.query", (h, h), upper)?,
            key: self.linear(i, "attention.self.key", (h, h), upper)?,
            value: self.linear(i, "attention.self.value", (h, h), upper)?,
            output: self.linear(i, "attention.output.dense", (h, h), upper)?,
            inner: self.linear(i, "intermediate.dense", (f, h), upper)?,
            outer: self.linear(i, "output.dense", (h, f), upper)?,
            attention_norm: self.norm(&format!("encoder.layer.{i}.attention.output.LayerNorm"), full)?,
            output_norm: self.norm(&format!("encoder.layer.{i}.output.LayerNorm"), full)?,
            heads: self.base.config.num_attention_heads,
            act: self.base.config.hidden_act,
        })
    }
}
