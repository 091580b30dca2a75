//! Training in stages: [`Trainer::advance`] takes the network to a later cut-off with what is new and a replay of what is old, so that a replay
//! over many cut-offs has the network as of each for about the price of one training.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor, Var};
use serde::Serialize;

use super::data::{Behaviour, Items};
use super::frame::Frame;
use super::graph::{Dims, EXTRA, Graph};
use super::network::Network;
use super::options::BehaviourOptions;
use super::stage::Stage;
use super::step;
use super::stretches::mix;
use crate::checkpoint::{self, Identity};
use crate::error::{LearnError, Result};
use crate::ops::dropout::DropKey;
use crate::optim::AdamW;
use crate::tune::{Hooks, StepReport};

/// How an advance ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// All planned steps were taken.
    Finished,
    /// The time was used up.
    WallBudget,
    /// [`Hooks::should_stop`] said so. The network is as of the cut-off before; a checkpoint, if one is kept, holds what was done.
    Cancelled,
    /// No shopper came back in what is new: the weights are those of the cut-off before, the popularity is fresh.
    NothingNew,
}

/// One advance.
#[derive(Debug, Clone)]
pub struct Advance {
    /// How it ended.
    pub ended: Ended,
    /// Steps taken, those before a resume included.
    pub steps: usize,
    /// Steps planned.
    pub total_steps: usize,
    /// The step that it went on from.
    pub resumed_from: Option<usize>,
    /// Loss of each step, nats.
    pub losses: Vec<f32>,
    /// Seconds of this call.
    pub seconds: f64,
    /// Whether the softmax went over the whole catalogue.
    pub full_softmax: bool,
    /// The network as of the cut-off; absent when cancelled.
    pub network: Option<Network>,
}

/// A network in training.
#[derive(Debug)]
pub struct Trainer {
    options: BehaviourOptions,
    dims: Dims,
    frame: Frame,
    vars: BTreeMap<String, Var>,
    until: Option<i64>,
}

/// Values that look random, between `-size` and `size`.
fn random(name: &str, seed: u64, n: usize, size: f32) -> Vec<f32> {
    let key = blake3::hash(format!("{name} {seed}").as_bytes());
    let mut stream = blake3::Hasher::new_keyed(key.as_bytes()).finalize_xof();
    let mut bytes = vec![0u8; 4 * n];
    stream.fill(&mut bytes);
    bytes
        .chunks_exact(4)
        .map(|b| {
            let u = u32::from_le_bytes([b[0], b[1], b[2], b[3]]) >> 8;
            (u as f32 / (1u32 << 23) as f32 - 1.0) * size
        })
        .collect()
}

fn feed(hash: &mut blake3::Hasher, bytes: &[u8]) {
    hash.update(bytes);
}

