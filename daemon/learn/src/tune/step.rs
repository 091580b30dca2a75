//! One optimiser step of the fine-tuning run.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};
use rustc_hash::FxHashMap;

use super::options::TuneOptions;
use super::training_set::{Teacher, TrainingSet};
use crate::adalora::{self, RankAllocator};
use crate::cache::{CachePlan, FrozenLayerCache};
use crate::contrastive_pairs::ContrastivePair;
use crate::error::{LearnError, Result};
use crate::graph::{BaseEncoder, Method, TunableEncoder, unit_rows};
use crate::lora;
use crate::losses::{self, HardNegatives, InBatch};
use crate::micro_batch::{add_gradient, split_by_tokens};
use crate::ops::dropout::DropKey;
use crate::optim::AdamW;
use crate::run::{Hooks, StepReport, device_name};
use crate::sampler::Sampler;
use crate::texts::TextId;

/// Encoder, data and optimiser of a run; takes one step at a time.
pub(super) struct Stepper<'a> {
    encoder: &'a TunableEncoder,
    set: TrainingSet<'a>,
    options: &'a TuneOptions,
    /// Steps planned.
    total: usize,
    pub(super) adam: AdamW,
    /// Rank allocation of [`Method::AdaLora`].
    pub(super) ranks: Option<RankAllocator>,
    pub(super) cache: FrozenLayerCache,
    /// Logarithm of the share of each pair's item among all pairs.
    log_q: Vec<f32>,
    /// Base values of the variables, for the pull of [`Method::Full`].
    origin: BTreeMap<String, Tensor>,
}

impl<'a> Stepper<'a> {
    pub(super) fn new(
        base: BaseEncoder<'_>,
        encoder: &'a TunableEncoder,
        set: TrainingSet<'a>,
        options: &'a TuneOptions,
        total: usize,
    ) -> Result<Self> {
        let mut counts: FxHashMap<u32, f64> = FxHashMap::default();
        for p in set.pairs {
            *counts.entry(p.item).or_default() += 1.0;
        }
        let share = |p: &ContrastivePair| counts[&p.item] / set.pairs.len() as f64;
        let mut origin = BTreeMap::new();
        if options.pull > 0.0 && options.method == Method::Full {
            for (name, var) in encoder.vars() {
                let t = base.tensors.get(name).ok_or_else(|| LearnError::TensorMissing { name: name.clone() })?;
                origin.insert(name.clone(), t.to_device(encoder.device())?.to_dtype(var.dtype())?);
            }
        }
        let ranks = match &options.method {
            Method::AdaLora(ada) => Some(RankAllocator::new(ada, encoder.vars())?),
            _ => None,
        };
        Ok(Self {
            log_q: set.pairs.iter().map(|p| share(p).ln() as f32).collect(),
            adam: AdamW::new(options.adam.clone(), encoder.vars())?,
            cache: FrozenLayerCache::new(CachePlan::default(), options.cache_format),
            encoder,
            set,
            options,
            total,
            ranks,
            origin,
        })
    }

    /// Plans the frozen-layer cache for the batches of the whole run.
    pub(super) fn plan_cache(&mut self, sampler: &mut Sampler) {
        let (set, o) = (self.set, self.options);
        let batches = (0..self.total).map(|step| set.texts_of_batch(sampler.batch(step)));
        let hidden = self.encoder.config().hidden_size;
        let plan = CachePlan::new(batches, set.texts, hidden, o.cache_format, o.cache_bytes);
        tracing::info!(
            pairs = set.pairs.len(),
            steps = self.total,
            cached_bytes = plan.bytes,
            uncached_texts = plan.uncached,
            "fine-tuning the encoder"
        );
        self.cache = FrozenLayerCache::new(plan, o.cache_format);
    }

