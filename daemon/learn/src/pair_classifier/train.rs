//! The run: batches of pairs, logistic loss, checkpoints.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};

use super::head::{BIAS, Head, WEIGHT};
use super::layout::{Layout, PairSet};
use super::{PairMeta, PairOptions, PairOutcome, PairWeights};
use crate::cache::LowerCache;
use crate::checkpoint::{self, Identity};
use crate::error::{LearnError, Result};
use crate::graph::{self, Base, Encoder};
use crate::losses::logistic;
use crate::ops::dropout::DropKey;
use crate::optim::AdamW;
use crate::sampler::Sampler;
use crate::texts::TextId;
use crate::tune::{Hooks, Nothing, StepReport, Stopped, add, device_name};

/// Pairs by which the head's bias is set before the first step.
const BALANCE: usize = 64;

/// Trains a classifier on the encoder `base`. When the options name a checkpoint directory that holds a checkpoint of this very run, the run
/// goes on from there, to the same bits.
///
/// # Errors
/// As [`crate::tune()`].
pub fn train(
    base: Base<'_>,
    set: PairSet<'_>,
    options: &PairOptions,
    device: &Device,
    hooks: &mut dyn Hooks,
) -> Result<PairOutcome> {
    options.check()?;
    let began = hooks.seconds();
    let upper = options.upper_layers.min(base.config.num_hidden_layers);
    let options = PairOptions { upper_layers: upper, ..options.clone() };
    let mut run = Run::new(base, set, &options, device)?;
    let mut outcome = PairOutcome {
        weights: run.weights(base, 0)?,
        stopped: Stopped::Finished,
        steps: 0,
        total_steps: run.total,
        resumed_from: None,
        losses: Vec::new(),
        seconds: 0.0,
        cache: (0, 0),
    };
    if let Some(why) = nothing(set, run.total) {
        (outcome.stopped, outcome.total_steps) = (Stopped::NothingToLearn(why), 0);
        outcome.seconds = hooks.seconds() - began;
        return Ok(outcome);
    }
    let mut adam = AdamW::new(options.adam.clone(), &run.vars)?;
    outcome.resumed_from = run.resume(&mut adam, &mut outcome.losses, device)?;
    if outcome.resumed_from.is_none() {
        run.balance(hooks)?;
    }
    outcome.stopped = run.steps(&mut adam, &mut outcome, began, hooks)?;
    outcome.steps = adam.step;
    outcome.weights = run.weights(base, adam.step as u64)?;
    outcome.cache = (run.cache.hits, run.cache.computed);
    outcome.seconds = hooks.seconds() - began;
    Ok(outcome)
}

fn nothing(set: PairSet<'_>, total: usize) -> Option<Nothing> {
    let positives = set.pairs.iter().filter(|p| p.label).count();
    match (set.pairs.len(), positives) {
        (0, _) => Some(Nothing::NoPairs),
        (all, some) if some == 0 || some == all => Some(Nothing::OneClass),
        _ => (total == 0).then_some(Nothing::NothingTrains),
    }
}

/// BLAKE3 of all tokens and pairs.
fn hash(set: PairSet<'_>) -> Result<String> {
    let mut hash = blake3::Hasher::new();
    for id in 0..set.texts.len() as TextId {
        let tokens = set.texts.get(id);
        hash.update(&(tokens.len() as u64).to_le_bytes());
        for t in tokens {
            hash.update(&t.to_le_bytes());
        }
    }
    hash.update(&serde_json::to_vec(set.pairs).map_err(candle_core::Error::wrap)?);
    Ok(hash.finalize().to_hex().to_string())
}

/// State that steps share.
struct Run<'a> {
    encoder: Encoder,
    head: Head,
    vars: BTreeMap<String, Var>,
    layout: Layout<'a>,
    cache: LowerCache,
    sampler: Sampler,
    identity: Identity,
    set: PairSet<'a>,
    options: &'a PairOptions,
    total: usize,
}

