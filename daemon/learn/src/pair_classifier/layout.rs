//! What pairs are made of, and how their two sides lie in the packed matrix of token states.

use std::borrow::Cow;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::cache::{CacheFormat, LowerCache, Plan};
use crate::error::Result;
use crate::graph::Encoder;
use crate::ops::attention::Spans;
use crate::texts::{TextId, TextTable};
use crate::tune::pieces;

/// Where the two sides of a pair meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// In the layers that train: what lies below reads each side by itself.
    Upper,
    /// In the first layer: the pair is one text.
    First,
}

/// Tokens of both sides ([`super::Form`]) and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LabelledPair {
    /// The shopper's side.
    pub behaviour: TextId,
    /// The item's side.
    pub item: TextId,
    /// Whether the shopper took the item.
    pub label: bool,
}

/// Pairs over a table of texts.
#[derive(Debug, Clone, Copy)]
pub struct PairSet<'a> {
    /// Tokens of the sides.
    pub texts: &'a TextTable,
    /// The pairs; the order matters for repeatability only.
    pub pairs: &'a [LabelledPair],
}

/// Texts whose frozen states make up each pair.
pub(super) struct Layout<'a> {
    table: Cow<'a, TextTable>,
    segments: Vec<Vec<TextId>>,
    /// Tokens of the two sides of each pair.
    lengths: Vec<[usize; 2]>,
}

/// States of some pairs after the frozen layers.
pub(super) struct Packed {
    /// `[tokens, hidden]`, the item's side behind the shopper's.
    pub(super) states: Tensor,
    /// Rows of each pair.
    pub(super) pairs: Spans,
    /// Rows of each side, two a pair.
    pub(super) sides: Spans,
}

impl<'a> Layout<'a> {
    pub(super) fn new(set: PairSet<'a>, join: Join) -> Self {
        let tokens = |id: TextId| set.texts.get(id);
        let lengths = set.pairs.iter().map(|p| [tokens(p.behaviour).len(), tokens(p.item).len()]).collect();
        match join {
            Join::Upper => {
                let segments = set.pairs.iter().map(|p| vec![p.behaviour, p.item]).collect();
                Self { table: Cow::Borrowed(set.texts), segments, lengths }
            }
            Join::First => {
                let mut table = TextTable::new();
                let joined = |p: &LabelledPair| vec![table.push(&[tokens(p.behaviour), tokens(p.item)].concat())];
                let segments = set.pairs.iter().map(joined).collect();
                Self { table: Cow::Owned(table), segments, lengths }
            }
        }
    }

    /// Refuses texts that cannot be encoded.
    pub(super) fn check(&self, encoder: &Encoder) -> Result<()> {
        let ids = self.segments.iter().flatten().copied();
        self.table.check(ids, encoder.config().vocab_size, encoder.config().max_tokens())
    }

    /// Tokens of a pair.
    pub(super) fn tokens(&self, pair: u32) -> usize {
        self.lengths[pair as usize].iter().sum()
    }

    /// A cache for batches in the order in which they come.
    pub(super) fn cache(
        &self,
        batches: impl IntoIterator<Item = Vec<u32>>,
        hidden: usize,
        format: CacheFormat,
        bytes: usize,
    ) -> LowerCache {
        let texts = batches.into_iter().map(|batch| {
            let mut ids: Vec<TextId> = batch.iter().flat_map(|p| &self.segments[*p as usize]).copied().collect();
            ids.sort_unstable_by_key(|id| (self.table.get(*id).len(), *id));
            ids.dedup();
            ids
        });
        LowerCache::new(Plan::new(texts, &self.table, hidden, format, bytes), format)
    }

    /// Frozen states of these pairs.
    pub(super) fn pack(
        &self,
        encoder: &Encoder,
        cache: &mut LowerCache,
        pairs: &[u32],
        yield_now: &mut dyn FnMut(),
    ) -> Result<Packed> {
        let ids: Vec<TextId> = pairs.iter().flat_map(|p| &self.segments[*p as usize]).copied().collect();
        let (states, _) = cache.states(encoder, &self.table, &ids, yield_now)?;
        let lengths: Vec<[usize; 2]> = pairs.iter().map(|p| self.lengths[*p as usize]).collect();
        Ok(Packed {
            states,
            pairs: Spans::from_lengths(lengths.iter().map(|[a, b]| a + b)),
            sides: Spans::from_lengths(lengths.into_iter().flatten()),
        })
    }

    /// Cuts pairs into pieces of about so many tokens.
    pub(super) fn pieces(&self, pairs: &[u32], micro_tokens: usize) -> Vec<Vec<u32>> {
        pieces(pairs, micro_tokens, |pair| self.tokens(pair))
    }
}
