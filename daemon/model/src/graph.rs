//! The BERT graph on candle tensors, for inference on any device: padded batches, one matrix product for query, key and value.
//!
//! It uses candle's fused operators, which stop gradients; `mercer-learn` builds its own trainable graph over the same tensors. The graph can be
//! split at any layer: [`BertGraph::lower`] gives the output of the lower layers, [`BertGraph::upper`] continues from there.

use std::collections::HashMap;
use std::ops::Range;

use candle_core::{DType, Device, Tensor};
use candle_nn::ops;

use crate::config::{BertConfig, HiddenAct};
use crate::error::ModelError;
use crate::rules::Pooling;

/// A padded batch of token ids.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Token ids, `(rows, longest)`, u32, filled up with the padding token.
    pub ids: Tensor,
    /// 1 for a token, 0 for padding, `(rows, longest)`, f32.
    pub mask: Tensor,
}

impl Batch {
    /// Pads rows to the longest one.
    ///
    /// # Errors
    /// [`ModelError::Tensor`] when there are no rows or an empty one.
    pub fn new<R: AsRef<[u32]>>(rows: &[R], pad: u32, device: &Device) -> Result<Self, ModelError> {
        let longest = rows.iter().map(|r| r.as_ref().len()).max().unwrap_or(0);
        let mut ids = Vec::with_capacity(rows.len() * longest);
        let mut mask = Vec::with_capacity(rows.len() * longest);
        for row in rows {
            let row = row.as_ref();
            ids.extend_from_slice(row);
            ids.resize(ids.len() + longest - row.len(), pad);
            mask.resize(mask.len() + row.len(), 1f32);
            mask.resize(mask.len() + longest - row.len(), 0f32);
        }
        let shape = (rows.len(), longest);
        Ok(Self { ids: Tensor::from_vec(ids, shape, device)?, mask: Tensor::from_vec(mask, shape, device)? })
    }

    /// Additive attention mask `(rows, 1, 1, longest)`: 0 for tokens, -1e9 for padding.
    fn bias(&self) -> Result<Tensor, ModelError> {
        // Not -inf and not f32::MIN: the sum with a score must stay finite.
        Ok(((&self.mask - 1.0)? * 1e9)?.unsqueeze(1)?.unsqueeze(1)?)
    }
}

/// A linear layer.
pub(crate) struct Affine {
    pub(crate) weight: Tensor,
    pub(crate) bias: Tensor,
}

impl Affine {
    /// `x` is `(n, in)`, the result `(n, out)`.
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        x.matmul(&self.weight.t()?)?.broadcast_add(&self.bias)
    }
}

/// Scale and shift of a layer norm.
pub(crate) struct Norm {
    pub(crate) weight: Tensor,
    pub(crate) bias: Tensor,
}

/// Weights of one transformer layer; query, key and value in one matrix.
pub(crate) struct Layer {
    pub(crate) qkv: Affine,
    pub(crate) attention_out: Affine,
    pub(crate) attention_norm: Norm,
    pub(crate) up: Affine,
    pub(crate) down: Affine,
    pub(crate) norm: Norm,
}

/// The graph of one checkpoint on one device.
pub struct BertGraph {
    pub(crate) config: BertConfig,
    pub(crate) words: Tensor,
    pub(crate) positions: Tensor,
    pub(crate) norm: Norm,
    pub(crate) layers: Vec<Layer>,
    device: Device,
}

impl std::fmt::Debug for BertGraph {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BertGraph")
            .field("layers", &self.layers.len())
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

impl BertGraph {
    /// Builds the graph from tensors by Hugging Face name.
    ///
    /// # Errors
    /// [`ModelError::TensorMissing`] and [`ModelError::Tensor`].
    pub fn new(config: &BertConfig, tensors: &HashMap<String, Tensor>, device: &Device) -> Result<Self, ModelError> {
        let get = |name: &str| -> Result<Tensor, ModelError> {
            let tensor = tensors.get(name).ok_or_else(|| ModelError::TensorMissing { name: name.to_owned() })?;
            Ok(tensor.detach().to_device(device)?)
        };
        let affine = |name: String| -> Result<Affine, ModelError> {
            Ok(Affine { weight: get(&format!("{name}.weight"))?, bias: get(&format!("{name}.bias"))? })
        };
        let norm = |name: String| -> Result<Norm, ModelError> {
            Ok(Norm { weight: get(&format!("{name}.weight"))?, bias: get(&format!("{name}.bias"))? })
        };
        let mut layers = Vec::with_capacity(config.num_hidden_layers);
        for i in 0..config.num_hidden_layers {
            let at = format!("encoder.layer.{i}");
            let parts = ["query", "key", "value"].map(|p| affine(format!("{at}.attention.self.{p}")));
            let [q, k, v] = parts;
            let (q, k, v) = (q?, k?, v?);
            layers.push(Layer {
                qkv: Affine {
                    weight: Tensor::cat(&[q.weight, k.weight, v.weight], 0)?,
                    bias: Tensor::cat(&[q.bias, k.bias, v.bias], 0)?,
                },
                attention_out: affine(format!("{at}.attention.output.dense"))?,
                attention_norm: norm(format!("{at}.attention.output.LayerNorm"))?,
                up: affine(format!("{at}.intermediate.dense"))?,
                down: affine(format!("{at}.output.dense"))?,
                norm: norm(format!("{at}.output.LayerNorm"))?,
            });
        }
        // Only token type 0 is used, so its row is added to the position rows once.
        let types = get("embeddings.token_type_embeddings.weight")?.narrow(0, 0, 1)?;
        Ok(Self {
            words: get("embeddings.word_embeddings.weight")?,
            positions: get("embeddings.position_embeddings.weight")?.broadcast_add(&types)?,
            norm: norm("embeddings.LayerNorm".to_owned())?,
            layers,
            config: config.clone(),
            device: device.clone(),
        })
    }

