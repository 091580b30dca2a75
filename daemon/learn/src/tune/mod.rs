//! The run itself: batches, forward and backward in pieces, optimiser, checkpoints.
//!
//! A step encodes each distinct text of its batch once, in pieces of some hundred tokens whose graphs are kept. The loss is taken over all
//! vectors as leaves; its gradient with respect to them then goes back through one piece after the other (as in GradCache, Gao et al., arXiv
//! 2101.06983, without the second forward). So the batch of negatives is not limited by the size of a piece, and between pieces the run can
//! yield to serving or stop.

mod options;
mod step;

use candle_core::Device;

pub(crate) use options::check_limits;
pub(crate) use step::{add, pieces};

pub use options::{CheckpointOptions, Hooks, Nothing, StepReport, Stopped, TuneOptions, TuneOutcome};

use crate::adalora::Allocator;
use crate::cache::{LowerCache, Plan};
use crate::checkpoint::{self, Identity};
use crate::error::{LearnError, Result};
use crate::graph::{self, Base, Encoder, Method};
use crate::lora::Adapter;
use crate::optim::AdamW;
use crate::pairs::{Known, Pair};
use crate::sampler::Sampler;
use crate::texts::{TextId, TextTable};

/// What a run learns from.
#[derive(Debug, Clone, Copy)]
pub struct TrainingSet<'a> {
    /// Tokenised texts.
    pub texts: &'a TextTable,
    /// Pairs of texts; the order matters for repeatability only.
    pub pairs: &'a [Pair],
    /// Positives beyond those of the pairs at hand.
    pub known: &'a Known,
}

impl TrainingSet<'_> {
    fn check(&self, config: &mercer_model::BertConfig) -> Result<()> {
        for p in self.pairs {
            if p.anchor.texts().is_empty() {
                let why = "a pair's anchor has no text".to_owned();
                return Err(LearnError::Option { name: "pairs", why });
            }
            if !(p.weight.is_finite() && p.weight > 0.0) {
                let why = format!("a weight is {}", p.weight);
                return Err(LearnError::Option { name: "pairs", why });
            }
        }
        let ids = self.pairs.iter().flat_map(texts_of);
        self.texts.check(ids, config.vocab_size, config.max_tokens())
    }

    fn hash(&self, teacher: Option<&Teacher<'_>>, start: Option<&Adapter>) -> Result<String> {
        let mut hash = blake3::Hasher::new();
        for id in 0..self.texts.len() as TextId {
            let tokens = self.texts.get(id);
            hash.update(&(tokens.len() as u64).to_le_bytes());
            for t in tokens {
                hash.update(&t.to_le_bytes());
            }
        }
        let json = serde_json::to_vec(&(self.pairs, self.known)).map_err(candle_core::Error::wrap)?;
        hash.update(&json);
        if let Some(t) = teacher {
            let json = serde_json::to_vec(&(t.margins, t.scale, t.weight)).map_err(candle_core::Error::wrap)?;
            hash.update(&json);
        }
        if let Some(a) = start {
            hash.update(&a.to_bytes()?);
        }
        Ok(hash.finalize().to_hex().to_string())
    }

    fn nothing(&self) -> Option<Nothing> {
        let first = self.pairs.first().map(|p| p.item);
        match first {
            None => Some(Nothing::NoPairs),
            Some(item) if self.pairs.iter().all(|p| p.item == item) => Some(Nothing::OneItem),
            Some(_) => None,
        }
    }
}

fn texts_of(p: &Pair) -> impl Iterator<Item = TextId> + '_ {
    p.anchor.texts().iter().copied().chain([p.positive]).chain(p.left.map(|left| left.text))
}

pub(crate) fn device_name(device: &Device) -> String {
    match device.location() {
        candle_core::DeviceLocation::Cpu => "cpu".to_owned(),
        candle_core::DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
        candle_core::DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
    }
}

