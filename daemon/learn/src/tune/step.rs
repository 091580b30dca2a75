//! One optimiser step.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};
use rustc_hash::FxHashMap;

use super::{Hooks, Teacher, TrainingSet, TuneOptions, texts_of};
use crate::adalora::{self, Allocator};
use crate::cache::LowerCache;
use crate::error::{LearnError, Result};
use crate::graph::{Base, Encoder, Method, unit};
use crate::lora;
use crate::losses;
use crate::ops::dropout::DropKey;
use crate::optim::AdamW;
use crate::pairs::Pair;
use crate::texts::TextId;

/// Distinct texts of a batch, shortest first: pieces then hold texts of like length, which is what padding on a GPU wants.
pub(super) fn texts_of_batch(set: TrainingSet<'_>, teacher: Option<Teacher<'_>>, batch: &[u32]) -> Vec<TextId> {
    let mut ids: Vec<TextId> = batch.iter().flat_map(|i| texts_of(&set.pairs[*i as usize])).collect();
    if let Some(teacher) = teacher {
        ids.extend(batch.iter().filter_map(|i| teacher.margins[*i as usize]).map(|(text, _)| text));
    }
    ids.sort_unstable_by_key(|id| (set.texts.get(*id).len(), *id));
    ids.dedup();
    ids
}

/// What a step reports.
pub(super) struct StepResult {
    pub(super) loss: f32,
    pub(super) pull: f32,
    pub(super) grad_norm: f64,
}

