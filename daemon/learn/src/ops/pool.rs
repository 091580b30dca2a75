//! Pooling of the token vectors of each packed text: mean, first token, maximum.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::attention::Spans;
use super::{axpy, cpu_slice, has_kernel, with_slice};

struct SpanMean {
    spans: Spans,
}

impl CustomOp1 for SpanMean {
    fn name(&self) -> &'static str {
        "span-mean"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (n, h) = layout.shape().dims2()?;
        if n != self.spans.tokens() {
            bail!("mean: {n} tokens, spans cover {}", self.spans.tokens());
        }
        let x = cpu_slice(x, layout)?;
        let mut y = vec![0f32; self.spans.texts() * h];
        for (y, span) in y.chunks_exact_mut(h).zip(self.spans.iter()) {
            let share = 1.0 / span.len() as f32;
            for row in x[span.start * h..span.end * h].chunks_exact(h) {
                axpy(y, share, row);
            }
        }
        Ok((CpuStorage::F32(y), Shape::from((self.spans.texts(), h))))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (n, h) = x.dims2()?;
        let grad = grad.contiguous()?;
        let mut dx = vec![0f32; n * h];
        with_slice(&grad, |g| {
            for (g, span) in g.chunks_exact(h).zip(self.spans.iter()) {
                let share = 1.0 / span.len() as f32;
                for row in dx[span.start * h..span.end * h].chunks_exact_mut(h) {
                    axpy(row, share, g);
                }
            }
            Ok(())
        })?;
        Ok(Some(Tensor::from_vec(dx, (n, h), x.device())?))
    }
}

/// `[tokens, h]` to `[texts, h]`: the mean over each text's tokens.
///
/// # Errors
/// When the spans do not cover the tokens.
pub fn span_mean(x: &Tensor, spans: &Spans) -> Result<Tensor> {
    if has_kernel(x) {
        let spans = spans.clone();
        return x.contiguous()?.apply_op1(SpanMean { spans });
    }
    // One gather per text keeps this exact; texts per batch are few.
    let means = spans.iter().map(|s| x.narrow(0, s.start, s.len())?.mean_keepdim(0)).collect::<Result<Vec<_>>>()?;
    Tensor::cat(&means, 0)
}

/// `[tokens, h]` to `[texts, h]`: the first token of each text (`[CLS]`).
///
/// # Errors
/// When the tensor library fails.
pub fn span_first(x: &Tensor, spans: &Spans) -> Result<Tensor> {
    let rows: Vec<u32> = spans.iter().map(|s| s.start as u32).collect();
    let n = rows.len();
    x.index_select(&Tensor::from_vec(rows, n, x.device())?, 0)
}

/// `[tokens, h]` to `[texts, h]`: the component-wise maximum over each text's tokens.
///
/// # Errors
/// When the tensor library fails.
pub fn span_max(x: &Tensor, spans: &Spans) -> Result<Tensor> {
    let tops = spans.iter().map(|s| x.narrow(0, s.start, s.len())?.max_keepdim(0)).collect::<Result<Vec<_>>>()?;
    Tensor::cat(&tops, 0)
}
