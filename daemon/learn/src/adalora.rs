//! AdaLoRA (Zhang et al., arXiv 2303.10512): the change of a weight is `(alpha / r) P diag(l) Q` with nearly orthonormal `P [out, k]` and
//! `Q [k, in]`. Training starts with more ranks than the budget allows. It then sets the least important ones, compared over all modules,
//! to zero, so that modules which need more ranks keep more. Names are peft's: `lora_A` is Q, `lora_B` is P, `lora_E` is l.
//!
//! The result is an ordinary [`Adapter`](crate::Adapter) of pairs `(diag(l) Q, P)` with the remaining ranks.

use std::collections::BTreeMap;

use candle_core::{D, DType, Device, Tensor, Var};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::{LearnError, Result};
use crate::lora::{LoraOptions, LowRankPair, LowRankVars, WeightShape, module_of, var_name};

/// Settings of AdaLoRA.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdaLoraOptions {
    /// Scale, dropout and placement; `rank` is the mean rank at the end.
    pub lora: LoraOptions,
    /// Rank of every module at the start, at least `lora.rank`.
    pub initial: usize,
    /// Share of the steps before the first rank is removed.
    pub warmup: f64,
    /// Share of the steps at the end without any removal; `warmup + rest` is at most 1.
    pub rest: f64,
    /// Weight in the loss of the distance of P and Q from orthonormal.
    pub orthogonal: f64,
    /// Smoothing of the rank scores.
    pub smoothing: Smoothing,
}

/// Exponential smoothing of rank scores, each factor 0 to below 1. Stored as a pair of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "(f64, f64)", into = "(f64, f64)")]
pub struct Smoothing {
    /// Of the importance.
    pub importance: f64,
    /// Of the uncertainty of the importance.
    pub uncertainty: f64,
}

impl From<(f64, f64)> for Smoothing {
    fn from((importance, uncertainty): (f64, f64)) -> Self {
        Self { importance, uncertainty }
    }
}

impl From<Smoothing> for (f64, f64) {
    fn from(s: Smoothing) -> Self {
        (s.importance, s.uncertainty)
    }
}

impl Default for AdaLoraOptions {
    /// The paper's values: 1.5 times the ranks at the start, both smoothing factors .85.
    fn default() -> Self {
        Self {
            lora: LoraOptions::default(),
            initial: 12,
            warmup: 0.1,
            rest: 0.3,
            orthogonal: 0.1,
            smoothing: Smoothing { importance: 0.85, uncertainty: 0.85 },
        }
    }
}

impl AdaLoraOptions {
    /// # Errors
    /// [`LearnError::Option`] for the first field out of range; those of `lora` are checked by the caller.
    pub(crate) fn check(&self) -> Result<()> {
        let fail = |name, why: String| Err(LearnError::Option { name, why });
        if !(self.lora.rank..=256).contains(&self.initial) {
            return fail("initial", format!("{} is not between the rank, {}, and 256", self.initial, self.lora.rank));
        }
        let shares = [self.warmup, self.rest, 1.0 - self.warmup - self.rest];
        if !shares.iter().all(|share| (0.0..=1.0).contains(share)) {
            return fail("warmup", format!("{} and rest {} are no shares of one run", self.warmup, self.rest));
        }
        if !(0.0..=1e6).contains(&self.orthogonal) {
            return fail("orthogonal", format!("{} is not between 0 and 1e6", self.orthogonal));
        }
        let Smoothing { importance, uncertainty } = self.smoothing;
        if ![importance, uncertainty].iter().all(|s| (0.0..1.0).contains(s)) {
            return fail("smoothing", format!("{importance} and {uncertainty} are not between 0 and 1"));
        }
        Ok(())
    }

    /// Total rank budget of all `modules` after `step` (from 1) of `total`: the initial ranks, then a cubic decay, then the final ranks.
    pub(crate) fn ranks(&self, step: usize, total: usize, modules: usize) -> usize {
        let (first, last) = (modules * self.initial, modules * self.lora.rank);
        let (begin, end) = (self.warmup * total as f64, (1.0 - self.rest) * total as f64);
        let step = step as f64;
        if step >= end || step >= total as f64 {
            return last;
        }
        if step <= begin {
            return first;
        }
        let left = 1.0 - (step - begin) / (end - begin);
        last + ((first - last) as f64 * left.powi(3)).round() as usize
    }
}