/// What a step reports.
struct StepResult {
    loss: f32,
    grad_norm: f64,
}

impl<'a> Run<'a> {
    fn new(base: Base<'_>, set: PairSet<'a>, options: &'a PairOptions, device: &Device) -> Result<Self> {
        let encoder = Encoder::new(base, &options.method, options.upper_layers, options.seed, None, device)?;
        let hidden = base.config.hidden_size;
        let (head, own) = Head::start(options.head, base.pooling, hidden, options.seed, device)?;
        let vars: BTreeMap<String, Var> = encoder.vars().clone().into_iter().chain(own).collect();
        let layout = Layout::new(set, options.join);
        layout.check(&encoder)?;
        let mut sampler = Sampler::new(set.pairs.len(), options.batch_pairs, options.seed);
        let all = (options.epochs * sampler.batches_per_epoch() as f64).ceil().max(1.0) as usize;
        let total = options.max_steps.map_or(all, |most| all.min(most));
        // The bias is set by the first pairs; then come the batches.
        let first: Vec<u32> = (0..set.pairs.len().min(BALANCE) as u32).collect();
        let batches = std::iter::once(first).chain((0..total).map(|s| sampler.batch(s).to_vec()));
        let batches: Vec<Vec<u32>> = batches.collect();
        let cache = layout.cache(batches, hidden, options.cache_format, options.cache_bytes);
        let identity = Identity {
            base: graph::fingerprint(base)?,
            data: hash(set)?,
            options: blake3::hash(&serde_json::to_vec(options).map_err(candle_core::Error::wrap)?).to_hex().to_string(),
        };
        Ok(Self { encoder, head, vars, layout, cache, sampler, identity, set, options, total })
    }

    /// What was learned so far.
    fn weights(&self, base: Base<'_>, steps: u64) -> Result<PairWeights> {
        let copy = |name: &str| -> Result<Tensor> {
            let var = self.vars.get(name).ok_or_else(|| LearnError::TensorMissing { name: name.to_owned() })?;
            Ok(var.as_detached_tensor().copy()?)
        };
        let learned = self.encoder.learned(self.identity.base.clone(), steps)?;
        Ok(PairWeights {
            meta: PairMeta::new(self.identity.base.clone(), self.options, steps),
            changed: learned.changed(base.tensors)?.into_iter().collect(),
            head: (copy(WEIGHT)?, copy(BIAS)?),
        })
    }

    /// Takes up the latest checkpoint of this run; the step it was made after.
    fn resume(&mut self, adam: &mut AdamW, losses: &mut Vec<f32>, device: &Device) -> Result<Option<usize>> {
        let kept = self.options.checkpoint.as_ref();
        let resumed = checkpoint::resume(kept, &self.identity, &self.vars, adam, device)?;
        Ok(resumed.map(|before| {
            *losses = before.losses;
            before.step
        }))
    }

    fn save(&self, adam: &AdamW, losses: &[f32]) -> Result<()> {
        let adam = (adam, BTreeMap::new());
        checkpoint::keep(self.options.checkpoint.as_ref(), &self.identity, &self.vars, adam, losses)
    }

    /// Sets the bias so that the first pairs have on average the odds of all: else the first steps would learn nothing but that.
    fn balance(&mut self, hooks: &mut dyn Hooks) -> Result<()> {
        let first: Vec<u32> = (0..self.set.pairs.len().min(BALANCE) as u32).collect();
        let mut logits = Vec::new();
        for piece in self.layout.pieces(&first, self.options.micro_tokens) {
            let packed = self.layout.pack(&self.encoder, &mut self.cache, &piece, &mut || hooks.yield_now())?;
            logits.extend(self.head.logits(&self.encoder, &packed, None)?.to_vec1::<f32>()?);
        }
        let positives = self.set.pairs.iter().filter(|p| p.label).count();
        let share = positives as f64 / self.set.pairs.len() as f64;
        if let Some(bias) = self.vars.get(BIAS) {
            let value = Head::balanced(&logits, share);
            // Weights that are no numbers are named by the first step.
            if value.is_finite() {
                bias.set(&Tensor::from_vec(vec![value], 1, bias.device())?)?;
            }
        }
        Ok(())
    }