    /// Takes one step; `None` if it was stopped half way, with all weights as before. The report's speed and ETA are left at 0.
    pub(super) fn step(&mut self, batch: &[u32], hooks: &mut dyn Hooks) -> Result<Option<StepReport>> {
        let step = self.adam.step + 1;
        let ids = self.set.texts_of_batch(batch);
        let Some(graphs) = self.forward(&ids, step, hooks)? else { return Ok(None) };
        let detached: Vec<Tensor> = graphs.iter().map(Tensor::detach).collect();
        let vectors = Var::from_tensor(&Tensor::cat(&detached, 0)?)?;
        let loss = self.loss(&vectors, &ids, batch)?;
        let value = loss.to_scalar::<f32>()?;
        if !value.is_finite() {
            return Err(LearnError::NotFinite { step, what: "loss".to_owned() });
        }
        let mut grads = match loss.backward()?.remove(&vectors) {
            Some(of_vectors) => match self.backward(graphs, &of_vectors, hooks)? {
                Some(grads) => grads,
                None => return Ok(None),
            },
            None => BTreeMap::new(),
        };
        let pull = self.pull(&mut grads)?;
        let rate = self.options.adam.rate(step, self.total);
        let grad_norm = self.adam.update(&grads, rate)?;
        if let Some(ranks) = &mut self.ranks {
            ranks.after_step(step, self.total, &grads, self.encoder.vars())?;
        }
        Ok(Some(StepReport {
            step,
            total: self.total,
            loss: value,
            pull,
            grad_norm,
            learning_rate: rate,
            items_per_second: 0.0,
            eta_s: 0.0,
            device: device_name(self.encoder.device()),
            cache_bytes: self.cache.bytes(),
        }))
    }

    /// Vectors of the micro-batches with their graphs; `None` if the run was stopped.
    fn forward(&mut self, ids: &[TextId], step: usize, hooks: &mut dyn Hooks) -> Result<Option<Vec<Tensor>>> {
        let texts = self.set.texts;
        let mut graphs = Vec::new();
        let pieces = split_by_tokens(ids, self.options.micro_tokens, |id| texts.get(id).len());
        for (chunk, piece) in pieces.iter().enumerate() {
            if hooks.should_stop() {
                return Ok(None);
            }
            let packed = self.cache.states(self.encoder, texts, piece, &mut || hooks.yield_now())?;
            let key = DropKey { seed: self.options.seed, step: step as u64, chunk: chunk as u32 };
            graphs.push(self.encoder.vectors(&packed.states, &packed.spans, Some(key))?);
            hooks.yield_now();
        }
        Ok(Some(graphs))
    }

    /// Gradients of the variables from the gradient of all vectors; `None` if the run was stopped. Consumes the graphs one by one, so the
    /// memory of a micro-batch is free before the next one is walked.
    fn backward(
        &self,
        graphs: Vec<Tensor>,
        of_vectors: &Tensor,
        hooks: &mut dyn Hooks,
    ) -> Result<Option<BTreeMap<String, Tensor>>> {
        let mut grads = BTreeMap::new();
        let mut at = 0;
        for graph in graphs {
            if hooks.should_stop() {
                return Ok(None);
            }
            let n = graph.dim(0)?;
            let piece = (&graph * of_vectors.narrow(0, at, n)?)?.sum_all()?.backward()?;
            at += n;
            for (name, var) in self.encoder.vars() {
                if let Some(g) = piece.get(var) {
                    add_gradient(&mut grads, name, g)?;
                }
            }
            hooks.yield_now();
        }
        Ok(Some(grads))
    }

