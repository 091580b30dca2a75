//! Trains a cross-encoder: batches of pairs, logistic loss, checkpoints.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};

use super::head::{BIAS, Head, HeadDropout, HeadWeights, WEIGHT};
use super::layout::{LabelledPairs, Layout};
use super::options::{CrossEncoderOptions, CrossEncoderOutcome};
use super::weights::{CrossEncoderMeta, CrossEncoderWeights, FORMAT};
use crate::cache::FrozenLayerCache;
use crate::checkpoint::{RunCheckpoints, RunIdentity};
use crate::error::{LearnError, Result};
use crate::graph::{self, BaseEncoder, TunableEncoder};
use crate::losses::logistic;
use crate::micro_batch::add_gradient;
use crate::ops::dropout::DropKey;
use crate::optim::AdamW;
use crate::run::{CacheCounts, Hooks, NothingToLearn, StepReport, StopReason, Throughput, device_name, planned_steps};
use crate::sampler::Sampler;

/// Number of pairs from which the head's bias is set before the first step.
const BALANCE: usize = 64;

/// Trains a cross-encoder on the encoder `base`. If the options name a checkpoint directory that holds a checkpoint of this run, the run
/// resumes from it, with the same bits as an uninterrupted run.
///
/// # Errors
/// As [`crate::tune()`].
pub fn train(
    base: BaseEncoder<'_>,
    set: LabelledPairs<'_>,
    options: &CrossEncoderOptions,
    device: &Device,
    hooks: &mut dyn Hooks,
) -> Result<CrossEncoderOutcome> {
    options.check()?;
    let began = hooks.seconds();
    let upper = options.upper_layers.min(base.config.num_hidden_layers);
    let options = CrossEncoderOptions { upper_layers: upper, ..options.clone() };
    let mut run = Run::new(base, set, &options, device)?;
    let mut outcome = CrossEncoderOutcome {
        learned: run.weights(base, 0)?,
        stopped: StopReason::Finished,
        steps: 0,
        total_steps: run.total,
        resumed_from: None,
        losses: Vec::new(),
        seconds: 0.0,
        cache: CacheCounts::default(),
    };
    if let Some(why) = nothing_to_learn(set, run.total) {
        (outcome.stopped, outcome.total_steps) = (StopReason::NothingToLearn(why), 0);
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
    outcome.learned = run.weights(base, adam.step as u64)?;
    outcome.cache = run.cache.counts();
    outcome.seconds = hooks.seconds() - began;
    Ok(outcome)
}

/// Why the pairs cannot teach anything; `None` if they can.
fn nothing_to_learn(set: LabelledPairs<'_>, total: usize) -> Option<NothingToLearn> {
    let positives = set.pairs.iter().filter(|p| p.label).count();
    match (set.pairs.len(), positives) {
        (0, _) => Some(NothingToLearn::NoPairs),
        (all, some) if some == 0 || some == all => Some(NothingToLearn::OneClass),
        _ => (total == 0).then_some(NothingToLearn::NothingTrains),
    }
}

/// BLAKE3 of all tokens and pairs.
fn hash(set: LabelledPairs<'_>) -> Result<String> {
    let mut hash = blake3::Hasher::new();
    set.texts.hash_into(&mut hash);
    hash.update(&serde_json::to_vec(set.pairs).map_err(candle_core::Error::wrap)?);
    Ok(hash.finalize().to_hex().to_string())
}

/// State of the step loop.
struct Run<'a> {
    encoder: TunableEncoder,
    head: Head,
    vars: BTreeMap<String, Var>,
    layout: Layout<'a>,
    cache: FrozenLayerCache,
    sampler: Sampler,
    identity: RunIdentity,
    set: LabelledPairs<'a>,
    options: &'a CrossEncoderOptions,
    total: usize,
}

impl<'a> Run<'a> {
    fn new(
        base: BaseEncoder<'_>,
        set: LabelledPairs<'a>,
        options: &'a CrossEncoderOptions,
        device: &Device,
    ) -> Result<Self> {
        let encoder = TunableEncoder::new(base, &options.method, options.upper_layers, options.seed, None, device)?;
        let hidden = base.config.hidden_size;
        let (head, own) = Head::start(options.head, base.pooling, hidden, options.seed, device)?;
        let vars: BTreeMap<String, Var> = encoder.vars().clone().into_iter().chain(own).collect();
        let layout = Layout::new(set, options.join);
        layout.check(&encoder)?;
        let mut sampler = Sampler::new(set.pairs.len(), options.batch_pairs, options.seed);
        let total = planned_steps(options.epochs, sampler.batches_per_epoch(), options.max_steps);
        // The pairs that set the bias are needed first, then the batches.
        let first: Vec<u32> = (0..set.pairs.len().min(BALANCE) as u32).collect();
        let batches = std::iter::once(first).chain((0..total).map(|s| sampler.batch(s).to_vec()));
        let batches: Vec<Vec<u32>> = batches.collect();
        let cache = layout.cache(batches, hidden, options.cache_format, options.cache_bytes);
        let identity = RunIdentity {
            base: graph::fingerprint(base)?,
            data: hash(set)?,
            options: blake3::hash(&serde_json::to_vec(options).map_err(candle_core::Error::wrap)?).to_hex().to_string(),
        };
        Ok(Self { encoder, head, vars, layout, cache, sampler, identity, set, options, total })
    }

