//! The loss: softmax over the catalogue against a set of target items that share the mass. One operator adds popularity prior and repeat term
//! to the scores, so that nothing of size `points x items` is kept but the scores.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::popularity::{HORIZONS, Timeline};
use crate::ops::{cpu_slice, exp, has_kernel, sum, with_slice};

/// Smallest probability in a correction, as in TensorFlow Recommenders.
const MIN_PROBABILITY: f64 = 1e-6;

/// The score of a drawn item in a sampled softmax, `score - ln q` (logQ, Yi et al., RecSys 2019; METRICS.md section 8). For training only.
pub(crate) fn log_q(score: f64, q: f64) -> f64 {
    score - q.max(MIN_PROBABILITY).ln()
}

/// Items of the softmax, one per column of the scores.
#[derive(Debug, Clone, Default)]
pub(crate) struct Candidates {
    /// Items, ascending.
    pub(crate) items: Vec<u32>,
    /// Added to the scores: 0 for an item that is always included, `-ln(expected draws / draws)` for a drawn one.
    pub(crate) correction: Vec<f32>,
    /// Time of the first event of each item, UTC milliseconds; it is a candidate only afterwards.
    pub(crate) since: Vec<i64>,
}

impl Candidates {
    /// Column of an item.
    pub(crate) fn column(&self, item: u32) -> Option<usize> {
        self.items.binary_search(&item).ok()
    }
}

/// One prediction point in the loss.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LossRow {
    pub(crate) at: i64,
    /// Table of the popularity timeline.
    pub(crate) table: usize,
    /// Columns of the target items, distinct. They share the mass evenly.
    pub(crate) targets: Vec<u32>,
    /// Rows of the repeat term that belong to this point.
    pub(crate) repeats: Range<usize>,
    /// Share of this point in the loss.
    pub(crate) weight: f32,
}

/// Inputs of the loss besides the tensors.
#[derive(Debug)]
pub(crate) struct LossInputs {
    pub(crate) candidates: Arc<Candidates>,
    pub(crate) rows: Vec<LossRow>,
    /// Column of each row of the repeat term.
    pub(crate) repeat_columns: Vec<u32>,
    pub(crate) timeline: Arc<Timeline>,
}

struct SetSoftmax(Arc<LossInputs>);

impl SetSoftmax {
    /// Complete scores of a row into `z`; negative infinity for an item that was no candidate yet.
    fn scores(&self, row: &LossRow, base: &[f32], prior: &[f32], repeat: &[f32], z: &mut [f32]) {
        let candidates = &self.0.candidates;
        for (c, z) in z.iter_mut().enumerate() {
            let f = self.0.timeline.feature(row.table, candidates.items[c]);
            let p: f32 = f.iter().zip(prior).map(|(f, w)| f * w).sum();
            *z = if candidates.since[c] < row.at { base[c] + p + candidates.correction[c] } else { f32::NEG_INFINITY };
        }
        for k in row.repeats.clone() {
            z[self.0.repeat_columns[k] as usize] += repeat[k];
        }
    }

    /// `ln sum exp` of complete scores.
    fn log_sum(z: &[f32], scratch: &mut Vec<f32>) -> f32 {
        let top = z.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        scratch.clear();
        scratch.extend(z.iter().map(|z| if *z == f32::NEG_INFINITY { 0.0 } else { exp(z - top) }));
        top + sum(scratch).ln()
    }

    fn loss(&self, row: &LossRow, z: &[f32], scratch: &mut Vec<f32>) -> f32 {
        let targets: f32 = row.targets.iter().map(|c| z[*c as usize]).sum();
        Self::log_sum(z, scratch) - targets / row.targets.len() as f32
    }
}

