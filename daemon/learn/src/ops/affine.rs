//! A linear layer with trainable weights, as one operator: candle's broadcast sum of the bias walks strides in both directions, which for
//! narrow layers costs more than the product. [`projection`] is the same for constant input; it never forms the input's gradient.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::{axpy, composed, cpu_slice, has_kernel, with_slice};

fn product(x: &CpuStorage, lx: &Layout, w: &CpuStorage, lw: &Layout) -> Result<(CpuStorage, Shape)> {
    let (n, inner) = lx.shape().dims2()?;
    let (out, w_inner) = lw.shape().dims2()?;
    if inner != w_inner {
        bail!("linear: input is {inner} wide, the weight expects {w_inner}");
    }
    let y = x.matmul(w, (1, n, out, inner), lx, &lw.transpose(0, 1)?)?;
    Ok((y, Shape::from((n, out))))
}

struct Affine;

impl CustomOp3 for Affine {
    fn name(&self) -> &'static str {
        "affine"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        w: &CpuStorage,
        lw: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (mut y, shape) = product(x, lx, w, lw)?;
        let b = cpu_slice(b, lb)?;
        let CpuStorage::F32(values) = &mut y else { bail!("linear: only f32 on the CPU") };
        for row in values.chunks_exact_mut(b.len()) {
            axpy(row, 1.0, b);
        }
        Ok((y, shape))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let dx = grad.matmul(&w.detach())?;
        let dw = grad.t()?.matmul(&x.detach())?;
        let mut db = vec![0f32; b.elem_count()];
        with_slice(&grad, |g| {
            g.chunks_exact(db.len()).for_each(|row| axpy(&mut db, 1.0, row));
            Ok(())
        })?;
        Ok((Some(dx), Some(dw), Some(Tensor::from_vec(db, b.shape(), b.device())?)))
    }
}

/// `x W^T + b` for `x [n, in]`, `w [out, in]`, `b [out]`; all three get gradients.
///
/// # Errors
/// When shapes do not fit.
pub fn affine(x: &Tensor, w: &Tensor, b: &Tensor) -> Result<Tensor> {
    if b.dims() != [w.dim(0)?] {
        bail!("linear: bias {:?}, weight {:?}", b.dims(), w.dims());
    }
    if !has_kernel(x) {
        return composed::linear(x, w, b);
    }
    x.contiguous()?.apply_op3(&w.contiguous()?, &b.contiguous()?, Affine)
}

struct Projection {
    x: Tensor,
}

impl CustomOp1 for Projection {
    fn name(&self) -> &'static str {
        "projection"
    }

    fn cpu_fwd(&self, w: &CpuStorage, lw: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, lx) = self.x.storage_and_layout();
        match &*x {
            candle_core::Storage::Cpu(x) => product(x, lx, w, lw),
            _ => bail!("projection: weight and input lie on different devices"),
        }
    }

    fn bwd(&self, _w: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(grad.contiguous()?.t()?.matmul(&self.x)?))
    }
}

/// `x W^T` for data `x [n, in]` and `w [out, in]`; only `w` gets a gradient, even if `x` is a variable.
///
/// # Errors
/// When shapes do not fit.
pub fn projection(x: &Tensor, w: &Tensor) -> Result<Tensor> {
    if !has_kernel(w) {
        return x.detach().matmul(&w.t()?);
    }
    w.contiguous()?.apply_op1(Projection { x: x.detach().contiguous()? })
}
