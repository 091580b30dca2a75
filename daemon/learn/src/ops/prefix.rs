//! Multi-head attention over a prefix of each row's sequence, with a learned bias by the age of a key (relative buckets, Raffel et al., JMLR
//! 2020; by time instead of position, as in HSTU, Zhai et al., ICML 2024). Rows and keys may differ, so that the last layer can compute only the
//! rows that are read. Fused: only the buckets (one byte each) have the size `rows x keys`.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::softmax::softmax_row;
use super::{axpy, cpu_slice, dot, has_kernel, with_slice};

/// Rows and keys of one sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Block {
    rows: Range<usize>,
    keys: Range<usize>,
}

/// Which keys each row of a packed batch attends to, and the age bucket of each.
#[derive(Debug, Clone, Default)]
pub struct PrefixMask {
    blocks: Vec<Block>,
    /// Start of each row's buckets; one entry more than rows.
    offsets: Vec<usize>,
    /// Buckets of the visible keys, row by row.
    buckets: Vec<u8>,
    keys: usize,
}

impl PrefixMask {
    /// An empty mask.
    #[must_use]
    pub fn new() -> Self {
        Self { offsets: vec![0], ..Self::default() }
    }

    /// Adds a sequence of `keys` keys. Row `i` attends to the first `rows[i].len()` keys; `rows[i]` holds their buckets.
    pub fn push(&mut self, keys: usize, rows: &[Vec<u8>]) {
        let from = self.rows();
        self.blocks.push(Block { rows: from..from + rows.len(), keys: self.keys..self.keys + keys });
        self.keys += keys;
        for row in rows {
            self.buckets.extend_from_slice(&row[..row.len().min(keys)]);
            self.offsets.push(self.buckets.len());
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Number of keys.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.keys
    }

    fn seen(&self, row: usize) -> &[u8] {
        &self.buckets[self.offsets[row]..self.offsets[row + 1]]
    }

    /// Splits a buffer of `width` values per row (or per key) into one slice per sequence.
    fn split<'a>(
        &self,
        mut data: &'a mut [f32],
        width: usize,
        part: impl Fn(&Block) -> &Range<usize>,
    ) -> Vec<&'a mut [f32]> {
        let mut parts = Vec::with_capacity(self.blocks.len());
        for block in &self.blocks {
            let (head, tail) = data.split_at_mut(part(block).len() * width);
            parts.push(head);
            data = tail;
        }
        parts
    }
}

struct Prefix {
    mask: Arc<PrefixMask>,
    heads: usize,
    scale: f32,
}

/// Columns `at..at + d` of the rows of a matrix, transposed: `out [d, rows]`.
fn columns(x: &[f32], width: usize, at: usize, d: usize, out: &mut [f32]) {
    let t = x.len() / width;
    for (i, row) in x.chunks_exact(width).enumerate() {
        for (c, v) in row[at..at + d].iter().enumerate() {
            out[c * t + i] = *v;
        }
    }
}

/// `out[j] = sum_c row[c] * columns[c][j]` for the first `out.len()` of `t` columns.
fn against(row: &[f32], columns: &[f32], t: usize, out: &mut [f32]) {
    out.fill(0.0);
    for (v, column) in row.iter().zip(columns.chunks_exact(t)) {
        axpy(out, *v, column);
    }
}

impl Prefix {
    /// Attention probabilities of one row into `p`.
    fn weights(&self, q: &[f32], kt: &[f32], t: usize, bias: &[f32], seen: &[u8], p: &mut [f32]) {
        against(q, kt, t, p);
        for (p, b) in p.iter_mut().zip(seen) {
            *p = *p * self.scale + bias[usize::from(*b)];
        }
        softmax_row(p);
    }

    fn forward_block(&self, block: &Block, q: &[f32], kv: &[f32], bias: &[f32], out: &mut [f32], h: usize) {
        let (t, d) = (block.keys.len(), h / self.heads);
        if t == 0 {
            return;
        }
        let (mut kt, mut p) = (vec![0f32; d * t], vec![0f32; t]);
        for (bias, at) in bias.chunks_exact(bias.len() / self.heads).zip((0..h).step_by(d)) {
            columns(kv, 2 * h, at, d, &mut kt);
            for (i, row) in block.rows.clone().enumerate() {
                let seen = self.mask.seen(row);
                let p = &mut p[..seen.len()];
                let here = i * h + at..i * h + at + d;
                self.weights(&q[here.clone()], &kt, t, bias, seen, p);
                for (w, v) in p.iter().zip(kv.chunks_exact(2 * h)) {
                    axpy(&mut out[here.clone()], *w, &v[h + at..h + at + d]);
                }
            }
        }
    }