impl CustomOp3 for SetSoftmax {
    fn name(&self) -> &'static str {
        "set-softmax"
    }

    fn cpu_fwd(
        &self,
        base: &CpuStorage,
        lb: &Layout,
        prior: &CpuStorage,
        lp: &Layout,
        repeat: &CpuStorage,
        lr: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, c) = lb.shape().dims2()?;
        let (base, prior, repeat) = (cpu_slice(base, lb)?, cpu_slice(prior, lp)?, cpu_slice(repeat, lr)?);
        let losses: Vec<f32> = self
            .0
            .rows
            .par_iter()
            .enumerate()
            .map_init(
                || (vec![0f32; c], Vec::with_capacity(c)),
                |(z, scratch), (i, row)| {
                    self.scores(row, &base[i * c..(i + 1) * c], &prior[i * HORIZONS..(i + 1) * HORIZONS], repeat, z);
                    row.weight * self.loss(row, z, scratch)
                },
            )
            .collect();
        Ok((CpuStorage::F32(vec![losses.iter().sum()]), Shape::from(())))
    }

    fn bwd(
        &self,
        base: &Tensor,
        prior: &Tensor,
        repeat: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (n, c) = base.dims2()?;
        let grad = grad.to_scalar::<f32>()?;
        let mut dbase = vec![0f32; n * c];
        let parts: Vec<([f32; HORIZONS], Vec<f32>)> = with_slice(base, |base| {
            with_slice(prior, |prior| {
                with_slice(repeat, |repeat| {
                    let one = |scratch: &mut Vec<f32>, (i, dz): (usize, &mut [f32])| {
                        let row = &self.0.rows[i];
                        let w = &prior[i * HORIZONS..(i + 1) * HORIZONS];
                        self.scores(row, &base[i * c..(i + 1) * c], w, repeat, dz);
                        let total = Self::log_sum(dz, scratch);
                        let g = grad * row.weight;
                        for z in dz.iter_mut() {
                            *z = if *z == f32::NEG_INFINITY { 0.0 } else { g * exp(*z - total) };
                        }
                        for t in &row.targets {
                            dz[*t as usize] -= g / row.targets.len() as f32;
                        }
                        let mut dw = [0f32; HORIZONS];
                        for (dz, item) in dz.iter().zip(&self.0.candidates.items) {
                            let f = self.0.timeline.feature(row.table, *item);
                            dw.iter_mut().zip(f).for_each(|(dw, f)| *dw += dz * f);
                        }
                        (dw, row.repeats.clone().map(|k| dz[self.0.repeat_columns[k] as usize]).collect())
                    };
                    Ok(dbase.par_chunks_mut(c.max(1)).enumerate().map_init(Vec::new, one).collect())
                })
            })
        })?;
        let dprior: Vec<f32> = parts.iter().flat_map(|p| p.0).collect();
        let drepeat: Vec<f32> = parts.into_iter().flat_map(|p| p.1).collect();
        let tensor = |x, like: &Tensor| Tensor::from_vec(x, like.shape(), like.device()).map(Some);
        Ok((tensor(dbase, base)?, tensor(dprior, prior)?, tensor(drepeat, repeat)?))
    }
}

/// Weighted sum of the softmax loss over prediction points in nats. Scalar. `base [points, candidates]` is user vector times item vector,
/// `prior [points, HORIZONS]` the weights of each point on the popularity features, `repeat [repeat rows]` the scores of the repeat term.
///
/// # Errors
/// When shapes do not fit or the tensors are not f32 on the CPU.
pub(crate) fn set_softmax(base: &Tensor, prior: &Tensor, repeat: &Tensor, inputs: &Arc<LossInputs>) -> Result<Tensor> {
    let (n, c, repeats) = (inputs.rows.len(), inputs.candidates.items.len(), inputs.repeat_columns.len());
    let ends = inputs.rows.last().map_or(0, |r| r.repeats.end);
    if base.dims() != [n, c] || prior.dims() != [n, HORIZONS] || repeat.dims() != [repeats] {
        bail!("loss: base {:?}, prior {:?}, repeat {:?}", base.dims(), prior.dims(), repeat.dims());
    }
    if !has_kernel(base) || ends != repeats || inputs.rows.iter().any(|r| r.targets.is_empty()) {
        bail!("loss: rows without an item, or not f32 on the CPU");
    }
    base.contiguous()?.apply_op3(&prior.contiguous()?, &repeat.contiguous()?, SetSoftmax(inputs.clone()))
}
