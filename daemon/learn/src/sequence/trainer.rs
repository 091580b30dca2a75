//! Training in stages: [`SequenceTrainer::advance`] trains the model up to a later cut-off on the new events and a sample of old windows. So the
//! models as of many cut-offs cost about as much as one training.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor, Var};
use serde::Serialize;

use super::data::{ItemFeatures, SequenceLog};
use super::graph::{Dims, EXTRA, Graph, Init, TensorSpec};
use super::input_norm::InputNorm;
use super::model::{ModelParts, SequenceModel};
use super::options::SequenceOptions;
use super::popularity::Popularity;
use super::stage::{CandidateSource, StageData};
use super::step;
use super::windows::hash_parts;
use crate::checkpoint::{RunCheckpoints, RunIdentity};
use crate::error::{LearnError, Result};
use crate::ops::dropout::DropKey;
use crate::optim::AdamW;
use crate::run::{Hooks, StepReport, Throughput};

/// Why an advance ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AdvanceStatus {
    /// All planned steps were taken.
    Finished,
    /// `wall_seconds` was used up.
    WallBudget,
    /// [`Hooks::should_stop`] returned true. The model is as of the previous cut-off; the checkpoint, if any, holds the steps taken.
    Cancelled,
    /// No user returned in the new events: the weights are those of the previous cut-off, the popularity is updated.
    NothingNew,
}

/// Result of an advance.
#[derive(Debug, Clone)]
pub struct AdvanceOutcome {
    /// Why it ended.
    pub status: AdvanceStatus,
    /// Steps taken, including those before a resume.
    pub steps: usize,
    /// Steps planned.
    pub total_steps: usize,
    /// Step of the checkpoint that it resumed from.
    pub resumed_from: Option<usize>,
    /// Loss of each step, nats.
    pub losses: Vec<f32>,
    /// Seconds of this call.
    pub seconds: f64,
    /// Whether the softmax covered the whole catalogue.
    pub full_softmax: bool,
    /// The model as of the cut-off; `None` if cancelled.
    pub model: Option<SequenceModel>,
}

/// A sequence model in training.
#[derive(Debug)]
pub struct SequenceTrainer {
    options: SequenceOptions,
    dims: Dims,
    norm: InputNorm,
    vars: BTreeMap<String, Var>,
    until: Option<i64>,
}

/// Pseudo-random values between `-size` and `size`, from name and seed.
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

/// A stage ready to train.
struct Prepared<'a> {
    stage: StageData<'a>,
    popularity: Popularity,
    identity: RunIdentity,
}

/// State before an advance, restored if it does not finish.
struct Snapshot {
    weights: BTreeMap<String, Tensor>,
    knew_queries: bool,
}

