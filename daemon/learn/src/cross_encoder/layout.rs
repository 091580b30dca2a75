//! Labelled pairs, and the layout of their two sides in the packed matrix of token states.

use std::borrow::Cow;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::cache::{CacheFormat, CachePlan, FrozenLayerCache};
use crate::error::Result;
use crate::graph::TunableEncoder;
use crate::micro_batch::split_by_tokens;
use crate::ops::attention::Spans;
use crate::texts::{TextId, TextTable};

/// Where the two sides of a pair meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// In the trainable layers; the frozen layers read each side alone.
    Upper,
    /// In the first layer: the pair is one text.
    First,
}

/// Texts of both sides ([`super::PairTemplate`]) and the label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LabelledPair {
    /// The user's side. Hashed as `behaviour` since the first checkpoints.
    #[serde(rename = "behaviour")]
    pub history: TextId,
    /// The item's side.
    pub item: TextId,
    /// Whether the user took the item.
    pub label: bool,
}

/// Pairs over a table of texts.
#[derive(Debug, Clone, Copy)]
pub struct LabelledPairs<'a> {
    /// Tokens of both sides.
    pub texts: &'a TextTable,
    /// The pairs; their order matters for repeatability only.
    pub pairs: &'a [LabelledPair],
}

/// The texts whose frozen states make up each pair.
pub(super) struct Layout<'a> {
    table: Cow<'a, TextTable>,
    segments: Vec<Vec<TextId>>,
    /// Tokens of the two sides of each pair.
    lengths: Vec<[usize; 2]>,
}

/// Token states of some pairs after the frozen layers.
pub(super) struct PackedPairs {
    /// `[tokens, hidden]`, the item's side behind the user's.
    pub(super) states: Tensor,
    /// Rows of each pair.
    pub(super) pairs: Spans,
    /// Rows of each side, two per pair.
    pub(super) sides: Spans,
}

impl<'a> Layout<'a> {
    pub(super) fn new(set: LabelledPairs<'a>, join: Join) -> Self {
        let tokens = |id: TextId| set.texts.get(id);
        let lengths = set.pairs.iter().map(|p| [tokens(p.history).len(), tokens(p.item).len()]).collect();
        match join {
            Join::Upper => {
                let segments = set.pairs.iter().map(|p| vec![p.history, p.item]).collect();
                Self { table: Cow::Borrowed(set.texts), segments, lengths }
            }
            Join::First => {
                let mut table = TextTable::new();
                let joined = |p: &LabelledPair| vec![table.push(&[tokens(p.history), tokens(p.item)].concat())];
                let segments = set.pairs.iter().map(joined).collect();
                Self { table: Cow::Owned(table), segments, lengths }
            }
        }
    }

    /// # Errors
    /// [`crate::LearnError::Text`] for a text that cannot be encoded.
    pub(super) fn check(&self, encoder: &TunableEncoder) -> Result<()> {
        let ids = self.segments.iter().flatten().copied();
        self.table.check(ids, encoder.config().vocab_size, encoder.config().max_tokens())
    }

    /// Number of tokens of a pair.
    pub(super) fn tokens(&self, pair: u32) -> usize {
        self.lengths[pair as usize].iter().sum()
    }

    /// A cache planned for these batches in this order.
    pub(super) fn cache(
        &self,
        batches: impl IntoIterator<Item = Vec<u32>>,
        hidden: usize,
        format: CacheFormat,
        bytes: usize,
    ) -> FrozenLayerCache {
        let texts = batches.into_iter().map(|batch| {
            let mut ids: Vec<TextId> = batch.iter().flat_map(|p| &self.segments[*p as usize]).copied().collect();
            ids.sort_unstable_by_key(|id| (self.table.get(*id).len(), *id));
            ids.dedup();
            ids
        });
        FrozenLayerCache::new(CachePlan::new(texts, &self.table, hidden, format, bytes), format)
    }

    /// Frozen states of these pairs.
    pub(super) fn pack(
        &self,
        encoder: &TunableEncoder,
        cache: &mut FrozenLayerCache,
        pairs: &[u32],
        yield_now: &mut dyn FnMut(),
    ) -> Result<PackedPairs> {
        let ids: Vec<TextId> = pairs.iter().flat_map(|p| &self.segments[*p as usize]).copied().collect();
        let states = cache.states(encoder, &self.table, &ids, yield_now)?.states;
        let lengths: Vec<[usize; 2]> = pairs.iter().map(|p| self.lengths[*p as usize]).collect();
        Ok(PackedPairs {
            states,
            pairs: Spans::from_lengths(lengths.iter().map(|[a, b]| a + b)),
            sides: Spans::from_lengths(lengths.into_iter().flatten()),
        })
    }

    /// Splits pairs into micro-batches of at most `micro_tokens` tokens.
    pub(super) fn micro_batches(&self, pairs: &[u32], micro_tokens: usize) -> Vec<Vec<u32>> {
        split_by_tokens(pairs, micro_tokens, |pair| self.tokens(pair))
    }
}
