//! The operators written with candle's elementary ones. They are slow and differentiable on every device: the form for GPUs, and the reference
//! in tests.

use candle_core::{D, Result, Tensor};

/// `x W^T + b` for `x [n, in]`, `w [out, in]`, `b [out]`.
///
/// # Errors
/// When shapes do not fit.
pub fn linear(x: &Tensor, w: &Tensor, b: &Tensor) -> Result<Tensor> {
    x.matmul(&w.t()?)?.broadcast_add(b)
}

/// Layer norm over the last dimension (Ba et al., 2016): `(x - mean) / sqrt(var + eps) * gamma + beta`, biased variance.
///
/// # Errors
/// When shapes do not fit.
pub fn layer_norm(x: &Tensor, gamma: &Tensor, beta: &Tensor, eps: f64) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    centred.broadcast_div(&(variance + eps)?.sqrt()?)?.broadcast_mul(gamma)?.broadcast_add(beta)
}

/// Softmax of `x + mask` over the last dimension; `mask` broadcasts to `x` and holds 0 or a large negative number.
///
/// # Errors
/// When shapes do not fit.
pub fn masked_softmax(x: &Tensor, mask: &Tensor) -> Result<Tensor> {
    let x = x.broadcast_add(mask)?;
    let top = x.max_keepdim(D::Minus1)?.detach();
    let e = x.broadcast_sub(&top)?.exp()?;
    e.broadcast_div(&e.sum_keepdim(D::Minus1)?)
}

/// Logarithm of the softmax over the last dimension.
///
/// # Errors
/// When the tensor has no last dimension.
pub fn log_softmax(x: &Tensor) -> Result<Tensor> {
    let shifted = x.broadcast_sub(&x.max_keepdim(D::Minus1)?.detach())?;
    let log_sum = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
    shifted.broadcast_sub(&log_sum)
}