/// Initial tensors of one adapter: orthonormal rows of `Q [k, in]`, orthonormal columns of `P [out, k]` and `l = 0`, so that tuning starts
/// exactly at the base. The ranks of an earlier adapter, if given, come first, with their lengths in `l`.
pub(crate) fn init(
    module: &str,
    ranks: usize,
    shape: WeightShape,
    seed: u64,
    earlier: Option<&LowRankPair>,
    device: &Device,
) -> Result<LowRankVars> {
    let WeightShape { out, inner } = shape;
    let (mut q, mut p, mut l) = (Vec::new(), Vec::new(), Vec::new());
    if let Some(LowRankPair { a, b }) = earlier {
        let rows: Vec<Vec<f32>> = a.to_dtype(DType::F32)?.to_vec2()?;
        let columns: Vec<Vec<f32>> = b.to_dtype(DType::F32)?.t()?.contiguous()?.to_vec2()?;
        for (mut row, mut column) in rows.into_iter().zip(columns) {
            let length = unit(&mut row) * unit(&mut column);
            if length > 0.0 {
                q.push(row);
                p.push(column);
                l.push(length);
            }
        }
    }
    if l.len() > ranks {
        return Err(LearnError::Option {
            name: "start",
            why: format!("{module} has rank {}, the run begins with {ranks}", l.len()),
        });
    }
    let key = blake3::hash(format!("adalora {seed} {module}").as_bytes());
    let mut rng = ChaCha8Rng::from_seed(*key.as_bytes());
    add_orthogonal_rows(&mut q, ranks, inner, &mut rng);
    add_orthogonal_rows(&mut p, ranks, out, &mut rng);
    l.resize(ranks, 0.0);
    let p = Tensor::from_vec(p.concat(), (ranks, out), device)?.t()?.contiguous()?;
    Ok(LowRankVars {
        a: Var::from_vec(q.concat(), (ranks, inner), device)?,
        b: Var::from_tensor(&p)?,
        e: Some(Var::from_vec(l, ranks, device)?),
    })
}

/// Scales a vector to length 1 and returns its former length. A zero vector stays zero.
fn unit(x: &mut [f32]) -> f32 {
    let length = x.iter().map(|v| v * v).sum::<f32>().sqrt();
    if length > 0.0 {
        x.iter_mut().for_each(|v| *v /= length);
    }
    length
}

/// Adds random unit rows of length `width` until there are `count`, each orthogonal to the rows before it (Gram-Schmidt) while the space
/// has room.
fn add_orthogonal_rows(rows: &mut Vec<Vec<f32>>, count: usize, width: usize, rng: &mut ChaCha8Rng) {
    while rows.len() < count {
        let mut row: Vec<f32> = (0..width).map(|_| rng.random_range(-1.0f32..1.0)).collect();
        if rows.len() < width {
            for before in rows.iter() {
                let along: f32 = before.iter().zip(&row).map(|(a, b)| a * b).sum();
                row.iter_mut().zip(before).for_each(|(x, b)| *x -= along * b);
            }
        }
        unit(&mut row);
        rows.push(row);
    }
}

/// `A = diag(l) Q` and `B = P` over the remaining ranks; `None` if no rank remains.
pub(crate) fn to_pair(q: &Tensor, p: &Tensor, l: &Tensor) -> Result<Option<LowRankPair>> {
    let left: Vec<u32> = (0..).zip(l.to_vec1::<f32>()?).filter(|(_, l)| *l != 0.0).map(|(k, _)| k).collect();
    if left.is_empty() {
        return Ok(None);
    }
    let n = left.len();
    let left = Tensor::from_vec(left, n, l.device())?;
    let l = l.index_select(&left, 0)?.unsqueeze(1)?;
    let a = q.index_select(&left, 0)?.broadcast_mul(&l)?;
    Ok(Some(LowRankPair { a, b: p.index_select(&left, 1)?.contiguous()? }))
}

/// Distance from orthonormal, `||Q Q^T - 1||_F^2 + ||P^T P - 1||_F^2`. Scalar.
pub(crate) fn orthogonality_penalty(q: &Tensor, p: &Tensor) -> Result<Tensor> {
    let one = Tensor::eye(q.dim(0)?, DType::F32, q.device())?;
    let of = |gram: Tensor| (gram - &one)?.sqr()?.sum_all();
    Ok((of(q.matmul(&q.t()?)?)? + of(p.t()?.matmul(p)?)?)?)
}

/// Score of every element of one variable: smoothed `|w dL/dw|` and its smoothed uncertainty.
#[derive(Debug)]
struct ElementScore {
    importance: Tensor,
    uncertainty: Tensor,
}

/// Decides which ranks stay. The score of a rank is importance times uncertainty of its `l` plus the means over its vectors in Q and P.
#[derive(Debug)]
pub(crate) struct RankAllocator {
    options: AdaLoraOptions,
    modules: Vec<String>,
    /// By variable.
    scores: BTreeMap<String, ElementScore>,
}

/// One rank of one module with its score.
struct ScoredRank {
    score: f32,
    module: usize,
    rank: usize,
}

