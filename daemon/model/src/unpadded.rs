//! CPU inference without padding: the tokens of a batch are rows of one matrix, so that matrix products work on real tokens only. Bias,
//! nonlinearity, residual sum and norm take one pass each. Same weights as [`crate::graph`] and, up to rounding, the same vectors.

use std::ops::Range;

use candle_core::{CpuStorage, CustomOp1, InplaceOp1, InplaceOp2, Layout, Shape, Tensor};
use rayon::prelude::*;

use crate::config::HiddenAct;
use crate::error::ModelError;
use crate::graph::{Affine, BertGraph, Norm};
use crate::rules::Pooling;
use crate::simd::{NormWeights, attend, bias_act, skip_norm};

/// Rows per task.
const ROWS: usize = 64;

/// Bias and norm of one sublayer.
#[derive(Debug)]
struct SkipNorm {
    bias: Vec<f32>,
    norm: NormWeights,
}

/// Biases and norms of one transformer layer.
#[derive(Debug)]
struct UnpaddedLayer {
    qkv_bias: Vec<f32>,
    attention: SkipNorm,
    up_bias: Vec<f32>,
    output: SkipNorm,
}

/// The small weights of a [`BertGraph`], laid out for [`crate::simd`].
#[derive(Debug)]
pub(crate) struct UnpaddedEngine {
    layers: Vec<UnpaddedLayer>,
    embeddings: SkipNorm,
}

impl UnpaddedEngine {
    /// `None` if the engine has no kernel for this head width or device; the padded graph is used then.
    pub(crate) fn new(graph: &BertGraph) -> Result<Option<Self>, ModelError> {
        if !graph.device().is_cpu() || !matches!(graph.config.head_size(), 32 | 64) {
            return Ok(None);
        }
        let vector = |t: &Tensor| t.to_vec1::<f32>();
        let skip_norm = |bias: Vec<f32>, norm: &Norm| -> Result<SkipNorm, ModelError> {
            let eps = graph.config.layer_norm_eps as f32;
            Ok(SkipNorm { bias, norm: NormWeights { weight: vector(&norm.weight)?, bias: vector(&norm.bias)?, eps } })
        };
        let mut layers = Vec::with_capacity(graph.depth());
        for layer in &graph.layers {
            layers.push(UnpaddedLayer {
                qkv_bias: vector(&layer.qkv.bias)?,
                attention: skip_norm(vector(&layer.attention_out.bias)?, &layer.attention_norm)?,
                up_bias: vector(&layer.up.bias)?,
                output: skip_norm(vector(&layer.down.bias)?, &layer.norm)?,
            });
        }
        Ok(Some(Self { layers, embeddings: skip_norm(vec![0.0; graph.config.hidden_size], &graph.norm)? }))
    }

    /// Token states `[tokens of all rows, hidden]` after the embeddings and the given layers.
    pub(crate) fn hidden(
        &self,
        graph: &BertGraph,
        rows: &[&[u32]],
        layers: Range<usize>,
    ) -> Result<Tensor, ModelError> {
        let ids: Vec<u32> = rows.iter().flat_map(|r| r.iter().copied()).collect();
        let offset = graph.config.position_offset() as u32;
        let positions: Vec<u32> = rows.iter().flat_map(|r| (0..r.len() as u32).map(move |p| p + offset)).collect();
        let total = ids.len();
        let words = graph.words.index_select(&Tensor::from_vec(ids, total, graph.device())?, 0)?;
        let positions = graph.positions.index_select(&Tensor::from_vec(positions, total, graph.device())?, 0)?;
        words.inplace_op2(&positions, &self.embeddings)?;
        let mut x = words;
        let lengths: Vec<usize> = rows.iter().map(|r| r.len()).collect();
        for i in layers {
            let (layer, own) = (&graph.layers[i], &self.layers[i]);
            let qkv = product(&x, &layer.qkv)?;
            let attention = Attention { lengths: &lengths, bias: &own.qkv_bias, head: graph.config.head_size() };
            let context = qkv.apply_op1_no_bwd(&attention)?;
            let attended = product(&context, &layer.attention_out)?;
            attended.inplace_op2(&x, &own.attention)?;
            let inner = product(&attended, &layer.up)?;
            inner.inplace_op1(&BiasAct { bias: &own.up_bias, act: graph.config.hidden_act })?;
            x = product(&inner, &layer.down)?;
            x.inplace_op2(&attended, &own.output)?;
        }
        Ok(x)
    }

