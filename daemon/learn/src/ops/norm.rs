//! Layer norm (Ba et al., 2016) with its own backward pass, in two forms: fused with the residual sum and with frozen scale and shift (for
//! LoRA, one pass over memory less), and with trainable scale and shift (for full fine-tuning).

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::{ROWS_PER_TASK, composed, cpu_slice, dot, has_kernel, sum, with_slice};

/// Mean and reciprocal standard deviation of one row.
#[inline]
fn moments(x: &[f32], eps: f32) -> (f32, f32) {
    let n = x.len() as f32;
    let mean = sum(x) / n;
    let mut acc = [0f32; 8];
    let chunks = x.chunks_exact(8);
    let mut rest = 0f32;
    for v in chunks.remainder() {
        rest += (v - mean) * (v - mean);
    }
    for c in chunks {
        for (a, v) in acc.iter_mut().zip(c) {
            *a += (v - mean) * (v - mean);
        }
    }
    let variance = (acc.iter().sum::<f32>() + rest) / n;
    (mean, 1.0 / (variance + eps).sqrt())
}

/// Writes the normalised row into `out`, which holds the input on entry.
#[inline]
fn normalise(row: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32) {
    let (mean, rstd) = moments(row, eps);
    for ((x, g), b) in row.iter_mut().zip(gamma).zip(beta) {
        *x = (*x - mean) * rstd * g + b;
    }
}

/// Gradient of one row; `x` holds the input row and becomes the gradient. `scratch` receives the normalised row.
#[inline]
fn row_gradient(x: &mut [f32], grad: &[f32], gamma: &[f32], eps: f32, scratch: &mut [f32]) {
    let n = x.len() as f32;
    let (mean, rstd) = moments(x, eps);
    for ((h, x), (g, gamma)) in scratch.iter_mut().zip(x.iter_mut()).zip(grad.iter().zip(gamma)) {
        *h = (*x - mean) * rstd;
        *x = g * gamma;
    }
    let (m1, m2) = (sum(x) / n, dot(x, scratch) / n);
    for (x, h) in x.iter_mut().zip(scratch.iter()) {
        *x = rstd * (*x - m1 - h * m2);
    }
}

fn width(layout: &Layout) -> Result<usize> {
    match layout.dims().last() {
        Some(&h) if h > 0 => Ok(h),
        _ => bail!("layer norm: empty last dimension"),
    }
}

/// Layer norm of `x + skip` with frozen scale and shift.
struct AddNorm {
    gamma: Tensor,
    beta: Tensor,
    eps: f32,
}