    /// The device the weights are on.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Number of layers.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.layers.len()
    }

    /// Embeddings of a batch, `(rows, longest, hidden)`.
    ///
    /// # Errors
    /// [`ModelError::Tensor`], also for a batch longer than [`BertConfig::max_tokens`].
    pub fn embeddings(&self, batch: &Batch) -> Result<Tensor, ModelError> {
        let (rows, longest) = batch.ids.dims2()?;
        let words = self.words.index_select(&batch.ids.flatten_all()?, 0)?;
        let words = words.reshape((rows, longest, self.config.hidden_size))?;
        let positions = self.positions.narrow(0, self.config.position_offset(), longest)?;
        Ok(self.normalise(&words.broadcast_add(&positions)?, &self.norm)?)
    }

    /// Runs the layers of `range` on hidden states `(rows, longest, hidden)`.
    ///
    /// # Errors
    /// [`ModelError::Tensor`].
    pub fn layers(&self, range: Range<usize>, hidden: Tensor, batch: &Batch) -> Result<Tensor, ModelError> {
        let bias = batch.bias()?;
        let mut hidden = hidden;
        for layer in self.layers.get(range).unwrap_or(&[]) {
            hidden = self.layer(layer, &hidden, &bias)?;
        }
        Ok(hidden)
    }

    /// Embeddings and layers `0..cut`.
    ///
    /// # Errors
    /// [`ModelError::Tensor`].
    pub fn lower(&self, batch: &Batch, cut: usize) -> Result<Tensor, ModelError> {
        self.layers(0..cut, self.embeddings(batch)?, batch)
    }

    /// Layers from `cut` on, over the output of [`BertGraph::lower`].
    ///
    /// # Errors
    /// [`ModelError::Tensor`].
    pub fn upper(&self, hidden: Tensor, batch: &Batch, cut: usize) -> Result<Tensor, ModelError> {
        self.layers(cut..self.layers.len(), hidden, batch)
    }

    /// Pools token states to L2-normalised vectors `(rows, hidden)`.
    ///
    /// # Errors
    /// [`ModelError::Tensor`].
    pub fn pool(&self, hidden: &Tensor, batch: &Batch, pooling: Pooling) -> Result<Tensor, ModelError> {
        let mask = batch.mask.unsqueeze(2)?;
        let pooled = match pooling {
            // The vector is normalised below, so the sum serves as the mean.
            Pooling::Mean => hidden.broadcast_mul(&mask)?.sum(1)?,
            Pooling::Cls => hidden.narrow(1, 0, 1)?.squeeze(1)?,
            Pooling::Max => hidden.broadcast_add(&((mask - 1.0)? * 1e9)?)?.max(1)?,
        };
        let length = (pooled.sqr()?.sum_keepdim(1)?.sqrt()? + 1e-12)?;
        Ok(pooled.broadcast_div(&length)?)
    }

    fn layer(&self, layer: &Layer, x: &Tensor, bias: &Tensor) -> candle_core::Result<Tensor> {
        let (rows, longest, width) = x.dims3()?;
        let (heads, size) = (self.config.num_attention_heads, self.config.head_size());
        let flat = x.reshape((rows * longest, width))?;
        let qkv = layer.qkv.forward(&flat)?.reshape((rows, longest, 3, heads, size))?;
        let part = |i: usize| qkv.narrow(2, i, 1)?.squeeze(2)?.transpose(1, 2)?.contiguous();
        let (q, k, v) = (part(0)?, part(1)?, part(2)?);
        let scores = (q.matmul(&k.t()?)? * (1.0 / (size as f64).sqrt()))?;
        let weights = ops::softmax_last_dim(&scores.broadcast_add(bias)?)?;
        let context = weights.matmul(&v)?.transpose(1, 2)?.reshape((rows * longest, width))?;
        let x = self.normalise(&(layer.attention_out.forward(&context)? + &flat)?, &layer.attention_norm)?;
        let inner = layer.up.forward(&x)?;
        let inner = match self.config.hidden_act {
            HiddenAct::Gelu => inner.gelu_erf()?,
            HiddenAct::GeluTanh => inner.gelu()?,
            HiddenAct::Relu => inner.relu()?,
        };
        let x = self.normalise(&(layer.down.forward(&inner)? + x)?, &layer.norm)?;
        x.reshape((rows, longest, width))
    }

    fn normalise(&self, x: &Tensor, norm: &Norm) -> candle_core::Result<Tensor> {
        ops::layer_norm(&x.contiguous()?, &norm.weight, &norm.bias, self.config.layer_norm_eps as f32)
    }
}

/// Rows of an f32 matrix as vectors.
pub(crate) fn rows_of(matrix: &Tensor) -> Result<Vec<Vec<f32>>, ModelError> {
    Ok(matrix.to_dtype(DType::F32)?.to_device(&Device::Cpu)?.to_vec2::<f32>()?)
}