    /// Loss over the vectors `[texts, hidden]` of `ids`: in-batch softmax plus the weighted margins of a teacher. Scalar.
    fn loss(&self, vectors: &Tensor, ids: &[TextId], batch: &[u32]) -> Result<Tensor> {
        let rows: FxHashMap<TextId, usize> = ids.iter().enumerate().map(|(row, id)| (*id, row)).collect();
        let pairs: Vec<&ContrastivePair> = batch.iter().map(|i| &self.set.pairs[*i as usize]).collect();
        let device = vectors.device();
        let means = losses::anchor_means(&pairs, ids.len(), |id| rows[&id], device)?;
        let anchors = unit_rows(&means.matmul(vectors)?)?;
        let positives: Vec<u32> = pairs.iter().map(|p| rows[&p.positive] as u32).collect();
        let positives = select_rows(vectors, positives, device)?;
        let weights: Vec<f32> = pairs.iter().map(|p| p.weight).collect();
        let log_q: Vec<f32> = batch.iter().map(|i| self.log_q[*i as usize]).collect();
        let allowed = losses::negative_mask(&pairs, self.set.known);
        // A pair without a hard negative lends its positive to the rows; `counts` excludes it.
        let hard = pairs.iter().map(|p| rows[&p.hard_negative.map_or(p.positive, |h| h.text)] as u32).collect();
        let hard = select_rows(vectors, hard, device)?;
        let counts = losses::hard_negative_mask(&pairs, self.set.known);
        let in_batch = InBatch {
            anchors: &anchors,
            positives: &positives,
            allowed: &allowed,
            hard_negatives: Some(HardNegatives { vectors: &hard, counts: &counts }),
            weights: &weights,
            log_q: &log_q,
        };
        let loss = losses::info_nce(&in_batch, &self.options.loss)?;
        let Some(teacher) = self.set.teacher else { return Ok(loss) };
        match taught_margins(&teacher, batch, vectors, &rows, &anchors, &positives)? {
            Some(margins) => Ok((loss + (margins * teacher.weight)?)?),
            None => Ok(loss),
        }
    }

    /// Adds the gradient of the pull towards the base, and for AdaLoRA that of the distance from orthonormal; returns their weighted value.
    fn pull(&self, grads: &mut BTreeMap<String, Tensor>) -> Result<f32> {
        let (vars, pull) = (self.encoder.vars(), self.options.pull);
        let mut parts = Vec::new();
        for (name, a) in vars {
            let Some((module, lora)) = lora::module_of(name).zip(self.options.method.lora()) else { continue };
            let Some(b) = vars.get(&lora::var_name(module, 'B')) else { continue };
            let weighed = match (vars.get(&lora::var_name(module, 'E')), &self.options.method) {
                (Some(e), Method::AdaLora(ada)) => {
                    if ada.orthogonal > 0.0 {
                        parts.push((adalora::orthogonality_penalty(a, b)? * ada.orthogonal)?);
                    }
                    a.broadcast_mul(&e.unsqueeze(1)?)?
                }
                _ => a.as_tensor().clone(),
            };
            if pull > 0.0 {
                parts.push((losses::adapter_distance(&weighed, b, lora.alpha / lora.rank as f64)? * pull)?);
            }
        }
        for (name, base) in &self.origin {
            if let Some(w) = vars.get(name) {
                parts.push((losses::weight_distance(w, base)? * pull)?);
            }
        }
        if parts.is_empty() {
            return Ok(0.0);
        }
        let penalty = Tensor::stack(&parts, 0)?.sum_all()?;
        let from = penalty.backward()?;
        for (name, var) in vars {
            if let Some(g) = from.get(var) {
                add_gradient(grads, name, g)?;
            }
        }
        Ok(penalty.to_scalar::<f32>()?)
    }
}

/// Rows of a matrix by number.
fn select_rows(from: &Tensor, rows: Vec<u32>, device: &Device) -> Result<Tensor> {
    let n = rows.len();
    Ok(from.index_select(&Tensor::from_vec(rows, n, device)?, 0)?)
}

/// Margin-MSE over the pairs of a batch that have a teacher margin; `None` if none has. `rows` gives the row of a text in `vectors`.
fn taught_margins(
    teacher: &Teacher<'_>,
    batch: &[u32],
    vectors: &Tensor,
    rows: &FxHashMap<TextId, usize>,
    anchors: &Tensor,
    positives: &Tensor,
) -> Result<Option<Tensor>> {
    let device = vectors.device();
    let (mut which, mut others, mut margins) = (Vec::new(), Vec::new(), Vec::new());
    for (row, pair) in (0u32..).zip(batch) {
        if let Some(taught) = teacher.margins[*pair as usize] {
            which.push(row);
            others.push(rows[&taught.text] as u32);
            margins.push(taught.margin);
        }
    }
    if which.is_empty() {
        return Ok(None);
    }
    let negatives = select_rows(vectors, others, device)?;
    let (anchors, positives) = (select_rows(anchors, which.clone(), device)?, select_rows(positives, which, device)?);
    Ok(Some(losses::margin_mse(&anchors, &positives, &negatives, &margins, teacher.scale)?))
}