    /// The weights as trained so far.
    fn weights(&self, base: BaseEncoder<'_>, steps: u64) -> Result<CrossEncoderWeights> {
        let copy = |name: &str| -> Result<Tensor> {
            let var = self.vars.get(name).ok_or_else(|| LearnError::TensorMissing { name: name.to_owned() })?;
            Ok(var.as_detached_tensor().copy()?)
        };
        let learned = self.encoder.learned(self.identity.base.clone(), steps)?;
        Ok(CrossEncoderWeights {
            meta: CrossEncoderMeta {
                format: FORMAT,
                base: self.identity.base.clone(),
                upper_layers: self.options.upper_layers,
                join: self.options.join,
                head: self.options.head,
                max_tokens: self.options.max_tokens,
                steps,
            },
            changed: learned.changed(base.tensors)?.into_iter().collect(),
            head: HeadWeights { weight: copy(WEIGHT)?, bias: copy(BIAS)? },
        })
    }

    fn checkpoints(&self) -> RunCheckpoints<'_> {
        RunCheckpoints { options: self.options.checkpoint.as_ref(), identity: &self.identity, vars: &self.vars }
    }

    /// Restores variables, optimiser and losses from the latest checkpoint of this run; returns its step.
    fn resume(&self, adam: &mut AdamW, losses: &mut Vec<f32>, device: &Device) -> Result<Option<usize>> {
        let resumed = self.checkpoints().resume(adam, device)?;
        Ok(resumed.map(|before| {
            *losses = before.losses;
            before.step
        }))
    }

    /// Sets the bias so that the first pairs have, on average, the odds of all pairs; otherwise the first steps would learn only that.
    fn balance(&mut self, hooks: &mut dyn Hooks) -> Result<()> {
        let first: Vec<u32> = (0..self.set.pairs.len().min(BALANCE) as u32).collect();
        let mut logits = Vec::new();
        for piece in self.layout.micro_batches(&first, self.options.micro_tokens) {
            let packed = self.layout.pack(&self.encoder, &mut self.cache, &piece, &mut || hooks.yield_now())?;
            logits.extend(self.head.logits(&self.encoder, &packed, None)?.to_vec1::<f32>()?);
        }
        let positives = self.set.pairs.iter().filter(|p| p.label).count();
        let share = positives as f64 / self.set.pairs.len() as f64;
        if let Some(bias) = self.vars.get(BIAS) {
            let value = Head::balanced(&logits, share);
            // Weights that are not finite are reported by the first step.
            if value.is_finite() {
                bias.set(&Tensor::from_vec(vec![value], 1, bias.device())?)?;
            }
        }
        Ok(())
    }

    /// Takes the remaining steps; returns why they ended.
    fn steps(
        &mut self,
        adam: &mut AdamW,
        outcome: &mut CrossEncoderOutcome,
        began: f64,
        hooks: &mut dyn Hooks,
    ) -> Result<StopReason> {
        let throughput = Throughput::start(adam.step, hooks.seconds());
        let mut written = outcome.resumed_from;
        let mut stopped = StopReason::Finished;
        while adam.step < self.total {
            if self.options.wall_seconds.is_some_and(|most| hooks.seconds() - began >= most) {
                stopped = StopReason::WallBudget;
                break;
            }
            let batch = self.sampler.batch(adam.step).to_vec();
            let Some(mut report) = self.step(adam, &batch, hooks)? else {
                stopped = StopReason::Cancelled;
                break;
            };
            outcome.losses.push(report.loss);
            throughput.fill(&mut report, batch.len(), hooks.seconds());
            hooks.on_step(&report);
            if self.checkpoints().is_due(report.step) {
                self.checkpoints().save(adam, BTreeMap::new(), &outcome.losses)?;
                written = Some(report.step);
            }
        }
        if written != Some(adam.step) && adam.step > 0 {
            self.checkpoints().save(adam, BTreeMap::new(), &outcome.losses)?;
        }
        Ok(stopped)
    }

    /// Takes one step; `None` if it was stopped half way, with all weights as before. The report's speed and ETA are left at 0.
    fn step(&mut self, adam: &mut AdamW, batch: &[u32], hooks: &mut dyn Hooks) -> Result<Option<StepReport>> {
        let step = adam.step + 1;
        let mut sorted = batch.to_vec();
        sorted.sort_by_key(|pair| (self.layout.tokens(*pair), *pair));
        let mut grads: BTreeMap<String, Tensor> = BTreeMap::new();
        let mut total = 0f32;
        for (chunk, piece) in self.layout.micro_batches(&sorted, self.options.micro_tokens).iter().enumerate() {
            if hooks.should_stop() {
                return Ok(None);
            }
            let packed = self.layout.pack(&self.encoder, &mut self.cache, piece, &mut || hooks.yield_now())?;
            let key = DropKey { seed: self.options.seed, step: step as u64, chunk: chunk as u32 };
            let drop = HeadDropout { key, share: self.options.dropout };
            let logits = self.head.logits(&self.encoder, &packed, Some(drop))?;
            let labels: Vec<bool> = piece.iter().map(|p| self.set.pairs[*p as usize].label).collect();
            // The micro-batch's share of the mean over the batch, so that gradients add up.
            let loss = (logistic(&logits, &labels)? * (piece.len() as f64 / batch.len() as f64))?;
            total += loss.to_scalar::<f32>()?;
            if !total.is_finite() {
                return Err(LearnError::NotFinite { step, what: "loss".to_owned() });
            }
            hooks.yield_now();
            let back = loss.backward()?;
            for (name, var) in &self.vars {
                if let Some(g) = back.get(var) {
                    add_gradient(&mut grads, name, g)?;
                }
            }
            hooks.yield_now();
        }
        let rate = self.options.adam.rate(step, self.total);
        let grad_norm = adam.update(&grads, rate)?;
        Ok(Some(StepReport {
            step,
            total: self.total,
            loss: total,
            pull: 0.0,
            grad_norm,
            learning_rate: rate,
            items_per_second: 0.0,
            eta_s: 0.0,
            device: device_name(self.encoder.device()),
            cache_bytes: self.cache.bytes(),
        }))
    }
}
