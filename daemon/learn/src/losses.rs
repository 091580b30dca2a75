//! Losses of the text encoder.
//!
//! In-batch softmax (InfoNCE, van den Oord et al., arXiv 1807.03748): each anchor has to find its positive among the positives of the whole
//! batch. What is no negative is masked: the same item, and items known to be positives of the anchor's group. Options: the reverse direction
//! as well, correction for the frequency of items in batches (logQ, Yi et al., RecSys 2019), and an additive margin (Yang et al., arXiv
//! 1902.08564). The pull towards the base (L2-SP, Li et al., arXiv 1802.01483) is on the change of the weights: `B A` for adapters.

use candle_core::{D, DType, Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::error::{LearnError, Result};
use crate::ops::composed::log_softmax;
use crate::pairs::{Known, Pair};

/// What a masked score is replaced by: far below any score, and finite so that nothing becomes NaN.
const MASKED: f32 = -1e9;

/// Shape of the in-batch softmax.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InfoNce {
    /// Cosines are divided by this, 0.001 to 10. Fixed, not learned.
    pub temperature: f64,
    /// Also let each positive find its anchor; the loss is then the mean of both directions.
    pub symmetric: bool,
    /// Subtract the logarithm of each item's share of all pairs from its score, so that popular items are not pushed away for being
    /// frequent negatives. Applies to the direction anchor to item.
    pub log_q: bool,
    /// Taken off the cosine of the positive before the softmax, 0 to 1.
    pub margin: f64,
}

impl Default for InfoNce {
    fn default() -> Self {
        Self { temperature: 0.05, symmetric: true, log_q: false, margin: 0.0 }
    }
}

impl InfoNce {
    /// # Errors
    /// [`LearnError::Option`] for the first field out of range.
    pub(crate) fn check(&self) -> Result<()> {
        let (name, value) = if !(0.001..=10.0).contains(&self.temperature) {
            ("temperature", self.temperature)
        } else if !(0.0..=1.0).contains(&self.margin) {
            ("margin", self.margin)
        } else {
            return Ok(());
        };
        let why = format!("{value} is out of range");
        Err(LearnError::Option { name, why })
    }
}

/// Which cells of the `[n, n]` score matrix count, row by row: the diagonal, and every item that is not a positive of the row's anchor.
#[must_use]
pub fn allowed(batch: &[&Pair], known: &Known) -> Vec<bool> {
    let n = batch.len();
    let mut cells = vec![true; n * n];
    for (i, a) in batch.iter().enumerate() {
        for (j, b) in batch.iter().enumerate() {
            let positive = a.item == b.item
                || a.group == b.group
                || a.anchor == b.anchor
                || a.positive == b.positive
                || known.contains(a.group, b.item);
            cells[i * n + j] = i == j || !positive;
        }
    }
    cells
}

/// In-batch softmax of unit vectors `anchors [n, h]` and `positives [n, h]`; scalar, the weighted mean over pairs in nats. A pair without
/// any negative contributes 0. `allowed` is `[n, n]` by rows ([`allowed`]), `log_q [n]` the logarithm of each pair's item share, used when
/// the options ask for it.
///
/// # Errors
/// When shapes do not fit.
pub fn info_nce(
    anchors: &Tensor,
    positives: &Tensor,
    allowed: &[bool],
    weights: &[f32],
    log_q: &[f32],
    options: &InfoNce,
) -> Result<Tensor> {
    let (n, device) = (anchors.dim(0)?, anchors.device());
    if allowed.len() != n * n || weights.len() != n || log_q.len() != n {
        return Err(LearnError::Option {
            name: "pairs",
            why: format!("{n} vectors, {} cells, {} weights", allowed.len(), weights.len()),
        });
    }
    let total: f32 = weights.iter().sum();
    let scores = anchors.matmul(&positives.t()?)?;
    let scores =
        if options.margin > 0.0 { (scores - (Tensor::eye(n, DType::F32, device)? * options.margin)?)? } else { scores };
    let scores = (scores / options.temperature)?;
    let mask: Vec<f32> = allowed.iter().map(|a| if *a { 0.0 } else { MASKED }).collect();
    let mask = Tensor::from_vec(mask, (n, n), device)?;
    let share: Vec<f32> = weights.iter().map(|w| w / total).collect();
    let share = Tensor::from_vec(share, n, device)?;
    let eye = Tensor::eye(n, DType::F32, device)?;
    let direction = |logits: &Tensor, mask: &Tensor| -> Result<Tensor> {
        let log_p = log_softmax(&(logits + mask)?)?;
        let diagonal = (log_p * &eye)?.sum(D::Minus1)?;
        Ok((diagonal * &share)?.sum_all()?.neg()?)
    };
    let forward = if options.log_q {
        let log_q = Tensor::from_slice(log_q, (1, n), device)?;
        direction(&scores.broadcast_sub(&log_q)?, &mask)?
    } else {
        direction(&scores, &mask)?
    };
    if !options.symmetric {
        return Ok(forward);
    }
    let backward = direction(&scores.t()?.contiguous()?, &mask.t()?.contiguous()?)?;
    Ok(((forward + backward)? * 0.5)?)
}

/// `||(scale) B A||_F^2` of one adapter without forming the product: `sum((A A^T) * (B^T B))`, both `[r, r]`. Scalar.
///
/// # Errors
/// When shapes do not fit.
pub fn adapter_distance(a: &Tensor, b: &Tensor, scale: f64) -> Result<Tensor> {
    let aa = a.matmul(&a.t()?)?;
    let bb = b.t()?.matmul(b)?;
    Ok(((aa * bb)?.sum_all()? * (scale * scale))?)
}

/// `||w - base||_F^2`. Scalar.
///
/// # Errors
/// When shapes do not fit.
pub fn weight_distance(w: &Tensor, base: &Tensor) -> Result<Tensor> {
    Ok((w - base)?.sqr()?.sum_all()?)
}

/// Matrix `[anchors, texts]` that takes the vectors of a batch's texts to the mean of each anchor; `row_of` finds a text's row.
///
/// # Errors
/// When the tensor library fails.
pub(crate) fn means(batch: &[&Pair], texts: usize, row_of: impl Fn(u32) -> usize, device: &Device) -> Result<Tensor> {
    let mut m = vec![0f32; batch.len() * texts];
    for (row, p) in m.chunks_exact_mut(texts).zip(batch) {
        let ids = p.anchor.texts();
        for id in ids {
            row[row_of(*id)] += 1.0 / ids.len() as f32;
        }
    }
    Ok(Tensor::from_vec(m, (batch.len(), texts), device)?)
}
