//! Scores pairs with trained weights: many at once for evaluation, or the head of one list for serving.

use std::collections::HashMap;
use std::sync::Mutex;

use candle_core::{Device, Tensor};
use rustc_hash::FxHashMap;

use super::head::Head;
use super::layout::{Join, LabelledPair, LabelledPairs, Layout, PackedPairs};
use super::weights::{CrossEncoderMeta, CrossEncoderWeights};
use crate::cache::CacheFormat;
use crate::error::{LearnError, Result};
use crate::graph::{self, BaseEncoder, PackedStates, TunableEncoder};
use crate::ops::attention::Spans;
use crate::texts::TextTable;

/// Tokens of a micro-batch.
const MICRO_TOKENS: usize = 1024;
/// Memory for frozen states during an evaluation, bytes.
const EVALUATION_BYTES: usize = 256 << 20;
/// Memory for frozen states of items in serving, bytes; items beyond it are computed each time.
const ITEM_BYTES: usize = 64 << 20;

/// A trained cross-encoder. It cannot train further.
#[derive(Debug)]
pub struct CrossEncoder {
    encoder: TunableEncoder,
    head: Head,
    meta: CrossEncoderMeta,
    items: Mutex<ItemStates>,
}

/// Frozen states of items by their tokens.
#[derive(Debug, Default)]
struct ItemStates {
    rows: FxHashMap<Box<[u32]>, Tensor>,
    bytes: usize,
}

impl CrossEncoder {
    /// Puts weights on the base they were trained on.
    ///
    /// # Errors
    /// [`LearnError::Option`] if they were trained on another base, and the tensor errors of [`TunableEncoder::new`].
    pub fn new(base: BaseEncoder<'_>, weights: &CrossEncoderWeights, device: &Device) -> Result<Self> {
        if weights.meta.base != graph::fingerprint(base)? {
            let why = "were made for other base weights".to_owned();
            return Err(LearnError::Option { name: "weights", why });
        }
        let mut tensors: HashMap<String, Tensor> = base.tensors.clone();
        tensors.extend(weights.changed.iter().map(|(name, t)| (name.clone(), t.clone())));
        let base = BaseEncoder { tensors: &tensors, ..base };
        let encoder = TunableEncoder::frozen(base, weights.meta.upper_layers, device)?;
        let hidden = base.config.hidden_size;
        let head = Head::fixed(weights.meta.head, base.pooling, hidden, &weights.head, device)?;
        Ok(Self { encoder, head, meta: weights.meta.clone(), items: Mutex::default() })
    }

    /// Base, shape and training steps of the weights.
    #[must_use]
    pub fn meta(&self) -> &CrossEncoderMeta {
        &self.meta
    }

    /// Log-odds of pairs, in their order. Calls `between` before each micro-batch, some tenths of a second apart on a CPU; `false` ends the
    /// work, and the result is then shorter than the input.
    ///
    /// # Errors
    /// [`LearnError::Text`] for a text that cannot be encoded.
    pub fn score(&self, set: LabelledPairs<'_>, mut between: impl FnMut() -> bool) -> Result<Vec<f32>> {
        let layout = Layout::new(set, self.meta.join);
        layout.check(&self.encoder)?;
        let all: Vec<u32> = (0..set.pairs.len() as u32).collect();
        let pieces = layout.micro_batches(&all, MICRO_TOKENS);
        let hidden = self.encoder.config().hidden_size;
        let mut cache = layout.cache(pieces.clone(), hidden, CacheFormat::F16, EVALUATION_BYTES);
        let mut scores = Vec::with_capacity(all.len());
        for piece in pieces {
            if !between() {
                break;
            }
            let packed = layout.pack(&self.encoder, &mut cache, &piece, &mut || ())?;
            scores.extend(self.head.logits(&self.encoder, &packed, None)?.to_vec1::<f32>()?);
        }
        Ok(scores)
    }

    /// Log-odds of one user's side with several items. Frozen states of items are kept between calls.
    ///
    /// # Errors
    /// [`LearnError::Text`] for a text that cannot be encoded.
    pub fn score_list(&self, history: &[u32], items: &[Vec<u32>]) -> Result<Vec<f32>> {
        let mut texts = TextTable::new();
        let history_id = texts.push(history);
        let pairs: Vec<LabelledPair> = items
            .iter()
            .map(|item| LabelledPair { history: history_id, item: texts.push(item), label: false })
            .collect();
        let set = LabelledPairs { texts: &texts, pairs: &pairs };
        if self.meta.join == Join::First || items.is_empty() {
            return self.score(set, || true);
        }
        Layout::new(set, self.meta.join).check(&self.encoder)?;
        let side = self.encoder.lower(&texts, &[history_id], || ())?.states;
        let states = self.item_states(items)?;
        let mut scores = Vec::with_capacity(items.len());
        let at_once = (MICRO_TOKENS / (history.len() + 16)).max(1);
        for (states, items) in states.chunks(at_once).zip(items.chunks(at_once)) {
            let parts: Vec<Tensor> = states.iter().flat_map(|item| [side.clone(), item.clone()]).collect();
            let lengths = || items.iter().map(|item| [history.len(), item.len()]);
            let packed = PackedPairs {
                states: Tensor::cat(&parts, 0)?,
                pairs: Spans::from_lengths(lengths().map(|[a, b]| a + b)),
                sides: Spans::from_lengths(lengths().flatten()),
            };
            scores.extend(self.head.logits(&self.encoder, &packed, None)?.to_vec1::<f32>()?);
        }
        Ok(scores)
    }

    /// Frozen states of each item, from memory if they are there.
    fn item_states(&self, items: &[Vec<u32>]) -> Result<Vec<Tensor>> {
        let lock = || self.items.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut found: Vec<Option<Tensor>> = {
            let kept = lock();
            items.iter().map(|item| kept.rows.get(&item[..]).cloned()).collect()
        };
        let missing: Vec<usize> = (0..items.len()).filter(|&i| found[i].is_none()).collect();
        if !missing.is_empty() {
            let mut texts = TextTable::new();
            let ids: Vec<u32> = missing.iter().map(|&i| texts.push(&items[i])).collect();
            let distinct: Vec<u32> = (0..texts.len() as u32).collect();
            let PackedStates { states: x, spans } = self.encoder.lower(&texts, &distinct, || ())?;
            let rows: Vec<Tensor> =
                spans.iter().map(|s| Ok(x.narrow(0, s.start, s.len())?.copy()?)).collect::<Result<_>>()?;
            let mut kept = lock();
            for (&place, id) in missing.iter().zip(ids) {
                let row = &rows[id as usize];
                found[place] = Some(row.clone());
                let bytes = 4 * row.elem_count();
                if kept.bytes + bytes <= ITEM_BYTES && !kept.rows.contains_key(&items[place][..]) {
                    kept.bytes += bytes;
                    kept.rows.insert(items[place].clone().into(), row.clone());
                }
            }
        }
        Ok(found.into_iter().flatten().collect())
    }
}
