//! Losses of the text encoder and of the cross-encoder.
//!
//! * In-batch softmax (InfoNCE, van den Oord et al., arXiv 1807.03748): each anchor has to find its positive among the positives of the whole
//!   batch. Cells that are no negatives are masked: the same item, and known positives of the anchor's group. Options: the reverse direction
//!   as well, correction for the frequency of items in batches (logQ, Yi et al., RecSys 2019), and an additive margin (Yang et al., arXiv
//!   1902.08564).
//! * Margin-MSE (Hofstätter et al., arXiv 2010.02666): the student's margin between a positive and a negative approaches the teacher's.
//! * Pull towards the base (L2-SP, Li et al., arXiv 1802.01483) on the change of the weights: `B A` for adapters.
//! * Logistic loss of the cross-encoder.

use candle_core::{D, DType, Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::contrastive_pairs::{ContrastivePair, KnownPositives};
use crate::error::{LearnError, Result};
use crate::ops::composed::log_softmax;

/// Added to masked scores: far below any score, and finite so that nothing becomes NaN.
pub(crate) const MASKED: f32 = -1e9;

/// Options of the in-batch softmax.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InfoNce {
    /// Divisor of the cosines, 0.001 to 10. Fixed, not learned.
    pub temperature: f64,
    /// Whether each positive also has to find its anchor; the loss is then the mean of both directions.
    pub symmetric: bool,
    /// Whether to subtract the logarithm of each item's share of all pairs from its score, so that frequent negatives are not pushed away for
    /// being popular. Applies to the direction anchor to item.
    pub log_q: bool,
    /// Subtracted from the cosine of the positive before the softmax, 0 to 1.
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

/// Cells of the `[n, n]` score matrix that count, row by row: the diagonal, and every item that is no positive of the row's anchor.
#[must_use]
pub fn negative_mask(batch: &[&ContrastivePair], known: &KnownPositives) -> Vec<bool> {
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

/// Pairs whose hard negative counts: it exists and is no positive of the pair's group.
#[must_use]
pub fn hard_negative_mask(batch: &[&ContrastivePair], known: &KnownPositives) -> Vec<bool> {
    let counts = |p: &ContrastivePair| {
        p.hard_negative.is_some_and(|h| h.item != p.item && h.text != p.positive && !known.contains(p.group, h.item))
    };
    batch.iter().map(|p| counts(p)).collect()
}

/// One hard negative per pair.
#[derive(Debug, Clone, Copy)]
pub struct HardNegatives<'a> {
    /// Unit vectors `[n, h]`.
    pub vectors: &'a Tensor,
    /// Rows that count, `[n]` ([`hard_negative_mask`]).
    pub counts: &'a [bool],
}

/// Inputs of [`info_nce`] for a batch of `n` pairs.
#[derive(Debug, Clone, Copy)]
pub struct InBatch<'a> {
    /// Unit vectors `[n, h]`.
    pub anchors: &'a Tensor,
    /// Unit vectors `[n, h]`.
    pub positives: &'a Tensor,
    /// `[n, n]` by rows ([`negative_mask`]).
    pub allowed: &'a [bool],
    /// Each joins the softmax of its own anchor only, without logQ.
    pub hard_negatives: Option<HardNegatives<'a>>,
    /// Weight of each pair, `[n]`.
    pub weights: &'a [f32],
    /// Logarithm of the share of each pair's item, `[n]`; used if the options ask for logQ.
    pub log_q: &'a [f32],
}

