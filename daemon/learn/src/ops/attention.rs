//! Multi-head self-attention over packed texts (Vaswani et al., 2017), fused: scores, softmax and weighted sum in one pass per text and
//! head. Nothing of size `tokens x tokens` is kept; the backward pass computes the probabilities again.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::softmax::softmax_row;
use super::{axpy, cpu_slice, dot, has_kernel, softmax, with_slice};

/// Rows of each text in a packed batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spans {
    /// `texts + 1` rising row numbers, the first 0.
    offsets: Arc<[usize]>,
}

impl Spans {
    /// From the length of each text in tokens. The caller refuses empty texts before.
    #[must_use]
    pub fn from_lengths(lengths: impl IntoIterator<Item = usize>) -> Self {
        let mut offsets = vec![0];
        let mut end = 0;
        for n in lengths {
            end += n;
            offsets.push(end);
        }
        Self { offsets: offsets.into() }
    }

    /// Number of texts.
    #[must_use]
    pub fn texts(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Number of tokens of all texts.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.offsets[self.offsets.len() - 1]
    }

    /// Rows of each text.
    pub fn iter(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.offsets.windows(2).map(|w| w[0]..w[1])
    }

    /// Splits a packed buffer of `width` values per token into one slice per text.
    fn split<'a>(&self, mut data: &'a mut [f32], width: usize) -> Vec<&'a mut [f32]> {
        let mut parts = Vec::with_capacity(self.texts());
        for span in self.iter() {
            let (head, tail) = data.split_at_mut(span.len() * width);
            parts.push(head);
            data = tail;
        }
        parts
    }
}

struct Attention {
    spans: Spans,
    heads: usize,
    scale: f32,
}

/// Columns `at..at + d` of a `[t, h]` matrix, transposed to `[d, t]`: inner loops then run over tokens and vectorise.
fn columns(x: &[f32], h: usize, at: usize, d: usize, out: &mut [f32]) {
    let t = x.len() / h;
    for (i, row) in x.chunks_exact(h).enumerate() {
        for (c, v) in row[at..at + d].iter().enumerate() {
            out[c * t + i] = *v;
        }
    }
}

/// `out[j] = sum_c row[c] * columns[c][j]`: one row against all tokens.
fn against(row: &[f32], columns: &[f32], out: &mut [f32]) {
    out.fill(0.0);
    for (v, column) in row.iter().zip(columns.chunks_exact(out.len())) {
        axpy(out, *v, column);
    }
}

impl Attention {
    fn forward_text(&self, q: &[f32], k: &[f32], v: &[f32], out: &mut [f32], h: usize) {
        let (t, d) = (q.len() / h, h / self.heads);
        let mut kt = vec![0f32; d * t];
        let mut p = vec![0f32; t];
        for at in (0..h).step_by(d) {
            columns(k, h, at, d, &mut kt);
            for i in 0..t {
                let here = i * h + at..i * h + at + d;
                against(&q[here.clone()], &kt, &mut p);
                p.iter_mut().for_each(|x| *x *= self.scale);
                softmax_row(&mut p);
                let o = &mut out[here];
                for (j, w) in p.iter().enumerate() {
                    axpy(o, *w, &v[j * h + at..j * h + at + d]);
                }
            }
        }
    }