/// What a slower model thinks of some pairs: taught besides the in-batch softmax, by margin-MSE ([`crate::losses::margin_mse`]).
#[derive(Debug, Clone, Copy)]
pub struct Teacher<'a> {
    /// Of each pair of the set: a text that is not its positive, and how much higher the teacher scores the positive than it.
    pub margins: &'a [Option<(TextId, f32)>],
    /// The teacher's units in one unit of cosine.
    pub scale: f64,
    /// Weight of the margins in the loss.
    pub weight: f64,
}

impl Teacher<'_> {
    fn check(&self, set: TrainingSet<'_>, config: &mercer_model::BertConfig) -> Result<()> {
        let name = "teacher";
        if self.margins.len() != set.pairs.len() {
            let why = format!("{} margins for {} pairs", self.margins.len(), set.pairs.len());
            return Err(LearnError::Option { name, why });
        }
        let known = self.margins.iter().flatten();
        if !known.clone().all(|(_, margin)| margin.is_finite()) || !(self.scale * self.weight).is_finite() {
            return Err(LearnError::Option { name, why: "a margin, scale or weight is not finite".to_owned() });
        }
        set.texts.check(known.map(|(text, _)| *text), config.vocab_size, config.max_tokens())
    }
}

/// Tunes the encoder `base` on `set`. `start` is an adapter to go on from (same rank and targets); the base stays what it was. When the
/// options name a checkpoint directory that holds a checkpoint of this very run, the run goes on from there.
///
/// # Errors
/// [`LearnError::Option`], [`LearnError::Text`], [`LearnError::TensorMissing`] and [`LearnError::TensorShape`] for input that does not fit;
/// [`LearnError::NotFinite`] when the loss leaves the numbers; [`LearnError::Foreign`] when the checkpoint directory belongs to another run;
/// [`LearnError::Io`] when it cannot be written.
pub fn tune(
    base: Base<'_>,
    set: TrainingSet<'_>,
    start: Option<&Adapter>,
    options: &TuneOptions,
    device: &Device,
    hooks: &mut dyn Hooks,
) -> Result<TuneOutcome> {
    tune_taught(base, set, None, start, options, device, hooks)
}