impl RankAllocator {
    pub(crate) fn new(options: &AdaLoraOptions, vars: &BTreeMap<String, Var>) -> Result<Self> {
        let modules = vars.keys().filter_map(|name| module_of(name)).map(str::to_owned).collect();
        let zero = |v: &Var| -> Result<ElementScore> {
            Ok(ElementScore { importance: v.zeros_like()?, uncertainty: v.zeros_like()? })
        };
        let scores = vars.iter().map(|(n, v)| Ok((n.clone(), zero(v)?))).collect::<Result<_>>()?;
        Ok(Self { options: options.clone(), modules, scores })
    }

    /// Updates the scores with the gradients of a finished step (from 1) of `total`, then sets the `l` of ranks beyond the budget to 0. A
    /// rank at 0 still has a gradient and may return.
    pub(crate) fn after_step(
        &mut self,
        step: usize,
        total: usize,
        grads: &BTreeMap<String, Tensor>,
        vars: &BTreeMap<String, Var>,
    ) -> Result<()> {
        self.update_scores(grads, vars)?;
        let keep = self.options.ranks(step, total, self.modules.len());
        if keep >= self.modules.len() * self.options.initial {
            return Ok(());
        }
        let mut removed: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for r in self.sorted_ranks()?.into_iter().skip(keep) {
            removed.entry(r.module).or_default().push(r.rank);
        }
        for (module, ranks) in removed {
            let Some(var) = vars.get(&var_name(&self.modules[module], 'E')) else { continue };
            let mut l: Vec<f32> = var.to_vec1()?;
            ranks.into_iter().for_each(|rank| l[rank] = 0.0);
            var.set(&Tensor::from_vec(l, var.shape(), var.device())?)?;
        }
        Ok(())
    }

    fn update_scores(&mut self, grads: &BTreeMap<String, Tensor>, vars: &BTreeMap<String, Var>) -> Result<()> {
        let Smoothing { importance: first, uncertainty: second } = self.options.smoothing;
        for (name, ElementScore { importance, uncertainty }) in &mut self.scores {
            let (Some(var), Some(grad)) = (vars.get(name), grads.get(name)) else { continue };
            let now = (var.as_detached_tensor() * grad)?.abs()?;
            *importance = ((&*importance * first)? + (&now * (1.0 - first))?)?.detach();
            let off = (now - &*importance)?.abs()?;
            *uncertainty = ((&*uncertainty * second)? + (off * (1.0 - second))?)?.detach();
        }
        Ok(())
    }

    /// Ranks of all modules, highest score first; among equal scores the earlier module and rank first.
    fn sorted_ranks(&self) -> Result<Vec<ScoredRank>> {
        let mut all: Vec<ScoredRank> = Vec::new();
        for (module, name) in self.modules.iter().enumerate() {
            let scores = self.rank_scores(name)?.into_iter().enumerate();
            all.extend(scores.map(|(rank, score)| ScoredRank { score, module, rank }));
        }
        all.sort_by(|a, b| b.score.total_cmp(&a.score).then((a.module, a.rank).cmp(&(b.module, b.rank))));
        Ok(all)
    }

    /// Score of each rank of a module.
    fn rank_scores(&self, module: &str) -> Result<Vec<f32>> {
        let score = |side: char| -> Result<Tensor> {
            let name = var_name(module, side);
            let element = self.scores.get(&name).ok_or_else(|| LearnError::TensorMissing { name: name.clone() })?;
            Ok((&element.importance * &element.uncertainty)?)
        };
        let (q, p) = (score('A')?.mean(D::Minus1)?, score('B')?.mean(0)?);
        Ok((score('E')? + (q + p)?)?.to_vec1()?)
    }

    /// The scores as tensors named `importance.<variable>` and `uncertainty.<variable>`, for a checkpoint.
    pub(crate) fn state(&self) -> BTreeMap<String, Tensor> {
        let parts = |(name, score): (&String, &ElementScore)| {
            [
                (format!("importance.{name}"), score.importance.clone()),
                (format!("uncertainty.{name}"), score.uncertainty.clone()),
            ]
        };
        self.scores.iter().flat_map(parts).collect()
    }

    /// Restores what [`RankAllocator::state`] returned.
    ///
    /// # Errors
    /// [`LearnError::TensorMissing`] when the state belongs to other variables.
    pub(crate) fn restore(&mut self, state: &BTreeMap<String, Tensor>, device: &Device) -> Result<()> {
        for (name, score) in &mut self.scores {
            for (kind, slot) in [("importance", &mut score.importance), ("uncertainty", &mut score.uncertainty)] {
                let name = format!("{kind}.{name}");
                let t = state.get(&name).filter(|t| t.dims() == slot.dims());
                *slot = t.ok_or(LearnError::TensorMissing { name })?.to_device(device)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
