//! One private step: draws users, clips and sums their gradients, adds noise, updates.

use std::collections::BTreeMap;

use candle_core::{D, Device, Tensor};
use rustc_hash::FxHashSet;

use super::clipped_sum::ClippedSum;
use super::options::PrivateOptions;
use super::random::PrivateRng;
use super::set::{CatalogueText, PrivateSet};
use crate::cache::{CachePlan, FrozenLayerCache};
use crate::contrastive_pairs::ContrastivePair;
use crate::error::Result;
use crate::graph::{TunableEncoder, unit_rows};
use crate::lora;
use crate::losses::{self, MASKED};
use crate::micro_batch::add_gradient;
use crate::ops::composed::log_softmax;
use crate::ops::dropout::DropKey;
use crate::optim::AdamW;
use crate::run::{Hooks, StepReport, device_name};
use crate::texts::TextId;

/// Encoder, data and optimiser of a private run; takes one step at a time.
pub(super) struct PrivateStepper<'a> {
    encoder: &'a TunableEncoder,
    set: PrivateSet<'a>,
    options: &'a PrivateOptions,
    pub(super) adam: AdamW,
    pub(super) cache: FrozenLayerCache,
    /// Negatives change every step: keeping their states would fill the memory that users' texts need.
    passing: FrozenLayerCache,
    rng: PrivateRng,
}

/// Negatives of a step.
pub(super) struct Negatives {
    /// Unit vectors `[negatives, hidden]`, without gradient.
    pub(super) vectors: Tensor,
    /// Which items they are.
    pub(super) items: Vec<CatalogueText>,
}

impl<'a> PrivateStepper<'a> {
    pub(super) fn new(
        encoder: &'a TunableEncoder,
        set: PrivateSet<'a>,
        options: &'a PrivateOptions,
        rng: PrivateRng,
    ) -> Result<Self> {
        let texts = set.users.iter().map(|pairs| texts_of(&pairs.iter().collect::<Vec<_>>()));
        let hidden = encoder.config().hidden_size;
        let plan = CachePlan::new(texts, set.texts, hidden, options.cache_format, options.cache_bytes);
        let adam = crate::optim::AdamOptions { clip_norm: 0.0, ..options.adam.clone() };
        Ok(Self {
            adam: AdamW::new(adam, encoder.vars())?,
            cache: FrozenLayerCache::new(plan, options.cache_format),
            passing: FrozenLayerCache::new(CachePlan::default(), options.cache_format),
            encoder,
            set,
            options,
            rng,
        })
    }

    /// Takes one step; `None` if it was stopped half way, with all weights as before. The report tells nothing about the data: its loss is
    /// NaN, its gradient norm that of the noisy gradient.
    pub(super) fn step(&mut self, hooks: &mut dyn Hooks) -> Result<Option<StepReport>> {
        let step = self.adam.step + 1;
        let drawn = self.rng.sample(self.set.users.len(), self.options.rate);
        let Some(sum) = self.clipped_sum(&drawn, hooks)? else { return Ok(None) };
        let PrivateOptions { noise, expected_batch, .. } = *self.options;
        let mut gradient = sum.release(self.encoder.vars(), noise, expected_batch, &mut self.rng)?;
        let pull = self.pull(&mut gradient)?;
        let rate = self.options.adam.rate(step, self.options.steps);
        let grad_norm = self.adam.update(&gradient, rate)?;
        Ok(Some(StepReport {
            step,
            total: self.options.steps,
            loss: f32::NAN,
            pull,
            grad_norm,
            learning_rate: rate,
            items_per_second: 0.0,
            eta_s: 0.0,
            device: device_name(self.encoder.device()),
            cache_bytes: self.cache.bytes(),
        }))
    }