    /// Gradients of one text into `dq`, `dk`, `dv` (zero on entry), from the gradient `g` of the output.
    fn backward_text(&self, inputs: [&[f32]; 4], grads: [&mut [f32]; 3], h: usize) {
        let [q, k, v, g] = inputs;
        let [dq, dk, dv] = grads;
        let (t, d) = (q.len() / h, h / self.heads);
        let (mut kt, mut vt) = (vec![0f32; d * t], vec![0f32; d * t]);
        let (mut p, mut dp) = (vec![0f32; t], vec![0f32; t]);
        for at in (0..h).step_by(d) {
            columns(k, h, at, d, &mut kt);
            columns(v, h, at, d, &mut vt);
            for i in 0..t {
                let here = i * h + at..i * h + at + d;
                against(&q[here.clone()], &kt, &mut p);
                p.iter_mut().for_each(|x| *x *= self.scale);
                softmax_row(&mut p);
                against(&g[here.clone()], &vt, &mut dp);
                let mean = dot(&p, &dp);
                for j in 0..t {
                    let there = j * h + at..j * h + at + d;
                    let ds = self.scale * p[j] * (dp[j] - mean);
                    axpy(&mut dq[here.clone()], ds, &k[there.clone()]);
                    axpy(&mut dk[there.clone()], ds, &q[here.clone()]);
                    axpy(&mut dv[there], p[j], &g[here.clone()]);
                }
            }
        }
    }
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "packed-attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        lq: &Layout,
        k: &CpuStorage,
        lk: &Layout,
        v: &CpuStorage,
        lv: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (n, h) = lq.shape().dims2()?;
        let (q, k, v) = (cpu_slice(q, lq)?, cpu_slice(k, lk)?, cpu_slice(v, lv)?);
        let mut out = vec![0f32; n * h];
        let parts = self.spans.split(&mut out, h);
        let spans: Vec<_> = self.spans.iter().collect();
        parts.into_par_iter().zip(spans).for_each(|(out, s)| {
            let rows = s.start * h..s.end * h;
            self.forward_text(&q[rows.clone()], &k[rows.clone()], &v[rows], out, h);
        });
        Ok((CpuStorage::F32(out), Shape::from((n, h))))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (n, h) = q.dims2()?;
        let grad = grad.contiguous()?;
        let [mut dq, mut dk, mut dv] = [(); 3].map(|()| vec![0f32; n * h]);
        let spans: Vec<_> = self.spans.iter().collect();
        let parts: Vec<_> = self
            .spans
            .split(&mut dq, h)
            .into_iter()
            .zip(self.spans.split(&mut dk, h))
            .zip(self.spans.split(&mut dv, h))
            .zip(spans)
            .collect();
        with_slice(q, |q| {
            with_slice(k, |k| {
                with_slice(v, |v| {
                    with_slice(&grad, |g| {
                        parts.into_par_iter().for_each(|(((dq, dk), dv), s)| {
                            let rows = s.start * h..s.end * h;
                            let inputs = [q, k, v, g].map(|x| &x[rows.clone()]);
                            self.backward_text(inputs, [dq, dk, dv], h);
                        });
                        Ok(())
                    })
                })
            })
        })?;
        let tensor = |x| Tensor::from_vec(x, (n, h), q.device()).map(Some);
        Ok((tensor(dq)?, tensor(dk)?, tensor(dv)?))
    }
}

/// Self-attention inside each text: `q`, `k`, `v` are `[tokens, hidden]` with the heads side by side; so is the result.
///
/// # Errors
/// When shapes and spans do not fit, or `heads` does not divide the width.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, spans: &Spans, heads: usize) -> Result<Tensor> {
    let (n, h) = q.dims2()?;
    if k.dims() != q.dims() || v.dims() != q.dims() || n != spans.tokens() {
        bail!("attention: q {:?}, k {:?}, v {:?}, spans of {} tokens", q.dims(), k.dims(), v.dims(), spans.tokens());
    }
    if heads == 0 || h % heads != 0 {
        bail!("attention: {heads} heads do not divide a width of {h}");
    }
    let scale = 1.0 / ((h / heads) as f64).sqrt();
    if !has_kernel(q) {
        return padded(q, k, v, spans, heads, scale);
    }
    let op = Attention { spans: spans.clone(), heads, scale: scale as f32 };
    q.contiguous()?.apply_op3(&k.contiguous()?, &v.contiguous()?, op)
}

/// The same on padded `[texts, heads, longest, head]` batches with matrix products: the form for GPUs, and the reference in tests.
///
/// # Errors
/// When shapes do not fit.
pub fn padded(q: &Tensor, k: &Tensor, v: &Tensor, spans: &Spans, heads: usize, scale: f64) -> Result<Tensor> {
    let (device, h) = (q.device(), q.dim(1)?);
    let (b, t) = (spans.texts(), spans.iter().map(|s| s.len()).max().unwrap_or(0));
    let (mut pad, mut unpad) = (Vec::with_capacity(b * t), Vec::with_capacity(spans.tokens()));
    let mut mask = Vec::with_capacity(b * t);
    for (row, s) in spans.iter().enumerate() {
        for j in 0..t {
            let inside = j < s.len();
            pad.push(if inside { (s.start + j) as u32 } else { 0 });
            mask.push(if inside { 0f32 } else { -1e9 });
            if inside {
                unpad.push((row * t + j) as u32);
            }
        }
    }
    let pad = Tensor::from_vec(pad, b * t, device)?;
    let mask = Tensor::from_vec(mask, (b, 1, 1, t), device)?.to_dtype(q.dtype())?;
    let split = |x: &Tensor| x.index_select(&pad, 0)?.reshape((b, t, heads, h / heads))?.transpose(1, 2)?.contiguous();
    let (q, k, v) = (split(q)?, split(k)?, split(v)?);
    let scores = (q.matmul(&k.transpose(2, 3)?.contiguous()?)? * scale)?;
    let out = softmax::masked_softmax(&scores, &mask)?.matmul(&v)?;
    let rows = unpad.len();
    out.transpose(1, 2)?.reshape((b * t, h))?.index_select(&Tensor::from_vec(unpad, rows, device)?, 0)
}