    /// One L2-normalised vector per row.
    pub(crate) fn embed(
        &self,
        graph: &BertGraph,
        rows: &[&[u32]],
        pooling: Pooling,
    ) -> Result<Vec<Vec<f32>>, ModelError> {
        let width = graph.config.hidden_size;
        let hidden = self.hidden(graph, rows, 0..graph.depth())?.flatten_all()?.to_vec1::<f32>()?;
        let mut at = 0;
        let mut out = Vec::with_capacity(rows.len());
        for row in rows {
            let states = &hidden[at * width..(at + row.len()) * width];
            at += row.len();
            out.push(pool(states, width, pooling));
        }
        Ok(out)
    }
}

/// Pools the token states of one text to a unit vector.
fn pool(states: &[f32], width: usize, pooling: Pooling) -> Vec<f32> {
    let mut tokens = states.chunks_exact(width);
    let mut vector = tokens.next().map(<[f32]>::to_vec).unwrap_or_default();
    for token in tokens {
        match pooling {
            // The vector is normalised below, so the sum serves as the mean.
            Pooling::Mean => vector.iter_mut().zip(token).for_each(|(v, t)| *v += t),
            Pooling::Max => vector.iter_mut().zip(token).for_each(|(v, t)| *v = v.max(*t)),
            Pooling::Cls => break,
        }
    }
    let length = vector.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt().max(1e-12);
    vector.iter_mut().for_each(|v| *v = (f64::from(*v) / length) as f32);
    vector
}

/// `x` times the transposed weight, without the bias.
fn product(x: &Tensor, affine: &Affine) -> candle_core::Result<Tensor> {
    x.matmul(&affine.weight.t()?)
}

fn wrong_layout(op: &str) -> candle_core::Error {
    candle_core::Error::Msg(format!("{op}: expects contiguous f32 tensors"))
}

/// The elements of a contiguous f32 tensor.
fn slice<'a>(storage: &'a CpuStorage, layout: &Layout, op: &str) -> candle_core::Result<&'a [f32]> {
    let (from, to) = layout.contiguous_offsets().ok_or_else(|| wrong_layout(op))?;
    Ok(&storage.as_slice::<f32>()?[from..to])
}

/// The mutable elements of a contiguous f32 tensor.
fn slice_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout, op: &str) -> candle_core::Result<&'a mut [f32]> {
    let (from, to) = layout.contiguous_offsets().ok_or_else(|| wrong_layout(op))?;
    match storage {
        CpuStorage::F32(values) => Ok(&mut values[from..to]),
        _ => Err(wrong_layout(op)),
    }
}

impl InplaceOp2 for SkipNorm {
    fn name(&self) -> &'static str {
        "skip-norm"
    }

    fn cpu_fwd(
        &self,
        x: &mut CpuStorage,
        x_layout: &Layout,
        skip: &CpuStorage,
        skip_layout: &Layout,
    ) -> candle_core::Result<()> {
        let skip = slice(skip, skip_layout, "skip-norm")?;
        let x = slice_mut(x, x_layout, "skip-norm")?;
        let step = ROWS * self.bias.len();
        x.par_chunks_mut(step)
            .zip(skip.par_chunks(step))
            .for_each(|(x, skip)| skip_norm(x, &self.bias, skip, &self.norm));
        Ok(())
    }
}

/// Adds a bias and applies the nonlinearity in place.
struct BiasAct<'a> {
    bias: &'a [f32],
    act: HiddenAct,
}

impl InplaceOp1 for BiasAct<'_> {
    fn name(&self) -> &'static str {
        "bias-act"
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, layout: &Layout) -> candle_core::Result<()> {
        let x = slice_mut(x, layout, "bias-act")?;
        x.par_chunks_mut(ROWS * self.bias.len()).for_each(|rows| bias_act(rows, self.bias, self.act));
        Ok(())
    }
}

/// Self-attention inside each sequence.
struct Attention<'a> {
    /// Tokens of each sequence, in order.
    lengths: &'a [usize],
    /// Biases of query, key and value, one after the other.
    bias: &'a [f32],
    head: usize,
}

impl CustomOp1 for Attention<'_> {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let mut qkv = slice(storage, layout, "attention")?;
        let width = self.bias.len() / 3;
        let tokens = qkv.len() / (3 * width);
        let mut out = vec![0f32; tokens * width];
        let mut rest = out.as_mut_slice();
        let mut tasks = Vec::with_capacity(self.lengths.len());
        for &n in self.lengths {
            let (input, qkv_rest) = qkv.split_at(n * 3 * width);
            let (output, out_rest) = rest.split_at_mut(n * width);
            (qkv, rest) = (qkv_rest, out_rest);
            tasks.push((input, output));
        }
        tasks.into_par_iter().for_each_init(Vec::new, |scratch, (input, output)| match self.head {
            32 => attend::<32>(input, self.bias, output, scratch),
            _ => attend::<64>(input, self.bias, output, scratch),
        });
        Ok((CpuStorage::F32(out), (tokens, width).into()))
    }
}