/// State that steps share.
pub(super) struct Run<'a> {
    encoder: &'a Encoder,
    set: TrainingSet<'a>,
    teacher: Option<Teacher<'a>>,
    options: &'a TuneOptions,
    pub(super) cache: LowerCache,
    /// Logarithm of each pair's item share of all pairs.
    log_q: Vec<f32>,
    /// Base values of what trains, for the pull of [`Method::Full`].
    origin: BTreeMap<String, Tensor>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        base: Base<'_>,
        encoder: &'a Encoder,
        (set, teacher): (TrainingSet<'a>, Option<Teacher<'a>>),
        options: &'a TuneOptions,
        cache: LowerCache,
    ) -> Result<Self> {
        let mut counts: FxHashMap<u32, f64> = FxHashMap::default();
        for p in set.pairs {
            *counts.entry(p.item).or_default() += 1.0;
        }
        let share = |p: &Pair| counts[&p.item] / set.pairs.len() as f64;
        let mut origin = BTreeMap::new();
        if options.pull > 0.0 && options.method == Method::Full {
            for (name, var) in encoder.vars() {
                let t = base.tensors.get(name).ok_or_else(|| LearnError::TensorMissing { name: name.clone() })?;
                origin.insert(name.clone(), t.to_device(encoder.device())?.to_dtype(var.dtype())?);
            }
        }
        Ok(Self {
            log_q: set.pairs.iter().map(|p| share(p).ln() as f32).collect(),
            encoder,
            set,
            teacher,
            options,
            cache,
            origin,
        })
    }

    /// Takes one step of `total`; `None` when it was stopped half way, with all weights as before.
    pub(super) fn step(
        &mut self,
        (adam, ranks, total): (&mut AdamW, Option<&mut Allocator>, usize),
        batch: &[u32],
        rate: f64,
        hooks: &mut dyn Hooks,
    ) -> Result<Option<StepResult>> {
        let step = adam.step + 1;
        let not_finite = |what: &str| LearnError::NotFinite { step, what: what.to_owned() };
        let ids = texts_of_batch(self.set, self.teacher, batch);
        let mut graphs = Vec::new();
        for (chunk, piece) in
            pieces(&ids, self.options.micro_tokens, |id| self.set.texts.get(id).len()).iter().enumerate()
        {
            if hooks.should_stop() {
                return Ok(None);
            }
            let (x, spans) = self.cache.states(self.encoder, self.set.texts, piece, &mut || hooks.yield_now())?;
            let key = DropKey { seed: self.options.seed, step: step as u64, chunk: chunk as u32 };
            graphs.push(self.encoder.vectors(&x, &spans, Some(key))?);
            hooks.yield_now();
        }
        let detached: Vec<Tensor> = graphs.iter().map(Tensor::detach).collect();
        let vectors = Var::from_tensor(&Tensor::cat(&detached, 0)?)?;
        let loss = self.loss(&vectors, &ids, batch)?;
        let value = loss.to_scalar::<f32>()?;
        if !value.is_finite() {
            return Err(not_finite("loss"));
        }
        let mut grads: BTreeMap<String, Tensor> = BTreeMap::new();
        if let Some(g) = loss.backward()?.remove(&vectors) {
            let mut at = 0;
            // Graphs are consumed one by one, so the memory of a piece is free before the next one is walked.
            for graph in graphs {
                if hooks.should_stop() {
                    return Ok(None);
                }
                let n = graph.dim(0)?;
                let piece = (&graph * g.narrow(0, at, n)?)?.sum_all()?.backward()?;
                at += n;
                for (name, var) in self.encoder.vars() {
                    if let Some(g) = piece.get(var) {
                        add(&mut grads, name, g)?;
                    }
                }
                hooks.yield_now();
            }
        }
        let pull = self.pull(&mut grads)?;
        let grad_norm = adam.update(&grads, rate)?;
        if let Some(ranks) = ranks {
            ranks.after((step, total), &grads, self.encoder.vars())?;
        }
        Ok(Some(StepResult { loss: value, pull, grad_norm }))
    }

    /// In-batch softmax over the vectors `[texts, hidden]` of `ids`.
    fn loss(&self, vectors: &Tensor, ids: &[TextId], batch: &[u32]) -> Result<Tensor> {
        let rows: FxHashMap<TextId, usize> = ids.iter().enumerate().map(|(row, id)| (*id, row)).collect();
        let pairs: Vec<&Pair> = batch.iter().map(|i| &self.set.pairs[*i as usize]).collect();
        let device = vectors.device();
        let means = losses::means(&pairs, ids.len(), |id| rows[&id], device)?;
        let anchors = unit(&means.matmul(vectors)?)?;
        let positives: Vec<u32> = pairs.iter().map(|p| rows[&p.positive] as u32).collect();
        let n = positives.len();
        let positives = vectors.index_select(&Tensor::from_vec(positives, n, device)?, 0)?;
        let weights: Vec<f32> = pairs.iter().map(|p| p.weight).collect();
        let log_q: Vec<f32> = batch.iter().map(|i| self.log_q[*i as usize]).collect();
        let allowed = losses::allowed(&pairs, self.set.known);
        // A pair without a negative of its own lends its positive to the rows; it does not count there.
        let left: Vec<u32> = pairs.iter().map(|p| rows[&p.left.map_or(p.positive, |l| l.text)] as u32).collect();
        let left = vectors.index_select(&Tensor::from_vec(left, n, device)?, 0)?;
        let counts = losses::with_own(&pairs, self.set.known);
        let own = Some((&left, &*counts));
        let loss = losses::info_nce(&anchors, &positives, &allowed, own, (&weights, &log_q), &self.options.loss)?;
        let Some(teacher) = self.teacher else { return Ok(loss) };
        let taught: Vec<(u32, TextId, f32)> = (0u32..)
            .zip(batch)
            .filter_map(|(row, i)| teacher.margins[*i as usize].map(|(text, margin)| (row, text, margin)))
            .collect();
        if taught.is_empty() {
            return Ok(loss);
        }
        let pick = |from: &Tensor, rows: Vec<u32>| from.index_select(&Tensor::from_vec(rows, taught.len(), device)?, 0);
        let which: Vec<u32> = taught.iter().map(|(row, ..)| *row).collect();
        let negatives = pick(vectors, taught.iter().map(|(_, text, _)| rows[text] as u32).collect())?;
        let margins: Vec<f32> = taught.iter().map(|(.., margin)| *margin).collect();
        let (anchors, positives) = (pick(&anchors, which.clone())?, pick(&positives, which)?);
        let margins = losses::margin_mse(&anchors, &positives, &negatives, &margins, teacher.scale)?;
        Ok((loss + (margins * teacher.weight)?)?)
    }

    /// Adds the gradient of the pull towards the base, and of what keeps ranks that are weighed apart at right angles; returns their
    /// weighted value.
    fn pull(&self, grads: &mut BTreeMap<String, Tensor>) -> Result<f32> {
        let (vars, pull) = (self.encoder.vars(), self.options.pull);
        let mut parts = Vec::new();
        for (name, a) in vars {
            let Some((module, lora)) = lora::module_of(name).zip(self.options.method.lora()) else { continue };
            let Some(b) = vars.get(&lora::var_name(module, 'B')) else { continue };
            let weighed = match (vars.get(&lora::var_name(module, 'E')), &self.options.method) {
                (Some(e), Method::AdaLora(ada)) => {
                    if ada.orthogonal > 0.0 {
                        parts.push((adalora::skew(a, b)? * ada.orthogonal)?);
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
                add(grads, name, g)?;
            }
        }
        Ok(penalty.to_scalar::<f32>()?)
    }
}

/// Cuts what is encoded together into pieces of about `micro_tokens` tokens, at least one each.
pub(crate) fn pieces(ids: &[u32], micro_tokens: usize, tokens_of: impl Fn(u32) -> usize) -> Vec<Vec<u32>> {
    let mut pieces: Vec<Vec<u32>> = Vec::new();
    let mut tokens = usize::MAX;
    for &id in ids {
        let n = tokens_of(id);
        if tokens.saturating_add(n) > micro_tokens {
            pieces.push(Vec::new());
            tokens = 0;
        }
        tokens += n;
        if let Some(piece) = pieces.last_mut() {
            piece.push(id);
        }
    }
    pieces
}

/// Adds a gradient to the sum under this name.
pub(crate) fn add(grads: &mut BTreeMap<String, Tensor>, name: &str, g: &Tensor) -> Result<()> {
    let g = g.detach();
    let sum = match grads.get(name) {
        Some(sum) => (sum + g)?,
        None => g,
    };
    grads.insert(name.to_owned(), sum);
    Ok(())
}
