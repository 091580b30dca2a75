//! The loss: softmax over the catalogue against a set of items that share the mass, with popularity prior and repeat term added to the scores
//! on the way, as one operator: nothing of size `questions x items` is kept but the scores themselves.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::popularity::{HORIZONS, Timeline};
use crate::ops::{cpu_slice, exp, has_kernel, sum, with_slice};

/// Smallest share that a correction divides by, as in TensorFlow Recommenders.
const LEAST_SHARE: f64 = 1e-6;

/// The score of a drawn item in a sampled softmax: `score - ln q` (logQ, Yi et al., RecSys 2019; METRICS.md section 8), for training only.
#[must_use]
pub fn log_q(score: f64, q: f64) -> f64 {
    score - q.max(LEAST_SHARE).ln()
}

/// Columns of the scores.
#[derive(Debug, Clone, Default)]
pub(crate) struct Columns {
    /// Items, ascending.
    pub(crate) items: Vec<u32>,
    /// Added to the scores of each: 0 for an item that is there for certain, `-ln(expected draws / draws)` for one that was drawn.
    pub(crate) correction: Vec<f32>,
    /// An item is a candidate only after this moment: before, nobody had touched it.
    pub(crate) since: Vec<i64>,
}

impl Columns {
    /// Column of an item.
    pub(crate) fn of(&self, item: u32) -> Option<usize> {
        self.items.binary_search(&item).ok()
    }
}

/// One row of the loss.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) at: i64,
    /// Table of the timeline.
    pub(crate) table: usize,
    /// Columns of the items taken, distinct. They share the mass evenly.
    pub(crate) taken: Vec<u32>,
    /// Rows of the repeat term that belong here.
    pub(crate) had: Range<usize>,
    /// Share of this row in the loss.
    pub(crate) weight: f32,
}

/// What the loss knows beside the tensors.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) columns: Arc<Columns>,
    pub(crate) rows: Vec<Row>,
    /// Column of each row of the repeat term.
    pub(crate) had: Vec<u32>,
    pub(crate) timeline: Arc<Timeline>,
}

struct SetSoftmax(Arc<Case>);

impl SetSoftmax {
    /// Complete scores of a row into `z`; negative infinity where the item could not be taken.
    fn scores(&self, row: &Row, base: &[f32], prior: &[f32], repeat: &[f32], z: &mut [f32]) {
        let columns = &self.0.columns;
        for (c, z) in z.iter_mut().enumerate() {
            let f = self.0.timeline.feature(row.table, columns.items[c]);
            let p: f32 = f.iter().zip(prior).map(|(f, w)| f * w).sum();
            *z = if columns.since[c] < row.at { base[c] + p + columns.correction[c] } else { f32::NEG_INFINITY };
        }
        for k in row.had.clone() {
            z[self.0.had[k] as usize] += repeat[k];
        }
    }

    /// `ln sum exp` of complete scores.
    fn log_sum(z: &[f32], scratch: &mut Vec<f32>) -> f32 {
        let top = z.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        scratch.clear();
        scratch.extend(z.iter().map(|z| if *z == f32::NEG_INFINITY { 0.0 } else { exp(z - top) }));
        top + sum(scratch).ln()
    }

    fn loss(&self, row: &Row, z: &[f32], scratch: &mut Vec<f32>) -> f32 {
        let taken: f32 = row.taken.iter().map(|c| z[*c as usize]).sum();
        Self::log_sum(z, scratch) - taken / row.taken.len() as f32
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
                        for t in &row.taken {
                            dz[*t as usize] -= g / row.taken.len() as f32;
                        }
                        let mut dw = [0f32; HORIZONS];
                        for (dz, item) in dz.iter().zip(&self.0.columns.items) {
                            let f = self.0.timeline.feature(row.table, *item);
                            dw.iter_mut().zip(f).for_each(|(dw, f)| *dw += dz * f);
                        }
                        (dw, row.had.clone().map(|k| dz[self.0.had[k] as usize]).collect())
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

/// Weighted sum over rows of the softmax loss in nats, a scalar. `base [rows, columns]` are user vector times item vector, `prior [rows,
/// HORIZONS]` the weights of each row on the popularity features, `repeat [had]` the scores of the repeat term.
///
/// # Errors
/// When shapes do not fit or the tensors are not f32 on the CPU.
pub(crate) fn set_softmax(base: &Tensor, prior: &Tensor, repeat: &Tensor, case: &Arc<Case>) -> Result<Tensor> {
    let (n, c) = (case.rows.len(), case.columns.items.len());
    let ends = case.rows.last().map_or(0, |r| r.had.end);
    if base.dims() != [n, c] || prior.dims() != [n, HORIZONS] || repeat.dims() != [case.had.len()] {
        bail!("loss: base {:?}, prior {:?}, repeat {:?}", base.dims(), prior.dims(), repeat.dims());
    }
    if !has_kernel(base) || ends != case.had.len() || case.rows.iter().any(|r| r.taken.is_empty()) {
        bail!("loss: rows without an item, or not f32 on the CPU");
    }
    base.contiguous()?.apply_op3(&prior.contiguous()?, &repeat.contiguous()?, SetSoftmax(case.clone()))
}
