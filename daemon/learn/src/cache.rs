//! Output of the frozen layers per text, computed once: a training step then costs only the upper layers.
//!
//! Which texts are kept, and together with which others each is computed, is fixed before training from the order in which texts are first
//! needed ([`Plan`]). That makes the cached values a function of the plan and not of the path that led to a step, so a run resumed from a
//! checkpoint with an empty cache sees bit for bit what the uninterrupted run saw (matrix kernels may round a row differently in a batch of
//! another size).
//!
//! Nothing is ever evicted: training reads all texts equally often, in which case replacing one by another only costs.

use candle_core::{Device, Tensor};
use half::f16;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::error::{LearnError, Result};
use crate::graph::Encoder;
use crate::ops::attention::Spans;
use crate::ops::with_slice;
use crate::texts::{TextId, TextTable};

/// Number format of cached states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheFormat {
    /// 2 bytes a value, relative error 5e-4. States that are not kept are rounded alike, so that keeping changes nothing.
    F16,
    /// 4 bytes a value, exact.
    F32,
}

impl CacheFormat {
    fn bytes(self) -> usize {
        match self {
            Self::F16 => 2,
            Self::F32 => 4,
        }
    }
}

#[derive(Debug)]
enum Rows {
    F16(Box<[f16]>),
    F32(Box<[f32]>),
}

/// Texts that one call of the frozen layers handles at most: bounds the memory of a miss.
const GROUP: usize = 32;

/// Which texts are kept and with which others they are computed.
#[derive(Debug, Default)]
pub struct Plan {
    groups: Vec<Vec<TextId>>,
    group_of: FxHashMap<TextId, usize>,
    /// Bytes of all texts in groups.
    pub bytes: usize,
    /// Texts that did not fit the budget.
    pub left_out: usize,
}

impl Plan {
    /// Groups the texts of each batch in the order of first use, until `budget` bytes are reached.
    pub fn new(
        batches: impl IntoIterator<Item = Vec<TextId>>,
        texts: &TextTable,
        hidden: usize,
        format: CacheFormat,
        budget: usize,
    ) -> Self {
        let mut plan = Self::default();
        let mut out: FxHashMap<TextId, ()> = FxHashMap::default();
        for batch in batches {
            let mut fresh = Vec::new();
            for id in batch {
                if plan.group_of.contains_key(&id) || out.contains_key(&id) || fresh.contains(&id) {
                    continue;
                }
                let bytes = texts.get(id).len() * hidden * format.bytes();
                if plan.bytes + bytes > budget {
                    out.insert(id, ());
                } else {
                    plan.bytes += bytes;
                    fresh.push(id);
                }
            }
            for group in fresh.chunks(GROUP) {
                for id in group {
                    plan.group_of.insert(*id, plan.groups.len());
                }
                plan.groups.push(group.to_vec());
            }
        }
        plan.left_out = out.len();
        plan
    }
}

/// Cached states of the frozen layers.
#[derive(Debug)]
pub struct LowerCache {
    plan: Plan,
    format: CacheFormat,
    rows: FxHashMap<TextId, Rows>,
    /// Texts answered from memory so far.
    pub hits: u64,
    /// Texts that went through the frozen layers so far.
    pub computed: u64,
}

impl LowerCache {
    /// An empty cache for a plan.
    #[must_use]
    pub fn new(plan: Plan, format: CacheFormat) -> Self {
        Self { plan, format, rows: FxHashMap::default(), hits: 0, computed: 0 }
    }

    /// Bytes held at present.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.rows
            .values()
            .map(|r| match r {
                Rows::F16(x) => 2 * x.len(),
                Rows::F32(x) => 4 * x.len(),
            })
            .sum()
    }

    fn pack(&self, values: &[f32]) -> Rows {
        match self.format {
            CacheFormat::F16 => Rows::F16(values.iter().map(|v| f16::from_f32(*v)).collect()),
            CacheFormat::F32 => Rows::F32(values.into()),
        }
    }

    fn compute(
        &mut self,
        encoder: &Encoder,
        texts: &TextTable,
        ids: &[TextId],
        yield_now: &mut dyn FnMut(),
    ) -> Result<Vec<Rows>> {
        self.computed += ids.len() as u64;
        let (x, spans) = encoder.lower(texts, ids, yield_now)?;
        let x = x.to_device(&Device::Cpu)?;
        let h = encoder.config().hidden_size;
        Ok(with_slice(&x, |x| Ok(spans.iter().map(|s| self.pack(&x[s.start * h..s.end * h])).collect()))?)
    }

    /// States of these texts below each other, `[tokens, hidden]` on the encoder's device, in the order given. `yield_now` is called between
    /// layers whenever something has to be computed.
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn states(
        &mut self,
        encoder: &Encoder,
        texts: &TextTable,
        ids: &[TextId],
        yield_now: &mut dyn FnMut(),
    ) -> Result<(Tensor, Spans)> {
        let mut passing: FxHashMap<TextId, Rows> = FxHashMap::default();
        let mut uncached = Vec::new();
        for id in ids {
            if self.rows.contains_key(id) {
                self.hits += 1;
            } else if let Some(group) = self.plan.group_of.get(id).copied() {
                let group = self.plan.groups[group].clone();
                let rows = self.compute(encoder, texts, &group, yield_now)?;
                self.rows.extend(group.into_iter().zip(rows));
            } else if !uncached.contains(id) {
                uncached.push(*id);
            }
        }
        for group in uncached.chunks(GROUP) {
            let rows = self.compute(encoder, texts, group, yield_now)?;
            passing.extend(group.iter().copied().zip(rows));
        }
        let h = encoder.config().hidden_size;
        let spans = Spans::from_lengths(ids.iter().map(|id| texts.get(*id).len()));
        let mut all: Vec<f32> = Vec::with_capacity(spans.tokens() * h);
        for id in ids {
            match self.rows.get(id).or_else(|| passing.get(id)) {
                Some(Rows::F16(x)) => all.extend(x.iter().map(|v| v.to_f32())),
                Some(Rows::F32(x)) => all.extend_from_slice(x),
                None => {
                    let why = "was not computed".to_owned();
                    return Err(LearnError::Text { id: *id, why });
                }
            }
        }
        let x = Tensor::from_vec(all, (spans.tokens(), h), encoder.device())?;
        Ok((x, spans))
    }
}