/// In-batch softmax, the weighted mean over pairs in nats. Scalar. A pair without any negative contributes 0.
///
/// # Errors
/// When shapes do not fit.
pub fn info_nce(batch: &InBatch<'_>, options: &InfoNce) -> Result<Tensor> {
    let InBatch { anchors, positives, allowed, hard_negatives, weights, log_q } = *batch;
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
    let masked = |cells: &[bool], columns: usize| -> Result<Tensor> {
        let mask: Vec<f32> = cells.iter().map(|a| if *a { 0.0 } else { MASKED }).collect();
        Ok(Tensor::from_vec(mask, (n, columns), device)?)
    };
    let mask = masked(allowed, n)?;
    let share: Vec<f32> = weights.iter().map(|w| w / total).collect();
    let share = Tensor::from_vec(share, n, device)?;
    let eye = Tensor::eye(n, DType::F32, device)?;
    let direction = |logits: &Tensor, mask: &Tensor| -> Result<Tensor> {
        let log_p = log_softmax(&(logits + mask)?)?;
        let diagonal = (log_p * &eye)?.sum(D::Minus1)?;
        Ok((diagonal * &share)?.sum_all()?.neg()?)
    };
    let corrected =
        if options.log_q { scores.broadcast_sub(&Tensor::from_slice(log_q, (1, n), device)?)? } else { scores.clone() };
    let forward = match hard_negatives {
        Some(HardNegatives { vectors, counts }) if counts.contains(&true) => {
            let hard = ((anchors * vectors)?.sum_keepdim(D::Minus1)? / options.temperature)?;
            let all = Tensor::cat(&[&(corrected + &mask)?, &(hard + masked(counts, 1)?)?], 1)?;
            let diagonal = (log_softmax(&all)?.narrow(1, 0, n)? * &eye)?.sum(D::Minus1)?;
            (diagonal * &share)?.sum_all()?.neg()?
        }
        _ => direction(&corrected, &mask)?,
    };
    if !options.symmetric {
        return Ok(forward);
    }
    let backward = direction(&scores.t()?.contiguous()?, &mask.t()?.contiguous()?)?;
    Ok(((forward + backward)? * 0.5)?)
}

/// `||scale B A||_F^2` of one adapter, computed as `sum((A A^T) * (B^T B))` with both factors `[r, r]`. Scalar.
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

/// Margin-MSE of unit vectors `anchors`, `positives` and `negatives`, all `[n, h]`. Mean over the rows of the squared difference between the
/// student's margin (`scale` times the difference of the two cosines) and the teacher's (`margins [n]`). Scalar.
///
/// # Errors
/// When shapes do not fit.
pub fn margin_mse(
    anchors: &Tensor,
    positives: &Tensor,
    negatives: &Tensor,
    margins: &[f32],
    scale: f64,
) -> Result<Tensor> {
    let own = ((anchors * (positives - negatives)?)?.sum(D::Minus1)? * scale)?;
    let teacher = Tensor::from_slice(margins, margins.len(), anchors.device())?;
    Ok((own - teacher)?.sqr()?.mean_all()?)
}

/// Logistic loss of log-odds `[n]` against labels, mean in nats; finite for any finite log-odds. Scalar.
///
/// # Errors
/// When there are not as many labels as log-odds.
pub fn logistic(logits: &Tensor, labels: &[bool]) -> Result<Tensor> {
    let y: Vec<f32> = labels.iter().map(|l| f32::from(u8::from(*l))).collect();
    let y = Tensor::from_vec(y, labels.len(), logits.device())?;
    // ln(1 + e^z) - y z as max(z, 0) + ln(1 + e^-|z|) - y z, which cannot overflow.
    let tail = (logits.abs()?.neg()?.exp()? + 1.0)?.log()?;
    Ok(((logits.relu()? + tail)? - (logits * y)?)?.mean_all()?)
}