impl Trainer {
    /// An untrained network for a catalogue. The text centre and price bands are fixed here.
    ///
    /// # Errors
    /// [`LearnError::Option`] for options out of range.
    pub fn new(options: BehaviourOptions, items: &Items) -> Result<Self> {
        options.check()?;
        let dims = Dims::new(&options, items.dim(), items.len());
        let mut vars = BTreeMap::new();
        for (name, shape, size) in dims.tensors() {
            let n = shape.iter().product();
            let values = if size < 0.0 { vec![-size; n] } else { random(&name, options.seed, n, size) };
            vars.insert(name, Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu)?)?);
        }
        // A scale of one is what the norms start with.
        Ok(Self { frame: Frame::new(items), options, dims, vars, until: None })
    }

    /// Goes on from a network that was trained before, with its own options except for limits, checkpoints and epochs, which are `options`'.
    ///
    /// # Errors
    /// [`LearnError::Option`] when the options ask for other shapes than the network has.
    pub fn from_network(network: &Network, options: BehaviourOptions) -> Result<Self> {
        options.check()?;
        let dims = Dims::new(&options, network.graph.dims.text, network.graph.dims.items);
        if dims != network.graph.dims {
            let why = format!("the network is {:?}, the options ask for {dims:?}", network.graph.dims);
            return Err(LearnError::Option { name: "width, layers, heads or inner", why });
        }
        let var = |(n, t): (&String, &Tensor)| Ok((n.clone(), Var::from_tensor(&t.copy()?)?));
        let vars = network.graph.weights.iter().map(var).collect::<Result<_>>()?;
        Ok(Self { options, dims, frame: network.frame.clone(), vars, until: Some(network.until()) })
    }

    /// Cut-off of the last advance.
    #[must_use]
    pub fn until(&self) -> Option<i64> {
        self.until
    }

    /// Names of everything that trains.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.vars.keys().cloned().collect()
    }

    pub(crate) fn graph(&self) -> Graph {
        let weights = self.vars.iter().map(|(n, v)| (n.clone(), v.as_tensor().clone())).collect();
        Graph { dims: self.dims, weights }
    }

    /// Room for items that came since, whose residual starts at 0.
    fn grow(&mut self, items: usize) -> Result<()> {
        if items > self.dims.items {
            let var = self.vars.get("item.residual");
            let old = var.ok_or_else(|| LearnError::TensorMissing { name: "item.residual".to_owned() })?;
            let more = Tensor::zeros((items - self.dims.items, self.dims.width + EXTRA), DType::F32, &Device::Cpu)?;
            let grown = Var::from_tensor(&Tensor::cat(&[&old.as_detached_tensor(), &more], 0)?)?;
            self.vars.insert("item.residual".to_owned(), grown);
            self.dims.items = items;
        }
        Ok(())
    }

    /// Without text, items must differ from the start: those seen for the first time get small residuals by their number.
    fn wake(&self, since: &[i64]) -> Result<()> {
        let Some(var) = self.vars.get("item.residual").filter(|_| self.dims.text == 0) else { return Ok(()) };
        let width = self.dims.width + EXTRA;
        let mut values: Vec<f32> = var.flatten_all()?.to_vec1()?;
        let size = (3.0 / self.dims.width as f32).sqrt() * 0.3;
        for (item, row) in values.chunks_exact_mut(width).enumerate() {
            if since[item] < i64::MAX && row.iter().all(|x| *x == 0.0) {
                let fresh = random(&format!("item {item}"), self.options.seed, self.dims.width, size);
                row[..self.dims.width].copy_from_slice(&fresh);
            }
        }
        Ok(var.set(&Tensor::from_vec(values, var.shape(), &Device::Cpu)?)?)
    }

    fn identity(&self, items: &Items, behaviour: Behaviour<'_>, until: i64) -> Result<Identity> {
        let mut base = blake3::Hasher::new();
        for var in self.vars.values() {
            var.flatten_all()?.to_vec1::<f32>()?.iter().for_each(|v| feed(&mut base, &v.to_le_bytes()));
        }
        let mut data = blake3::Hasher::new();
        items.hash_into(&mut data);
        data.update(&until.to_le_bytes());
        data.update(&self.until.unwrap_or(i64::MIN).to_le_bytes());
        behaviour.queries.iter().for_each(|v| feed(&mut data, &v.to_le_bytes()));
        for events in behaviour.shoppers {
            data.update(b"shopper");
            for e in events.iter().filter(|e| e.at <= until) {
                let ids = [e.item, e.text].map(|i| i.map_or(u64::MAX, u64::from));
                let parts = [ids[0], ids[1], u64::from(e.kind), u64::from(e.value.to_bits()), e.at as u64];
                parts.iter().for_each(|p| feed(&mut data, &p.to_le_bytes()));
            }
        }
        let text = |h: blake3::Hasher| h.finalize().to_hex().to_string();
        Ok(Identity { base: text(base), data: text(data), options: self.options.hash()? })
    }

    /// Takes the network to cut-off `until`, reading interactions with `at <= until` only. The catalogue may have grown since the last advance.
    /// Where the options name a checkpoint directory that holds a checkpoint of this very advance, it goes on from there.
    ///
    /// # Errors
    /// [`LearnError::Option`] for data that does not fit or a cut-off before the last one; [`LearnError::NotFinite`] when the loss leaves the
    /// numbers; [`LearnError::Foreign`] and [`LearnError::Io`] for the checkpoint directory. Weights are as before the call then.
    pub fn advance(
        &mut self,
        items: &Items,
        behaviour: Behaviour<'_>,
        until: i64,
        hooks: &mut dyn Hooks,
    ) -> Result<Advance> {
        let began = hooks.seconds();
        behaviour.check(items)?;
        if self.until.is_some_and(|before| until < before) {
            let why = format!("{until} is before {}, which the network has seen", self.until.unwrap_or(until));
            return Err(LearnError::Option { name: "until", why });
        }
        if items.dim() != self.dims.text || items.len() < self.dims.items {
            let why = format!("{} items of width {}, the network has {:?}", items.len(), items.dim(), self.dims);
            return Err(LearnError::Option { name: "items", why });
        }
        self.grow(items.len())?;
        let knew_queries = self.frame.knows_queries;
        self.frame.knows_queries |= behaviour.shoppers.iter().flatten().any(|e| e.text.is_some() && e.at <= until);
        let before: BTreeMap<String, Tensor> =
            self.vars.iter().map(|(n, v)| Ok((n.clone(), v.as_detached_tensor().copy()?))).collect::<Result<_>>()?;
        let (stage, popularity) = Stage::new(items, behaviour, &self.frame, &self.options, self.until, until)?;
        self.wake(&stage.since)?;
        let identity = self.identity(items, behaviour, until)?;
        let run = self.steps(&stage, &identity, until, began, hooks);
        let undo = !matches!(&run, Ok(a) if a.ended != Ended::Cancelled);
        if undo {
            self.frame.knows_queries = knew_queries;
            for (name, value) in &before {
                if let Some(var) = self.vars.get(name) {
                    var.set(value)?;
                }
            }
            return run;
        }
        let mut advance = run?;
        self.until = Some(until);
        let weights = self.vars.iter().map(|(n, v)| Ok((n.clone(), v.as_detached_tensor().copy()?)));
        let graph = Graph { dims: self.dims, weights: weights.collect::<Result<_>>()? };
        let network =
            Network::build(self.options.clone(), Arc::new(graph), self.frame.clone(), popularity, until, items)?;
        advance.network = Some(network);
        advance.seconds = hooks.seconds() - began;
        Ok(advance)
    }

    fn steps(
        &self,
        stage: &Stage<'_>,
        identity: &Identity,
        until: i64,
        began: f64,
        hooks: &mut dyn Hooks,
    ) -> Result<Advance> {
        let o = &self.options;
        let total = o.max_steps.map_or(stage.steps(), |most| most.min(stage.steps()));
        let mut out = Advance {
            ended: if total == 0 { Ended::NothingNew } else { Ended::Finished },
            steps: 0,
            total_steps: total,
            resumed_from: None,
            losses: Vec::new(),
            seconds: 0.0,
            full_softmax: matches!(stage.catalogue, super::stage::Catalogue::Full(..)),
            network: None,
        };
        let mut adam = AdamW::new(o.adam.clone(), &self.vars)?;
        let kept = o.checkpoint.as_ref();
        if let Some(resumed) = checkpoint::resume(kept, identity, &self.vars, &mut adam, &Device::Cpu)? {
            (out.resumed_from, out.losses) = (Some(resumed.step), resumed.losses);
        }
        tracing::info!(until, steps = total, full = out.full_softmax, "training the behaviour network");
        let save = |adam: &AdamW, losses: &[f32]| {
            checkpoint::keep(kept, identity, &self.vars, (adam, BTreeMap::new()), losses)
        };
        let (first, stepping, mut written) = (adam.step, hooks.seconds(), out.resumed_from);
        while adam.step < total {
            if hooks.should_stop() {
                out.ended = Ended::Cancelled;
                break;
            }
            if o.wall_seconds.is_some_and(|most| hooks.seconds() - began >= most) {
                out.ended = Ended::WallBudget;
                break;
            }
            let mut report = self.step(stage, &mut adam, until, total)?;
            let elapsed = (hooks.seconds() - stepping).max(1e-9);
            let done = (adam.step - first) as f64;
            report.items_per_second = done * o.batch as f64 / elapsed;
            report.eta_s = (total - adam.step) as f64 * elapsed / done;
            out.losses.push(report.loss);
            hooks.on_step(&report);
            hooks.yield_now();
            if o.checkpoint.as_ref().is_some_and(|c| adam.step.is_multiple_of(c.every)) {
                save(&adam, &out.losses)?;
                written = Some(adam.step);
            }
        }
        if written != Some(adam.step) && adam.step > 0 {
            save(&adam, &out.losses)?;
        }
        out.steps = adam.step;
        Ok(out)
    }

    fn step(&self, stage: &Stage<'_>, adam: &mut AdamW, until: i64, total: usize) -> Result<StepReport> {
        let (o, number) = (&self.options, adam.step);
        let seed = mix(&[o.seed, until as u64]);
        let batch = step::gather(stage, &stage.batch(number), o, &[seed, number as u64]);
        let key = DropKey { seed, step: number as u64, chunk: 0 };
        let rate = o.adam.rate(number + 1, total);
        let (mut value, mut grads) = (0.0, BTreeMap::new());
        if let Some(loss) = step::loss(&self.graph(), stage, &self.frame, batch, o, Some(key))? {
            value = loss.to_scalar::<f32>()?;
            if !value.is_finite() {
                return Err(LearnError::NotFinite { step: number + 1, what: "loss".to_owned() });
            }
            grads = step::gradients(&loss, &self.vars)?;
        }
        let grad_norm = adam.update(&grads, rate)?;
        Ok(StepReport {
            step: adam.step,
            total,
            loss: value,
            pull: 0.0,
            grad_norm,
            learning_rate: rate,
            items_per_second: 0.0,
            eta_s: 0.0,
            device: "cpu".to_owned(),
            cache_bytes: 0,
        })
    }
}
