//! Softmax over the last dimension with a mask, and its backward pass: `dx = y * (g - sum(g * y))`.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::{ROWS_PER_TASK, composed, cpu_slice, dot, exp, has_kernel, sum, with_slice};

/// Softmax of one row in place.
#[inline]
pub(crate) fn softmax_row(row: &mut [f32]) {
    let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if top == f32::NEG_INFINITY {
        // All entries are masked: all probabilities are 0, not NaN.
        row.fill(0.0);
        return;
    }
    for x in row.iter_mut() {
        // -inf - top clamps inside `exp` to 1e-38 rather than 0, so masked entries are set to 0 here.
        *x = if *x == f32::NEG_INFINITY { 0.0 } else { exp(*x - top) };
    }
    let inverse = 1.0 / sum(row);
    for x in row.iter_mut() {
        *x *= inverse;
    }
}

struct MaskedSoftmax {
    mask: Tensor,
}

impl CustomOp1 for MaskedSoftmax {
    fn name(&self) -> &'static str {
        "masked-softmax"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let w = last(layout)?;
        let mut y = cpu_slice(x, layout)?.to_vec();
        with_slice(&self.mask, |mask| {
            let block = ROWS_PER_TASK * w;
            y.par_chunks_mut(block).zip(mask.par_chunks(block)).for_each(|(y, mask)| {
                for (row, m) in y.chunks_exact_mut(w).zip(mask.chunks_exact(w)) {
                    for (x, m) in row.iter_mut().zip(m) {
                        *x += m;
                    }
                    softmax_row(row);
                }
            });
            Ok(())
        })?;
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, _x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let w = last(y.layout())?;
        let grad = grad.contiguous()?;
        let mut dx = with_slice(&grad, |g| Ok(g.to_vec()))?;
        with_slice(y, |y| {
            let block = ROWS_PER_TASK * w;
            dx.par_chunks_mut(block).zip(y.par_chunks(block)).for_each(|(g, y)| {
                for (g, y) in g.chunks_exact_mut(w).zip(y.chunks_exact(w)) {
                    let mean = dot(g, y);
                    for (g, y) in g.iter_mut().zip(y) {
                        *g = y * (*g - mean);
                    }
                }
            });
            Ok(())
        })?;
        Ok(Some(Tensor::from_vec(dx, y.shape(), y.device())?))
    }
}

fn last(layout: &Layout) -> Result<usize> {
    match layout.dims().last() {
        Some(&w) if w > 0 => Ok(w),
        _ => bail!("softmax: empty last dimension"),
    }
}

/// Softmax of `x + mask` over the last dimension. `mask` broadcasts to the shape of `x` and holds 0 (allowed) or a large negative number or
/// negative infinity (not allowed); it gets no gradient. A row with negative infinity everywhere gives zeros.
///
/// # Errors
/// When shapes do not fit.
pub fn masked_softmax(x: &Tensor, mask: &Tensor) -> Result<Tensor> {
    if !has_kernel(x) {
        return composed::masked_softmax(x, mask);
    }
    let mask = mask.detach().broadcast_as(x.shape())?.contiguous()?;
    x.contiguous()?.apply_op1(MaskedSoftmax { mask })
}