impl SequenceTrainer {
    /// An untrained model for a catalogue. Fixes the normalisation of text vectors and prices.
    ///
    /// # Errors
    /// [`LearnError::Option`] for options out of range.
    pub fn new(options: SequenceOptions, items: &ItemFeatures) -> Result<Self> {
        options.check()?;
        let dims = Dims::new(&options, items.dim(), items.len());
        let mut vars = BTreeMap::new();
        for TensorSpec { name, shape, init } in dims.tensors() {
            let n = shape.iter().product();
            let values = match init {
                Init::Constant(value) => vec![value; n],
                Init::Uniform(size) => random(&name, options.seed, n, size),
            };
            vars.insert(name, Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu)?)?);
        }
        Ok(Self { norm: InputNorm::new(items), options, dims, vars, until: None })
    }

    /// Continues a trained model with new `options`, which may differ in everything but the shapes.
    ///
    /// # Errors
    /// [`LearnError::Option`] when the options ask for other shapes than the model has.
    pub fn from_model(model: &SequenceModel, options: SequenceOptions) -> Result<Self> {
        options.check()?;
        let graph = &model.parts.graph;
        let dims = Dims::new(&options, graph.dims.text, graph.dims.items);
        if dims != graph.dims {
            let why = format!("the model is {:?}, the options ask for {dims:?}", graph.dims);
            return Err(LearnError::Option { name: "width, layers, heads or inner", why });
        }
        let var = |(n, t): (&String, &Tensor)| Ok((n.clone(), Var::from_tensor(&t.copy()?)?));
        let vars = graph.weights.iter().map(var).collect::<Result<_>>()?;
        Ok(Self { options, dims, norm: model.parts.norm.clone(), vars, until: Some(model.until()) })
    }

    /// Cut-off of the last advance.
    #[must_use]
    pub fn until(&self) -> Option<i64> {
        self.until
    }

    pub(crate) fn graph(&self) -> Graph {
        let weights = self.vars.iter().map(|(n, v)| (n.clone(), v.as_tensor().clone())).collect();
        Graph { dims: self.dims, weights }
    }

    /// Adds residuals of 0 for new items.
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

    /// Without text, items seen for the first time get small random residuals, because they must differ from the start.
    fn init_residuals(&self, since: &[i64]) -> Result<()> {
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

    fn identity(&self, items: &ItemFeatures, log: SequenceLog<'_>, until: i64) -> Result<RunIdentity> {
        let mut base = blake3::Hasher::new();
        for var in self.vars.values() {
            for v in var.flatten_all()?.to_vec1::<f32>()? {
                base.update(&v.to_le_bytes());
            }
        }
        let mut data = blake3::Hasher::new();
        items.hash_into(&mut data);
        data.update(&until.to_le_bytes());
        data.update(&self.until.unwrap_or(i64::MIN).to_le_bytes());
        log.hash_into(until, &mut data);
        let text = |h: blake3::Hasher| h.finalize().to_hex().to_string();
        Ok(RunIdentity { base: text(base), data: text(data), options: self.options.hash()? })
    }

    /// Trains up to cut-off `until` on events with `at <= until`. The catalogue may have grown since the last advance. If the options name a
    /// checkpoint directory that holds a checkpoint of this advance, it resumes from there.
    ///
    /// # Errors
    /// [`LearnError::Option`] for data that does not fit or a cut-off before the last one; [`LearnError::NotFinite`] when the loss becomes NaN
    /// or infinite; [`LearnError::Foreign`] and [`LearnError::Io`] for the checkpoint directory. The weights are then as before the call.
    pub fn advance(
        &mut self,
        items: &ItemFeatures,
        log: SequenceLog<'_>,
        until: i64,
        hooks: &mut dyn Hooks,
    ) -> Result<AdvanceOutcome> {
        let began = hooks.seconds();
        self.check(items, log, until)?;
        self.grow(items.len())?;
        let before = self.snapshot()?;
        let Prepared { stage, popularity, identity } = self.prepare(items, log, until)?;
        let mut outcome = match self.steps(&stage, &identity, began, hooks) {
            Ok(outcome) if outcome.status != AdvanceStatus::Cancelled => outcome,
            unfinished => {
                self.restore(&before)?;
                return unfinished;
            }
        };
        self.until = Some(until);
        let weights = self.vars.iter().map(|(n, v)| Ok((n.clone(), v.as_detached_tensor().copy()?)));
        let graph = Graph { dims: self.dims, weights: weights.collect::<Result<_>>()? };
        let parts = ModelParts {
            options: self.options.clone(),
            graph: Arc::new(graph),
            norm: self.norm.clone(),
            popularity,
            until,
        };
        outcome.model = Some(SequenceModel::with_catalogue(parts, items)?);
        outcome.seconds = hooks.seconds() - began;
        Ok(outcome)
    }

    fn check(&self, items: &ItemFeatures, log: SequenceLog<'_>, until: i64) -> Result<()> {
        log.check(items)?;
        if let Some(before) = self.until.filter(|before| until < *before) {
            let why = format!("{until} is before {before}, which the model has seen");
            return Err(LearnError::Option { name: "until", why });
        }
        if items.dim() != self.dims.text || items.len() < self.dims.items {
            let why = format!("{} items of width {}, the model has {:?}", items.len(), items.dim(), self.dims);
            return Err(LearnError::Option { name: "items", why });
        }
        Ok(())
    }

    fn snapshot(&self) -> Result<Snapshot> {
        let copy = |(n, v): (&String, &Var)| Ok((n.clone(), v.as_detached_tensor().copy()?));
        let weights = self.vars.iter().map(copy).collect::<Result<_>>()?;
        Ok(Snapshot { weights, knew_queries: self.norm.knows_queries })
    }

    fn restore(&mut self, before: &Snapshot) -> Result<()> {
        self.norm.knows_queries = before.knew_queries;
        for (name, value) in &before.weights {
            if let Some(var) = self.vars.get(name) {
                var.set(value)?;
            }
        }
        Ok(())
    }

    fn prepare<'a>(&mut self, items: &'a ItemFeatures, log: SequenceLog<'a>, until: i64) -> Result<Prepared<'a>> {
        self.norm.knows_queries |= log.users.iter().flatten().any(|e| e.text.is_some() && e.at <= until);
        let (stage, popularity) = StageData::new(items, log, &self.norm, &self.options, self.until, until)?;
        self.init_residuals(&stage.since)?;
        let identity = self.identity(items, log, until)?;
        Ok(Prepared { stage, popularity, identity })
    }

    /// Takes the remaining steps of a stage.
    fn steps(
        &self,
        stage: &StageData<'_>,
        identity: &RunIdentity,
        began: f64,
        hooks: &mut dyn Hooks,
    ) -> Result<AdvanceOutcome> {
        let o = &self.options;
        let total = o.max_steps.map_or(stage.steps(), |most| most.min(stage.steps()));
        let mut out = AdvanceOutcome {
            status: if total == 0 { AdvanceStatus::NothingNew } else { AdvanceStatus::Finished },
            steps: 0,
            total_steps: total,
            resumed_from: None,
            losses: Vec::new(),
            seconds: 0.0,
            full_softmax: matches!(stage.source, CandidateSource::Full(_)),
            model: None,
        };
        let mut adam = AdamW::new(o.adam.clone(), &self.vars)?;
        let checkpoints = RunCheckpoints { options: o.checkpoint.as_ref(), identity, vars: &self.vars };
        if let Some(resumed) = checkpoints.resume(&mut adam, &Device::Cpu)? {
            (out.resumed_from, out.losses) = (Some(resumed.step), resumed.losses);
        }
        tracing::info!(until = stage.until, steps = total, full = out.full_softmax, "training the sequence model");
        let throughput = Throughput::start(adam.step, hooks.seconds());
        let mut written = out.resumed_from;
        while adam.step < total {
            if hooks.should_stop() {
                out.status = AdvanceStatus::Cancelled;
                break;
            }
            if o.wall_seconds.is_some_and(|most| hooks.seconds() - began >= most) {
                out.status = AdvanceStatus::WallBudget;
                break;
            }
            let mut report = self.step(stage, &mut adam, total)?;
            throughput.fill(&mut report, o.batch, hooks.seconds());
            out.losses.push(report.loss);
            hooks.on_step(&report);
            hooks.yield_now();
            if checkpoints.is_due(adam.step) {
                checkpoints.save(&adam, BTreeMap::new(), &out.losses)?;
                written = Some(adam.step);
            }
        }
        if written != Some(adam.step) && adam.step > 0 {
            checkpoints.save(&adam, BTreeMap::new(), &out.losses)?;
        }
        out.steps = adam.step;
        Ok(out)
    }

    /// Takes one step. The report's speed and ETA are left at 0.
    fn step(&self, stage: &StageData<'_>, adam: &mut AdamW, total: usize) -> Result<StepReport> {
        let (o, number) = (&self.options, adam.step);
        let seed = hash_parts(&[o.seed, stage.until as u64]);
        let batch = step::build_batch(stage, &stage.batch(number), o, &[seed, number as u64]);
        let key = DropKey { seed, step: number as u64, chunk: 0 };
        let rate = o.adam.rate(number + 1, total);
        let (mut value, mut grads) = (0.0, BTreeMap::new());
        if let Some(loss) = step::loss(&self.graph(), stage, &self.norm, batch, o, Some(key))? {
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
