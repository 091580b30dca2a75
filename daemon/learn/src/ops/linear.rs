//! A linear layer with frozen weights: its backward pass computes the gradient of the input only. The gradient of a `[1536, 384]` weight would
//! cost as much as the forward pass and then be discarded.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CudaStorage, CustomOp1, Layout, Result, Shape, Storage, Tensor, bail};

use super::with_slice;

struct FrozenLinear {
    w: Tensor,
    b: Tensor,
}

impl FrozenLinear {
    fn product<S: BackendStorage>(&self, x: &S, layout: &Layout, w: &S, w_layout: &Layout) -> Result<(S, Shape)> {
        let (n, inner) = layout.shape().dims2()?;
        let (out, w_inner) = w_layout.shape().dims2()?;
        if inner != w_inner {
            bail!("linear: input is {inner} wide, the weight expects {w_inner}");
        }
        let y = x.matmul(w, (1, n, out, inner), layout, &w_layout.transpose(0, 1)?)?;
        Ok((y, Shape::from((n, out))))
    }
}

impl CustomOp1 for FrozenLinear {
    fn name(&self) -> &'static str {
        "frozen-linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (w, w_layout) = self.w.storage_and_layout();
        let Storage::Cpu(w) = &*w else { bail!("linear: weight and input lie on different devices") };
        let (mut y, shape) = self.product(x, layout, w, w_layout)?;
        if let CpuStorage::F32(y) = &mut y {
            with_slice(&self.b, |b| {
                for row in y.chunks_exact_mut(b.len()) {
                    for (y, b) in row.iter_mut().zip(b) {
                        *y += b;
                    }
                }
                Ok(())
            })?;
        } else {
            bail!("linear: only f32 on the CPU");
        }
        Ok((y, shape))
    }

    fn cuda_fwd(&self, x: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let (w, w_layout) = self.w.storage_and_layout();
        let Storage::Cuda(w) = &*w else { bail!("linear: weight and input lie on different devices") };
        // The bias is added by the caller on this device.
        self.product(x, layout, w, w_layout)
    }

    fn bwd(&self, _x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(grad.contiguous()?.matmul(&self.w)?))
    }
}

/// `x W^T + b` with frozen `w [out, in]` and `b [out]`; `x [n, in]` gets a gradient, the weights get none, even if they are variables.
///
/// # Errors
/// When shapes or devices do not fit.
pub fn frozen_linear(x: &Tensor, w: &Tensor, b: &Tensor) -> Result<Tensor> {
    let cpu = x.device().is_cpu();
    let op = FrozenLinear { w: w.detach(), b: b.detach().contiguous()? };
    let y = x.contiguous()?.apply_op1(op)?;
    if cpu { Ok(y) } else { y.broadcast_add(&b.detach()) }
}
