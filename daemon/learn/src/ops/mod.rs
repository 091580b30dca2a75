//! Differentiable operators of the trainable graph.
//!
//! candle's own fused layer norm, softmax and attention stop the gradient silently (they call `apply_opN_no_bwd`), and its matrix product
//! always forms the gradient of both factors, also of a frozen weight. So the trainable part uses only these operators. Each has a CPU kernel
//! with its own backward pass, uses the [`composed`] form on other devices, and is tested against the composed form and finite differences.
//!
//! Sequences are *packed*: the tokens of all texts of a batch are rows of one `[tokens, hidden]` matrix, without padding. Only attention and
//! pooling need the borders of texts ([`attention::Spans`]).
//!
//! Sums run in a fixed order inside fixed blocks of rows, so results do not depend on the number of threads.

pub mod affine;
pub mod attention;
pub mod composed;
pub mod dropout;
pub mod gelu;
pub mod linear;
pub mod norm;
pub mod pool;
pub mod prefix;
pub mod softmax;

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, bail};

/// Rows per task: enough to hide scheduling, few enough to balance two cores.
pub(crate) const ROWS_PER_TASK: usize = 64;

/// The contiguous f32 values of a CPU storage.
pub(crate) fn cpu_slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((from, to)) => Ok(&storage.as_slice::<f32>()?[from..to]),
        None => bail!("operator needs contiguous input"),
    }
}

/// Runs `f` on the contiguous f32 values of a CPU tensor.
pub(crate) fn with_slice<R>(t: &Tensor, f: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
    let (storage, layout) = t.storage_and_layout();
    match &*storage {
        Storage::Cpu(s) => f(cpu_slice(s, layout)?),
        _ => bail!("operator needs a CPU tensor"),
    }
}

/// Whether the CPU kernels apply (f32 on the CPU). All other tensors take the composed form.
pub(crate) fn has_kernel(t: &Tensor) -> bool {
    t.device().is_cpu() && t.dtype() == candle_core::DType::F32
}

/// Sum with eight accumulators, so that it vectorises with one fixed order.
#[inline]
pub(crate) fn sum(x: &[f32]) -> f32 {
    let mut acc = [0f32; 8];
    let chunks = x.chunks_exact(8);
    let rest = chunks.remainder();
    for c in chunks {
        for (a, v) in acc.iter_mut().zip(c) {
            *a += v;
        }
    }
    acc.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

/// Dot product with eight accumulators, so that it vectorises with one fixed order.
#[inline]
pub(crate) fn dot(x: &[f32], y: &[f32]) -> f32 {
    let mut acc = [0f32; 8];
    let (cx, cy) = (x.chunks_exact(8), y.chunks_exact(8));
    let rest: f32 = cx.remainder().iter().zip(cy.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in cx.zip(cy) {
        for i in 0..8 {
            acc[i] += a[i] * b[i];
        }
    }
    acc.iter().sum::<f32>() + rest
}

/// `y += a * x`.
#[inline]
pub(crate) fn axpy(y: &mut [f32], a: f32, x: &[f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

/// `exp(x)` for finite x, within 2e-7 relative (Cephes' polynomial). Branch-free, so that loops over it vectorise; libm's does not.
#[inline]
pub(crate) fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding and subtracting it rounds to the nearest integer
    let x = x.clamp(-87.0, 88.0);
    let n = (x * std::f32::consts::LOG2_E + ROUND) - ROUND;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let y = p * (r * r) + r + 1.0;
    // n + 127 is an integer between 1 and 254 here: adding 2^23 puts it into the low mantissa bits.
    let exponent = (n + 127.0 + 8_388_608.0).to_bits() << 23;
    y * f32::from_bits(exponent)
}

#[cfg(test)]
mod tests;