    /// The sum of the clipped gradients of these users under the current weights; `None` if the run was stopped.
    pub(super) fn clipped_sum(&mut self, drawn: &[usize], hooks: &mut dyn Hooks) -> Result<Option<ClippedSum>> {
        let negatives = self.negatives(hooks)?;
        let mut sum = ClippedSum::new(self.options.clip);
        for user in drawn {
            if hooks.should_stop() {
                return Ok(None);
            }
            if let Some(gradient) = self.gradient_of(*user, &negatives, hooks)? {
                sum.add(&gradient)?;
            }
            hooks.yield_now();
        }
        Ok(Some(sum))
    }

    /// Draws the negatives of a step from the catalogue and encodes them.
    pub(super) fn negatives(&mut self, hooks: &mut dyn Hooks) -> Result<Negatives> {
        let items = self.draw(self.options.negatives);
        let ids: Vec<TextId> = items.iter().map(|one| one.text).collect();
        let mut rows = Vec::new();
        for ids in ids.chunks(32) {
            let packed = self.passing.states(self.encoder, self.set.texts, ids, &mut || hooks.yield_now())?;
            rows.push(self.encoder.vectors(&packed.states, &packed.spans, None)?.detach());
            hooks.yield_now();
        }
        Ok(Negatives { vectors: Tensor::cat(&rows, 0)?, items })
    }

    /// Different items of the catalogue with equal probability.
    fn draw(&mut self, count: usize) -> Vec<CatalogueText> {
        let chosen = self.rng.choose(self.set.catalogue.len(), count);
        chosen.into_iter().map(|at| self.set.catalogue[at]).collect()
    }

    /// The gradient of one user's loss before clipping; `None` for a user without pairs.
    pub(super) fn gradient_of(
        &mut self,
        user: usize,
        negatives: &Negatives,
        hooks: &mut dyn Hooks,
    ) -> Result<Option<BTreeMap<String, Tensor>>> {
        let own = &self.set.users[user];
        if own.is_empty() {
            return Ok(None);
        }
        let chosen = self.rng.choose(own.len(), self.options.pairs_per_user);
        let pairs: Vec<&ContrastivePair> = chosen.into_iter().map(|at| &own[at]).collect();
        let trained = self.draw(self.options.trained_negatives);
        let user_loss = UserLoss { pairs: &pairs, own, trained: &trained, negatives };
        let key = DropKey { seed: self.options.seed, step: self.adam.step as u64 + 1, chunk: user as u32 };
        let loss = self.loss(&user_loss, Some(key), hooks)?;
        let from = loss.backward()?;
        let mut gradient = BTreeMap::new();
        for (name, var) in self.encoder.vars() {
            if let Some(part) = from.get(var) {
                gradient.insert(name.clone(), part.detach());
            }
        }
        Ok(Some(gradient))
    }

    /// Softmax of each positive against the negatives, the weighted mean over the pairs of one user in nats. Scalar.
    pub(super) fn loss(&mut self, user: &UserLoss<'_>, drop: Option<DropKey>, hooks: &mut dyn Hooks) -> Result<Tensor> {
        let mut ids = texts_of(user.pairs);
        ids.extend(user.trained.iter().map(|one| one.text));
        ids.sort_unstable();
        ids.dedup();
        let packed = self.cache.states(self.encoder, self.set.texts, &ids, &mut || hooks.yield_now())?;
        let vectors = self.encoder.vectors(&packed.states, &packed.spans, drop)?;
        user.over(&vectors, &ids, self.options.temperature)
    }

    /// Adds the gradient of the pull towards the base; returns its weighted value.
    fn pull(&self, gradient: &mut BTreeMap<String, Tensor>) -> Result<f32> {
        let (vars, o) = (self.encoder.vars(), self.options);
        if o.pull <= 0.0 {
            return Ok(0.0);
        }
        let mut parts = Vec::new();
        for (name, a) in vars {
            let Some(b) = lora::module_of(name).and_then(|module| vars.get(&lora::var_name(module, 'B'))) else {
                continue;
            };
            let distance = losses::adapter_distance(a, b, o.lora.alpha / o.lora.rank as f64)?;
            parts.push((distance * o.pull)?);
        }
        let penalty = Tensor::stack(&parts, 0)?.sum_all()?;
        let from = penalty.backward()?;
        for (name, var) in vars {
            if let Some(part) = from.get(var) {
                add_gradient(gradient, name, part)?;
            }
        }
        Ok(penalty.to_scalar::<f32>()?)
    }
}