/// [`tune`] with a teacher.
///
/// # Errors
/// As [`tune`]; [`LearnError::Option`] for margins that do not fit the pairs.
pub fn tune_taught(
    base: Base<'_>,
    set: TrainingSet<'_>,
    teacher: Option<Teacher<'_>>,
    start: Option<&Adapter>,
    options: &TuneOptions,
    device: &Device,
    hooks: &mut dyn Hooks,
) -> Result<TuneOutcome> {
    options.check()?;
    set.check(base.config)?;
    if let Some(teacher) = &teacher {
        teacher.check(set, base.config)?;
    }
    let began = hooks.seconds();
    let upper = options.upper_layers.min(base.config.num_hidden_layers);
    if let Some(why) = start.and_then(|start| options.method.refuses(start)) {
        return Err(LearnError::Option { name: "start", why });
    }
    let encoder = Encoder::new(base, &options.method, upper, options.seed, start, device)?;
    let identity = Identity {
        base: graph::fingerprint(base)?,
        data: set.hash(teacher.as_ref(), start)?,
        options: blake3::hash(&serde_json::to_vec(options).map_err(candle_core::Error::wrap)?).to_hex().to_string(),
    };
    if start.is_some_and(|a| a.meta.base != identity.base) {
        return Err(LearnError::Option { name: "start", why: "was made for other base weights".to_owned() });
    }
    let steps_before = start.map_or(0, |s| s.meta.steps);
    let mut sampler = Sampler::new(set.pairs.len(), options.batch_pairs, options.seed);
    let total = options.steps(sampler.batches_per_epoch());
    let mut outcome = TuneOutcome {
        learned: encoder.learned(identity.base.clone(), steps_before)?,
        stopped: Stopped::Finished,
        steps: 0,
        total_steps: total,
        resumed_from: None,
        losses: Vec::new(),
        seconds: 0.0,
        cache: (0, 0),
    };
    let nothing = set.nothing().or((total == 0 || encoder.vars().is_empty()).then_some(Nothing::NothingTrains));
    if let Some(why) = nothing {
        outcome.stopped = Stopped::NothingToLearn(why);
        outcome.total_steps = 0;
        outcome.seconds = hooks.seconds() - began;
        return Ok(outcome);
    }

    let mut adam = AdamW::new(options.adam.clone(), encoder.vars())?;
    let kept = options.checkpoint.as_ref();
    let mut ranks = match &options.method {
        Method::AdaLora(ada) => Some(Allocator::new(ada, encoder.vars())?),
        _ => None,
    };
    if let Some(resumed) = checkpoint::resume(kept, &identity, encoder.vars(), &mut adam, device)? {
        tracing::info!(step = resumed.step, total, "going on from a checkpoint");
        if let Some(ranks) = &mut ranks {
            ranks.restore(&resumed.moments, device)?;
        }
        (outcome.resumed_from, outcome.losses) = (Some(resumed.step), resumed.losses);
    }

    let batches = (0..total).map(|s| step::texts_of_batch(set, teacher, sampler.batch(s)));
    let plan = Plan::new(batches, set.texts, base.config.hidden_size, options.cache_format, options.cache_bytes);
    tracing::info!(
        pairs = set.pairs.len(),
        steps = total,
        cached_bytes = plan.bytes,
        left_out = plan.left_out,
        "tuning the encoder"
    );
    let mut run = step::Run::new(base, &encoder, (set, teacher), options, LowerCache::new(plan, options.cache_format))?;
    let save = |adam: &AdamW, ranks: Option<&Allocator>, losses: &[f32]| {
        let beside = ranks.map(Allocator::state).unwrap_or_default();
        checkpoint::keep(kept, &identity, encoder.vars(), (adam, beside), losses)
    };

    let (first, stepping) = (adam.step, hooks.seconds());
    let mut written = outcome.resumed_from;
    while adam.step < total {
        if hooks.should_stop() {
            outcome.stopped = Stopped::Cancelled;
            break;
        }
        if options.wall_seconds.is_some_and(|most| hooks.seconds() - began >= most) {
            outcome.stopped = Stopped::WallBudget;
            break;
        }
        let rate = options.adam.rate(adam.step + 1, total);
        let batch = sampler.batch(adam.step).to_vec();
        let Some(result) = run.step((&mut adam, ranks.as_mut(), total), &batch, rate, hooks)? else {
            outcome.stopped = Stopped::Cancelled;
            break;
        };
        outcome.losses.push(result.loss);
        let elapsed = (hooks.seconds() - stepping).max(1e-9);
        let done = (adam.step - first) as f64;
        hooks.on_step(&StepReport {
            step: adam.step,
            total,
            loss: result.loss,
            pull: result.pull,
            grad_norm: result.grad_norm,
            learning_rate: rate,
            items_per_second: done * batch.len() as f64 / elapsed,
            eta_s: (total - adam.step) as f64 * elapsed / done,
            device: device_name(device),
            cache_bytes: run.cache.bytes(),
        });
        if options.checkpoint.as_ref().is_some_and(|c| adam.step.is_multiple_of(c.every)) {
            save(&adam, ranks.as_ref(), &outcome.losses)?;
            written = Some(adam.step);
        }
    }
    if written != Some(adam.step) && adam.step > 0 {
        save(&adam, ranks.as_ref(), &outcome.losses)?;
    }
    outcome.steps = adam.step;
    outcome.learned = encoder.learned(identity.base, steps_before + adam.step as u64)?;
    outcome.cache = (run.cache.hits, run.cache.computed);
    outcome.seconds = hooks.seconds() - began;
    Ok(outcome)
}

#[cfg(test)]
mod tests;