    /// Gradients of one sequence into `dq` and `dkv` (zero on entry); returns that of the bias.
    fn backward_block(&self, block: &Block, inputs: [&[f32]; 4], grads: [&mut [f32]; 2], h: usize) -> Vec<f32> {
        let [q, kv, bias, g] = inputs;
        let [dq, dkv] = grads;
        let (t, d) = (block.keys.len(), h / self.heads);
        let mut dbias = vec![0f32; bias.len()];
        if t == 0 {
            return dbias;
        }
        let per_head = bias.len() / self.heads;
        let (mut kt, mut vt) = (vec![0f32; d * t], vec![0f32; d * t]);
        let (mut p, mut dp) = (vec![0f32; t], vec![0f32; t]);
        for (head, at) in (0..h).step_by(d).enumerate() {
            columns(kv, 2 * h, at, d, &mut kt);
            columns(kv, 2 * h, h + at, d, &mut vt);
            let biases = head * per_head..(head + 1) * per_head;
            for (i, row) in block.rows.clone().enumerate() {
                let seen = self.mask.seen(row);
                let (p, dp) = (&mut p[..seen.len()], &mut dp[..seen.len()]);
                let here = i * h + at..i * h + at + d;
                self.weights(&q[here.clone()], &kt, t, &bias[biases.clone()], seen, p);
                against(&g[here.clone()], &vt, t, dp);
                let mean = dot(p, dp);
                let dbias = &mut dbias[biases.clone()];
                for (j, bucket) in seen.iter().enumerate() {
                    let ds = p[j] * (dp[j] - mean);
                    dbias[usize::from(*bucket)] += ds;
                    let ds = ds * self.scale;
                    let key = j * 2 * h + at..j * 2 * h + at + d;
                    axpy(&mut dq[here.clone()], ds, &kv[key.clone()]);
                    axpy(&mut dkv[key.clone()], ds, &q[here.clone()]);
                    axpy(&mut dkv[key.start + h..key.end + h], p[j], &g[here.clone()]);
                }
            }
        }
        dbias
    }
}

impl CustomOp3 for Prefix {
    fn name(&self) -> &'static str {
        "prefix-attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        lq: &Layout,
        kv: &CpuStorage,
        lkv: &Layout,
        bias: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (n, h) = lq.shape().dims2()?;
        let (q, kv, bias) = (cpu_slice(q, lq)?, cpu_slice(kv, lkv)?, cpu_slice(bias, lb)?);
        let mut out = vec![0f32; n * h];
        let parts = self.mask.split(&mut out, h, |b| &b.rows);
        parts.into_par_iter().zip(&self.mask.blocks).for_each(|(out, b)| {
            let (rows, keys) = (b.rows.start * h..b.rows.end * h, b.keys.start * 2 * h..b.keys.end * 2 * h);
            self.forward_block(b, &q[rows], &kv[keys], bias, out, h);
        });
        Ok((CpuStorage::F32(out), Shape::from((n, h))))
    }

    fn bwd(
        &self,
        q: &Tensor,
        kv: &Tensor,
        bias: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (n, h) = q.dims2()?;
        let grad = grad.contiguous()?;
        let (mut dq, mut dkv) = (vec![0f32; n * h], vec![0f32; kv.elem_count()]);
        let parts: Vec<_> = self
            .mask
            .split(&mut dq, h, |b| &b.rows)
            .into_iter()
            .zip(self.mask.split(&mut dkv, 2 * h, |b| &b.keys))
            .zip(&self.mask.blocks)
            .collect();
        let partial: Vec<Vec<f32>> = with_slice(q, |q| {
            with_slice(kv, |kv| {
                with_slice(bias, |bias| {
                    with_slice(&grad, |g| {
                        let one = |((dq, dkv), b): ((&mut [f32], &mut [f32]), &Block)| {
                            let rows = b.rows.start * h..b.rows.end * h;
                            let keys = b.keys.start * 2 * h..b.keys.end * 2 * h;
                            self.backward_block(b, [&q[rows.clone()], &kv[keys], bias, &g[rows]], [dq, dkv], h)
                        };
                        Ok(parts.into_par_iter().map(one).collect())
                    })
                })
            })
        })?;
        // Summed in the order of the sequences, so that the result does not depend on the threads.
        let mut dbias = vec![0f32; bias.elem_count()];
        partial.iter().for_each(|part| axpy(&mut dbias, 1.0, part));
        let tensor = |x, like: &Tensor| Tensor::from_vec(x, like.shape(), like.device()).map(Some);
        Ok((tensor(dq, q)?, tensor(dkv, kv)?, tensor(dbias, bias)?))
    }
}

/// Attention of rows `q [rows, h]` over keys and values `kv [keys, 2h]` side by side, with `bias [heads, buckets]` added to the scaled scores.
/// A row without keys gives zeros.
///
/// # Errors
/// When shapes do not fit, `heads` does not divide the width, or the tensors are not f32 on the CPU.
pub fn prefix_attention(q: &Tensor, kv: &Tensor, bias: &Tensor, mask: &Arc<PrefixMask>) -> Result<Tensor> {
    let (n, h) = q.dims2()?;
    let (heads, buckets) = bias.dims2()?;
    if kv.dims() != [mask.keys(), 2 * h] || n != mask.rows() {
        bail!("attention: q {:?}, kv {:?}, {} rows, {} keys", q.dims(), kv.dims(), mask.rows(), mask.keys());
    }
    if heads == 0 || h % heads != 0 || mask.buckets.iter().any(|b| usize::from(*b) >= buckets) {
        bail!("attention: {heads} heads of a width of {h}, {buckets} buckets");
    }
    if !has_kernel(q) {
        bail!("attention over prefixes is written for f32 on the CPU");
    }
    let scale = (1.0 / ((h / heads) as f64).sqrt()) as f32;
    q.contiguous()?.apply_op3(&kv.contiguous()?, &bias.contiguous()?, Prefix { mask: mask.clone(), heads, scale })
}