/// Matrix `[anchors, texts]` that maps the vectors of a batch's texts to the mean of each anchor; `row_of` gives the row of a text.
///
/// # Errors
/// When the tensor library fails.
pub(crate) fn anchor_means(
    batch: &[&ContrastivePair],
    texts: usize,
    row_of: impl Fn(u32) -> usize,
    device: &Device,
) -> Result<Tensor> {
    let mut m = vec![0f32; batch.len() * texts];
    for (row, p) in m.chunks_exact_mut(texts).zip(batch) {
        let ids = p.anchor.texts();
        for id in ids {
            row[row_of(*id)] += 1.0 / ids.len() as f32;
        }
    }
    Ok(Tensor::from_vec(m, (batch.len(), texts), device)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contrastive_pairs::Anchor;

    fn pair(anchor: u32, item: u32, group: u64) -> ContrastivePair {
        ContrastivePair {
            anchor: Anchor::Text(anchor),
            positive: 100 + item,
            item,
            group,
            weight: 1.0,
            hard_negative: None,
        }
    }

    fn unit_rows(angles: &[f32]) -> Tensor {
        let rows: Vec<f32> = angles.iter().flat_map(|a| [a.cos(), a.sin()]).collect();
        Tensor::from_vec(rows, (angles.len(), 2), &Device::Cpu).unwrap()
    }

    const OWN: [bool; 3] = [true, false, true];

    fn value(options: &InfoNce, allowed: &[bool], own: bool, weights: &[f32], log_q: &[f32]) -> f64 {
        let (a, p, o) = (unit_rows(&[0.0, 1.0, 2.0]), unit_rows(&[0.3, 1.4, 2.9]), unit_rows(&[0.8, 1.1, 1.2]));
        let hard_negatives = own.then_some(HardNegatives { vectors: &o, counts: &OWN });
        let batch = InBatch { anchors: &a, positives: &p, allowed, hard_negatives, weights, log_q };
        let loss = info_nce(&batch, options).unwrap();
        f64::from(loss.to_scalar::<f32>().unwrap())
    }

    /// The definition, written out in f64.
    fn by_hand(o: &InfoNce, allowed: &[bool], own: bool, weights: &[f32], log_q: &[f32]) -> f64 {
        let (a, p) = ([0.0f64, 1.0, 2.0], [0.3f64, 1.4, 2.9]);
        let cell = |i: usize, j: usize| ((a[i] - p[j]).cos() - if i == j { o.margin } else { 0.0 }) / o.temperature;
        let total: f64 = weights.iter().map(|w| f64::from(*w)).sum();
        let mut sums = [0f64; 2];
        for i in 0..3 {
            let w = f64::from(weights[i]) / total;
            let q = |j: usize| if o.log_q { f64::from(log_q[j]) } else { 0.0 };
            let alone = ((a[i] - [0.8, 1.1, 1.2][i]).cos() / o.temperature).exp() * f64::from(u8::from(own && OWN[i]));
            let row: f64 =
                (0..3).filter(|j| allowed[i * 3 + j]).map(|j| (cell(i, j) - q(j)).exp()).sum::<f64>() + alone;
            let column: f64 = (0..3).filter(|j| allowed[j * 3 + i]).map(|j| cell(j, i).exp()).sum();
            sums[0] += w * (row.ln() - cell(i, i) + q(i));
            sums[1] += w * (column.ln() - cell(i, i));
        }
        if o.symmetric { 0.5 * (sums[0] + sums[1]) } else { sums[0] }
    }

    #[test]
    fn in_batch_softmax_is_its_definition() {
        let masked = [true, false, true, true, true, true, true, true, true];
        let plain = InfoNce { temperature: 0.2, symmetric: false, ..InfoNce::default() };
        let all = [
            plain.clone(),
            InfoNce { symmetric: true, ..plain.clone() },
            InfoNce { log_q: true, ..plain.clone() },
            InfoNce { margin: 0.3, symmetric: true, log_q: true, temperature: 0.05 },
        ];
        for o in all {
            for allowed in [&[true; 9], &masked] {
                for weights in [[1.0f32; 3], [0.5, 3.0, 1.0]] {
                    let log_q = [-0.2f32, -1.5, -3.0];
                    for own in [false, true] {
                        let found = value(&o, allowed, own, &weights, &log_q);
                        let exact = by_hand(&o, allowed, own, &weights, &log_q);
                        assert!((found - exact).abs() < 1e-5 * (1.0 + exact.abs()), "{found} {exact} {o:?}");
                    }
                }
            }
        }
        let alone: Vec<bool> = (0..9).map(|i| i % 4 == 0).collect();
        assert_eq!(value(&plain, &alone, false, &[1.0; 3], &[0.0; 3]), 0.0);
    }

    #[test]
    fn what_is_positive_is_no_negative() {
        let pairs = [pair(1, 0, 1), pair(2, 0, 2), pair(3, 1, 3), pair(4, 2, 3), pair(1, 3, 5)];
        let mut known = KnownPositives::from_pairs(&pairs);
        known.add(2, 2);
        let batch: Vec<&ContrastivePair> = pairs.iter().collect();
        let cells = negative_mask(&batch, &known);
        let rows: Vec<String> =
            cells.chunks(5).map(|r| r.iter().map(|c| if *c { '1' } else { '.' }).collect()).collect();
        // Same item (0, 1), same group (2, 3), same anchor text (0, 4), and item 2 known for group 2 in one direction only.
        assert_eq!(rows, ["1.11.", ".11.1", "111.1", "11.11", ".1111"]);
    }

    #[test]
    fn a_hard_negative_counts_unless_the_group_took_it() {
        let with = |item: u32| {
            let hard_negative = Some(crate::contrastive_pairs::HardNegative { text: 100 + item, item });
            ContrastivePair { hard_negative, ..pair(1, 0, 7) }
        };
        let pairs = [pair(1, 0, 7), with(5), with(0), with(6)];
        let mut known = KnownPositives::from_pairs(&pairs);
        known.add(7, 6);
        assert_eq!(hard_negative_mask(&pairs.iter().collect::<Vec<_>>(), &known), [false, true, false, false]);
    }

    #[test]
    fn the_logistic_loss_is_its_definition_and_so_is_its_gradient() {
        let values = [0.0f32, 1.5, -2.0, 60.0, -60.0];
        let labels = [true, false, true, true, true];
        let z = candle_core::Var::from_tensor(&Tensor::new(&values, &Device::Cpu).unwrap()).unwrap();
        let loss = logistic(&z, &labels).unwrap();
        let p = |z: f32| 1.0 / (1.0 + (-f64::from(z)).exp());
        let by_hand: f64 =
            values.iter().zip(labels).map(|(z, y)| if y { -p(*z).ln() } else { -(1.0 - p(*z)).ln() }).sum::<f64>()
                / 5.0;
        assert!((f64::from(loss.to_scalar::<f32>().unwrap()) - by_hand).abs() < 1e-5 * by_hand, "{by_hand}");
        let gradient = loss.backward().unwrap().remove(&z).unwrap().to_vec1::<f32>().unwrap();
        for ((g, z), y) in gradient.iter().zip(values).zip(labels).skip(1) {
            let exact = (p(z) - f64::from(u8::from(y))) / 5.0;
            assert!((f64::from(*g) - exact).abs() < 1e-6, "{g} {exact}");
        }
    }

    #[test]
    fn margin_mse_is_its_definition_and_so_is_its_gradient() {
        let (a, p, n) = ([0.0f64, 1.0, 2.0], [0.3f64, 1.4, 2.9], [1.3f64, 0.2, 2.2]);
        let margins = [1.5f64, -0.5, 3.0];
        let scale = 10.0;
        let rows = |angles: &[f64]| {
            let angles: Vec<f32> = angles.iter().map(|x| *x as f32).collect();
            candle_core::Var::from_tensor(&unit_rows(&angles)).unwrap()
        };
        let vars = [rows(&a), rows(&p), rows(&n)];
        let teacher = margins.map(|m| m as f32);
        let loss = margin_mse(&vars[0], &vars[1], &vars[2], &teacher, scale).unwrap();
        let gap = |i: usize| scale * ((a[i] - p[i]).cos() - (a[i] - n[i]).cos()) - margins[i];
        let by_hand = (0..3).map(|i| gap(i) * gap(i)).sum::<f64>() / 3.0;
        assert!((f64::from(loss.to_scalar::<f32>().unwrap()) - by_hand).abs() < 1e-4 * by_hand);
        // Gradients against finite differences of each component.
        let grads = loss.backward().unwrap();
        for (which, var) in vars.iter().enumerate() {
            let exact = grads.get(var).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let at = var.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            for (place, exact) in exact.iter().enumerate() {
                let value = |step: f32| {
                    let mut moved = at.clone();
                    moved[place] += step;
                    let moved = Tensor::from_vec(moved, (3, 2), &Device::Cpu).unwrap();
                    let mut all = [vars[0].as_tensor(), vars[1].as_tensor(), vars[2].as_tensor()];
                    all[which] = &moved;
                    let loss = margin_mse(all[0], all[1], all[2], &teacher, scale).unwrap();
                    f64::from(loss.to_scalar::<f32>().unwrap())
                };
                let found = (value(1e-2) - value(-1e-2)) / 2e-2;
                assert!(
                    (found - f64::from(*exact)).abs() < 1e-2 * (1.0 + found.abs()),
                    "{which} {place}: {found} {exact}"
                );
            }
        }
        let equal = margin_mse(&vars[0], &vars[1], &vars[1], &[0.0; 3], scale).unwrap();
        assert_eq!(equal.to_scalar::<f32>().unwrap(), 0.0);
    }

    #[test]
    fn the_distance_of_an_adapter_is_that_of_its_product() {
        let device = Device::Cpu;
        let a = Tensor::randn(0f32, 1.0, (3, 7), &device).unwrap();
        let b = Tensor::randn(0f32, 1.0, (5, 3), &device).unwrap();
        let product = (b.matmul(&a).unwrap() * 2.0).unwrap();
        let exact = product.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
        let ours = adapter_distance(&a, &b, 2.0).unwrap().to_scalar::<f32>().unwrap();
        assert!((ours - exact).abs() < 1e-3 * exact, "{ours} {exact}");
        let w = weight_distance(&a, &(&a + 1.0).unwrap()).unwrap().to_scalar::<f32>().unwrap();
        assert!((w - 21.0).abs() < 1e-4);
    }
}
