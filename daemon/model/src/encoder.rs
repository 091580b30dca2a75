//! The encoder interface of Mercer: texts in, L2-normalised vectors out. No tensor type is part of it.

use candle_core::Device;

use crate::checkpoint::{Checkpoint, Identity};
use crate::device::{self, DeviceInfo};
use crate::error::ModelError;
use crate::graph::{Batch, BertGraph, rows_of};
use crate::rules::TextKind;
use crate::tokens::Tokens;
use crate::unpadded::UnpaddedEngine;

/// Vectors of several texts, one after the other: row `i` belongs to text `i`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Vectors {
    /// Components of one vector.
    pub dim: usize,
    /// `len * dim` numbers, row by row.
    pub data: Vec<f32>,
}

impl Vectors {
    /// Number of vectors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.data.len().checked_div(self.dim).unwrap_or(0)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Vector `i`, empty when there is none.
    #[must_use]
    pub fn row(&self, i: usize) -> &[f32] {
        self.data.get(i * self.dim..(i + 1) * self.dim).unwrap_or(&[])
    }

    /// All vectors in order.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.data.chunks_exact(self.dim.max(1))
    }
}

/// A text encoder. Implementations are immutable: a changed model is a new encoder with a new version.
pub trait Encoder: Send + Sync {
    /// Name, version, licence.
    fn identity(&self) -> &Identity;

    /// Components of a vector.
    fn dim(&self) -> usize;

    /// Longest input in tokens; longer texts are cut.
    fn max_tokens(&self) -> usize;

    /// The device it computes on.
    fn device(&self) -> DeviceInfo;

    /// One L2-normalised vector per text, in the order of the texts. An empty text has a vector too.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] and [`ModelError::Tensor`]; no text can cause either.
    fn embed(&self, texts: &[&str], kind: TextKind) -> Result<Vectors, ModelError>;
}

/// Maximum number of tokens of a micro-batch, padding included. The fastest of 256 to 4096 (`data/encoder/README.md`): larger ones leave the CPU cache.
pub const BATCH_TOKENS: usize = 512;

/// An encoder of the BERT family.
#[derive(Debug)]
pub struct BertEncoder {
    checkpoint: Checkpoint,
    tokens: Tokens,
    graph: BertGraph,
    /// The faster engine, if it can run.
    unpadded: Option<UnpaddedEngine>,
    batch_tokens: usize,
}

impl BertEncoder {
    /// Puts a checkpoint on a device.
    ///
    /// # Errors
    /// [`ModelError::Tokenizer`] and [`ModelError::Tensor`].
    pub fn new(checkpoint: Checkpoint, device: &Device) -> Result<Self, ModelError> {
        let graph = BertGraph::new(&checkpoint.config, &checkpoint.tensors, device)?;
        Ok(Self {
            tokens: checkpoint.tokens()?,
            unpadded: UnpaddedEngine::new(&graph)?,
            graph,
            checkpoint,
            batch_tokens: BATCH_TOKENS,
        })
    }

    /// Puts a checkpoint on the device that [`device::pick`] chooses.
    ///
    /// # Errors
    /// As [`BertEncoder::new`].
    pub fn on_best_device(checkpoint: Checkpoint) -> Result<Self, ModelError> {
        Self::new(checkpoint, &device::pick())
    }

    /// The same encoder with another micro-batch size in tokens; only speed and memory depend on it.
    #[must_use]
    pub fn with_batch_tokens(self, batch_tokens: usize) -> Self {
        Self { batch_tokens, ..self }
    }

    /// The checkpoint that the encoder was built from.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The tokenizer with the encoder's text rules.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// One vector per row of token ids.
    fn vectors(&self, rows: &[&[u32]]) -> Result<Vec<Vec<f32>>, ModelError> {
        let pooling = self.checkpoint.rules.pooling;
        if let Some(engine) = &self.unpadded {
            return engine.embed(&self.graph, rows, pooling);
        }
        let padded = Batch::new(rows, self.checkpoint.config.pad_token_id, self.graph.device())?;
        let hidden = self.graph.lower(&padded, self.graph.depth())?;
        rows_of(&self.graph.pool(&hidden, &padded, pooling)?)
    }

    /// Output of the layers below `cut` for each text, `[tokens, hidden]` each. It stays the same while only layers from `cut` on train.
    ///
    /// # Errors
    /// As [`Encoder::embed`].
    pub fn lower_states(
        &self,
        texts: &[&str],
        kind: TextKind,
        cut: usize,
    ) -> Result<Vec<candle_core::Tensor>, ModelError> {
        let ids = self.tokens.encode(texts, kind)?;
        let cut = cut.min(self.graph.depth());
        let mut states = vec![None; ids.len()];
        for batch in batches_by_length(&ids, self.batch_tokens) {
            let rows: Vec<&[u32]> = batch.iter().map(|&i| ids[i].as_slice()).collect();
            let hidden = match &self.unpadded {
                Some(engine) => engine.hidden(&self.graph, &rows, 0..cut)?,
                None => self
                    .graph
                    .lower(&Batch::new(&rows, self.checkpoint.config.pad_token_id, self.graph.device())?, cut)?,
            };
            let mut at = 0;
            for (n, &i) in batch.iter().enumerate() {
                let len = ids[i].len();
                states[i] = Some(if self.unpadded.is_some() {
                    hidden.narrow(0, at, len)?.copy()?
                } else {
                    hidden.get(n)?.narrow(0, 0, len)?.copy()?
                });
                at += len;
            }
        }
        Ok(states.into_iter().flatten().collect())
    }
}

impl Encoder for BertEncoder {
    fn identity(&self) -> &Identity {
        &self.checkpoint.identity
    }

    fn dim(&self) -> usize {
        self.checkpoint.config.hidden_size
    }

    fn max_tokens(&self) -> usize {
        self.checkpoint.rules.max_tokens
    }

    fn device(&self) -> DeviceInfo {
        device::describe(self.graph.device())
    }

    fn embed(&self, texts: &[&str], kind: TextKind) -> Result<Vectors, ModelError> {
        let dim = self.dim();
        let ids = self.tokens.encode(texts, kind)?;
        let mut data = vec![0f32; texts.len() * dim];
        for batch in batches_by_length(&ids, self.batch_tokens) {
            let rows: Vec<&[u32]> = batch.iter().map(|&i| ids[i].as_slice()).collect();
            for (row, &i) in self.vectors(&rows)?.iter().zip(&batch) {
                data[i * dim..(i + 1) * dim].copy_from_slice(row);
            }
        }
        Ok(Vectors { dim, data })
    }
}

/// Groups of text numbers by similar length, each at most `most` tokens when padded to its longest text (but at least one text).
pub(crate) fn batches_by_length(ids: &[Vec<u32>], most: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..ids.len()).collect();
    order.sort_by_key(|&i| (ids[i].len(), i));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for i in order {
        match groups.last_mut() {
            // Sorted by length, so text `i` is the longest of the group it joins.
            Some(group) if (group.len() + 1) * ids[i].len() <= most => group.push(i),
            _ => groups.push(vec![i]),
        }
    }
    groups
}