impl CustomOp2 for AddNorm {
    fn name(&self) -> &'static str {
        "add-layer-norm"
    }

    fn cpu_fwd(&self, x: &CpuStorage, lx: &Layout, skip: &CpuStorage, ls: &Layout) -> Result<(CpuStorage, Shape)> {
        let h = width(lx)?;
        let (x, skip) = (cpu_slice(x, lx)?, cpu_slice(skip, ls)?);
        let mut y = vec![0f32; x.len()];
        with_slice(&self.gamma, |gamma| {
            with_slice(&self.beta, |beta| {
                let block = ROWS_PER_TASK * h;
                y.par_chunks_mut(block).zip(x.par_chunks(block).zip(skip.par_chunks(block))).for_each(|(y, (x, s))| {
                    for ((y, x), s) in y.iter_mut().zip(x).zip(s) {
                        *y = x + s;
                    }
                    for row in y.chunks_exact_mut(h) {
                        normalise(row, gamma, beta, self.eps);
                    }
                });
                Ok(())
            })
        })?;
        Ok((CpuStorage::F32(y), lx.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, skip: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let h = width(x.layout())?;
        let grad = grad.contiguous()?;
        let mut out = vec![0f32; x.elem_count()];
        with_slice(x, |x| {
            with_slice(skip, |s| {
                with_slice(&grad, |g| {
                    with_slice(&self.gamma, |gamma| {
                        let block = ROWS_PER_TASK * h;
                        out.par_chunks_mut(block)
                            .zip(x.par_chunks(block).zip(s.par_chunks(block)))
                            .zip(g.par_chunks(block))
                            .for_each(|((o, (x, s)), g)| {
                                for ((o, x), s) in o.iter_mut().zip(x).zip(s) {
                                    *o = x + s;
                                }
                                let mut scratch = vec![0f32; h];
                                for (o, g) in o.chunks_exact_mut(h).zip(g.chunks_exact(h)) {
                                    row_gradient(o, g, gamma, self.eps, &mut scratch);
                                }
                            });
                        Ok(())
                    })
                })
            })
        })?;
        let dx = Tensor::from_vec(out, x.shape(), x.device())?;
        Ok((Some(dx.clone()), Some(dx)))
    }
}

/// `layer_norm(x + skip)` over the last dimension with frozen `gamma` and `beta` of that width; gradients go to `x` and `skip`.
///
/// # Errors
/// When shapes do not fit.
pub fn add_layer_norm(x: &Tensor, skip: &Tensor, gamma: &Tensor, beta: &Tensor, eps: f64) -> Result<Tensor> {
    let (gamma, beta) = (gamma.detach().contiguous()?, beta.detach().contiguous()?);
    if !has_kernel(x) {
        return composed::layer_norm(&(x + skip)?, &gamma, &beta, eps);
    }
    check(x, &gamma, &beta)?;
    if x.shape() != skip.shape() {
        bail!("layer norm: {:?} and {:?}", x.shape(), skip.shape());
    }
    let op = AddNorm { gamma, beta, eps: eps as f32 };
    x.contiguous()?.apply_op2(&skip.contiguous()?, op)
}

fn check(x: &Tensor, gamma: &Tensor, beta: &Tensor) -> Result<()> {
    let h = width(x.layout())?;
    if gamma.dims() != [h] || beta.dims() != [h] {
        bail!("layer norm: width {h}, scale {:?}, shift {:?}", gamma.dims(), beta.dims());
    }
    Ok(())
}

/// Layer norm with trainable scale and shift.
struct Norm {
    eps: f32,
}

impl CustomOp3 for Norm {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        gamma: &CpuStorage,
        lg: &Layout,
        beta: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let h = width(lx)?;
        let (gamma, beta) = (cpu_slice(gamma, lg)?, cpu_slice(beta, lb)?);
        let mut y = cpu_slice(x, lx)?.to_vec();
        y.par_chunks_mut(ROWS_PER_TASK * h).for_each(|y| {
            for row in y.chunks_exact_mut(h) {
                normalise(row, gamma, beta, self.eps);
            }
        });
        Ok((CpuStorage::F32(y), lx.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        gamma: &Tensor,
        _beta: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let h = width(x.layout())?;
        let grad = grad.contiguous()?;
        let mut dx = with_slice(x, |x| Ok(x.to_vec()))?;
        // One partial sum per block of rows, added up in the order of the blocks afterwards.
        let partial: Vec<(Vec<f32>, Vec<f32>)> = with_slice(&grad, |g| {
            with_slice(gamma, |gamma| {
                let block = ROWS_PER_TASK * h;
                Ok(dx
                    .par_chunks_mut(block)
                    .zip(g.par_chunks(block))
                    .map(|(x, g)| {
                        let (mut dg, mut db) = (vec![0f32; h], vec![0f32; h]);
                        let mut xhat = vec![0f32; h];
                        for (x, g) in x.chunks_exact_mut(h).zip(g.chunks_exact(h)) {
                            row_gradient(x, g, gamma, self.eps, &mut xhat);
                            for i in 0..h {
                                dg[i] += g[i] * xhat[i];
                                db[i] += g[i];
                            }
                        }
                        (dg, db)
                    })
                    .collect())
            })
        })?;
        let (mut dg, mut db) = (vec![0f32; h], vec![0f32; h]);
        for (g, b) in &partial {
            super::axpy(&mut dg, 1.0, g);
            super::axpy(&mut db, 1.0, b);
        }
        let device = x.device();
        Ok((
            Some(Tensor::from_vec(dx, x.shape(), device)?),
            Some(Tensor::from_vec(dg, h, device)?),
            Some(Tensor::from_vec(db, h, device)?),
        ))
    }
}

/// Layer norm over the last dimension; gradients go to `x`, `gamma [h]` and `beta [h]`.
///
/// # Errors
/// When shapes do not fit.
pub fn layer_norm(x: &Tensor, gamma: &Tensor, beta: &Tensor, eps: f64) -> Result<Tensor> {
    if !has_kernel(x) {
        return composed::layer_norm(x, gamma, beta, eps);
    }
    check(x, gamma, beta)?;
    x.contiguous()?.apply_op3(&gamma.contiguous()?, &beta.contiguous()?, Norm { eps: eps as f32 })
}
