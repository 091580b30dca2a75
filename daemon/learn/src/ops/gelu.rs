//! GELU with the exact error function (Hendrycks and Gimpel, 2016): `x * Phi(x)`, backward `Phi(x) + x * phi(x)`.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{cpu_slice, exp, has_kernel, with_slice};

/// Values that one task handles.
const BLOCK: usize = 1 << 14;

/// erf by the rational minimax approximation that Eigen and XLA use for f32 (within 4e-7 absolute): no exponential and no branch.
#[inline]
fn erf(x: f32) -> f32 {
    let x = x.clamp(-4.0, 4.0);
    let t = x * x;
    let p = -2.726_142e-10;
    let p = p * t + 2.770_681_5e-8;
    let p = p * t - 2.101_024e-6;
    let p = p * t - 5.692_506_5e-5;
    let p = p * t - 7.349_906_3e-4;
    let p = p * t - 2.954_6e-3;
    let p = p * t - 1.609_603_3e-2;
    let q = -1.456_607_2e-5;
    let q = q * t - 2.133_740_6e-4;
    let q = q * t - 1.682_827e-3;
    let q = q * t - 7.373_329_3e-3;
    let q = q * t - 1.426_473_9e-2;
    x * p / q
}

#[inline]
fn phi_cumulative(x: f32) -> f32 {
    0.5 + 0.5 * erf(x * std::f32::consts::FRAC_1_SQRT_2)
}

struct Gelu;

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = cpu_slice(x, layout)?;
        let mut y = vec![0f32; x.len()];
        y.par_chunks_mut(BLOCK).zip(x.par_chunks(BLOCK)).for_each(|(y, x)| {
            for (y, &x) in y.iter_mut().zip(x) {
                *y = x * phi_cumulative(x);
            }
        });
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        /// 1 / sqrt(2 pi)
        const DENSITY: f32 = 0.398_942_3;
        let grad = grad.contiguous()?;
        let mut dx = vec![0f32; x.elem_count()];
        with_slice(x, |x| {
            with_slice(&grad, |g| {
                dx.par_chunks_mut(BLOCK).zip(x.par_chunks(BLOCK).zip(g.par_chunks(BLOCK))).for_each(|(dx, (x, g))| {
                    for ((dx, &x), &g) in dx.iter_mut().zip(x).zip(g) {
                        let density = DENSITY * exp(-0.5 * x * x);
                        *dx = g * (phi_cumulative(x) + x * density);
                    }
                });
                Ok(())
            })
        })?;
        Ok(Some(Tensor::from_vec(dx, x.shape(), x.device())?))
    }
}

/// GELU of every value, with gradient.
///
/// # Errors
/// When the tensor library fails.
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    if has_kernel(x) { x.contiguous()?.apply_op1(Gelu) } else { x.gelu_erf() }
}