/// Distinct texts of these pairs, ascending.
fn texts_of(pairs: &[&ContrastivePair]) -> Vec<TextId> {
    let mut ids: Vec<TextId> =
        pairs.iter().flat_map(|pair| pair.anchor.texts().iter().copied().chain([pair.positive])).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// What the loss of one user is made from.
#[derive(Clone, Copy)]
pub(super) struct UserLoss<'a> {
    /// Pairs that count.
    pub(super) pairs: &'a [&'a ContrastivePair],
    /// All pairs of the user: none of their items is a negative.
    pub(super) own: &'a [ContrastivePair],
    /// Negatives with gradient.
    pub(super) trained: &'a [CatalogueText],
    /// Negatives without.
    pub(super) negatives: &'a Negatives,
}

impl UserLoss<'_> {
    /// The loss over the vectors `[texts, hidden]` of `ids`, which ascend and hold every text of the pairs and of the trained negatives.
    /// Scalar.
    fn over(&self, vectors: &Tensor, ids: &[TextId], temperature: f64) -> Result<Tensor> {
        let (device, n) = (vectors.device(), self.pairs.len());
        let row_of = |id: TextId| ids.partition_point(|one| *one < id);
        let rows = |texts: Vec<TextId>| -> Result<Tensor> {
            let rows: Vec<u32> = texts.into_iter().map(|id| row_of(id) as u32).collect();
            let n = rows.len();
            Ok(vectors.index_select(&Tensor::from_vec(rows, n, device)?, 0)?)
        };
        let means = losses::anchor_means(self.pairs, ids.len(), row_of, device)?;
        let anchors = unit_rows(&means.matmul(vectors)?)?;
        let positives = rows(self.pairs.iter().map(|pair| pair.positive).collect())?;
        let mut columns = vec![((&anchors * positives)?.sum_keepdim(D::Minus1)? / temperature)?];
        let mut against = |items: &[CatalogueText], vectors: &Tensor| -> Result<()> {
            let scores = (anchors.matmul(&vectors.t()?)? / temperature)?;
            columns.push(scores.broadcast_add(&self.mask(items, device)?)?);
            Ok(())
        };
        against(&self.negatives.items, &self.negatives.vectors)?;
        if !self.trained.is_empty() {
            against(self.trained, &rows(self.trained.iter().map(|one| one.text).collect())?)?;
        }
        let log_p = log_softmax(&Tensor::cat(&columns, 1)?)?.narrow(1, 0, 1)?.squeeze(1)?;
        let total: f32 = self.pairs.iter().map(|pair| pair.weight).sum();
        let share: Vec<f32> = self.pairs.iter().map(|pair| pair.weight / total).collect();
        Ok((log_p * Tensor::from_vec(share, n, device)?)?.sum_all()?.neg()?)
    }

    /// 0 for a negative, far below any score for an item of the user, `[1, items]`.
    fn mask(&self, items: &[CatalogueText], device: &Device) -> Result<Tensor> {
        let taken: FxHashSet<u32> = self.own.iter().map(|pair| pair.item).collect();
        let read: FxHashSet<TextId> = self.own.iter().map(|pair| pair.positive).collect();
        let free = |one: &CatalogueText| !taken.contains(&one.item) && !read.contains(&one.text);
        let mask: Vec<f32> = items.iter().map(|one| if free(one) { 0.0 } else { MASKED }).collect();
        Ok(Tensor::from_vec(mask, (1, items.len()), device)?)
    }
}