    fn steps(
        &mut self,
        adam: &mut AdamW,
        outcome: &mut PairOutcome,
        began: f64,
        hooks: &mut dyn Hooks,
    ) -> Result<Stopped> {
        let (first, stepping) = (adam.step, hooks.seconds());
        let mut written = outcome.resumed_from;
        let mut stopped = Stopped::Finished;
        while adam.step < self.total {
            if self.options.wall_seconds.is_some_and(|most| hooks.seconds() - began >= most) {
                stopped = Stopped::WallBudget;
                break;
            }
            let rate = self.options.adam.rate(adam.step + 1, self.total);
            let batch = self.sampler.batch(adam.step).to_vec();
            let Some(result) = self.step(adam, &batch, rate, hooks)? else {
                stopped = Stopped::Cancelled;
                break;
            };
            outcome.losses.push(result.loss);
            let elapsed = (hooks.seconds() - stepping).max(1e-9);
            let done = (adam.step - first) as f64;
            hooks.on_step(&StepReport {
                step: adam.step,
                total: self.total,
                loss: result.loss,
                pull: 0.0,
                grad_norm: result.grad_norm,
                learning_rate: rate,
                items_per_second: done * batch.len() as f64 / elapsed,
                eta_s: (self.total - adam.step) as f64 * elapsed / done,
                device: device_name(self.encoder.device()),
                cache_bytes: self.cache.bytes(),
            });
            if self.options.checkpoint.as_ref().is_some_and(|c| adam.step.is_multiple_of(c.every)) {
                self.save(adam, &outcome.losses)?;
                written = Some(adam.step);
            }
        }
        if written != Some(adam.step) && adam.step > 0 {
            self.save(adam, &outcome.losses)?;
        }
        Ok(stopped)
    }

    /// Takes one step; `None` when it was stopped half way, with all weights as before.
    fn step(
        &mut self,
        adam: &mut AdamW,
        batch: &[u32],
        rate: f64,
        hooks: &mut dyn Hooks,
    ) -> Result<Option<StepResult>> {
        let step = adam.step + 1;
        let mut sorted = batch.to_vec();
        sorted.sort_by_key(|pair| (self.layout.tokens(*pair), *pair));
        let mut grads: BTreeMap<String, Tensor> = BTreeMap::new();
        let mut total = 0f32;
        for (chunk, piece) in self.layout.pieces(&sorted, self.options.micro_tokens).iter().enumerate() {
            if hooks.should_stop() {
                return Ok(None);
            }
            let packed = self.layout.pack(&self.encoder, &mut self.cache, piece, &mut || hooks.yield_now())?;
            let key = DropKey { seed: self.options.seed, step: step as u64, chunk: chunk as u32 };
            let logits = self.head.logits(&self.encoder, &packed, Some((key, self.options.dropout)))?;
            let labels: Vec<bool> = piece.iter().map(|p| self.set.pairs[*p as usize].label).collect();
            // A piece's share of the mean over the batch, so that gradients of pieces add up.
            let loss = (logistic(&logits, &labels)? * (piece.len() as f64 / batch.len() as f64))?;
            total += loss.to_scalar::<f32>()?;
            if !total.is_finite() {
                return Err(LearnError::NotFinite { step, what: "loss".to_owned() });
            }
            hooks.yield_now();
            let back = loss.backward()?;
            for (name, var) in &self.vars {
                if let Some(g) = back.get(var) {
                    add(&mut grads, name, g)?;
                }
            }
            hooks.yield_now();
        }
        let grad_norm = adam.update(&grads, rate)?;
        Ok(Some(StepResult { loss: total, grad_norm }))
    }
}
