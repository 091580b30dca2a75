//! Cache of the frozen layers' output per text: a training step then costs only the upper layers.
//!
//! [`CachePlan`] fixes before training which texts are cached and which texts are computed together, in the order of first use. Cached values
//! therefore depend on the plan only, and a run resumed with an empty cache sees the same bits as an uninterrupted one (matrix kernels may
//! round a row differently in a batch of another size).
//!
//! Nothing is evicted: training reads all texts equally often, so replacing one by another would gain nothing.

use candle_core::{Device, Tensor};
use half::f16;
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use crate::error::{LearnError, Result};
use crate::graph::{PackedStates, TunableEncoder};
use crate::ops::attention::Spans;
use crate::ops::with_slice;
use crate::run::CacheCounts;
use crate::texts::{TextId, TextTable};

/// Number format of cached states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheFormat {
    /// 2 bytes per value, relative error 5e-4. Uncached states are rounded in the same way, so that caching changes no value.
    F16,
    /// 4 bytes per value, exact.
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

/// States of one text, row by row.
#[derive(Debug)]
enum CachedRows {
    F16(Box<[f16]>),
    F32(Box<[f32]>),
}

/// Maximum number of texts per call of the frozen layers; bounds the memory of a miss.
const GROUP: usize = 32;

/// Which texts are cached and which texts are computed together.
#[derive(Debug, Default)]
pub struct CachePlan {
    groups: Vec<Vec<TextId>>,
    group_of: FxHashMap<TextId, usize>,
    /// Bytes of all texts in groups.
    pub bytes: usize,
    /// Number of texts that did not fit the budget.
    pub uncached: usize,
}

impl CachePlan {
    /// Groups the texts of each batch in the order of first use, up to `budget` bytes.
    pub fn new(
        batches: impl IntoIterator<Item = Vec<TextId>>,
        texts: &TextTable,
        hidden: usize,
        format: CacheFormat,
        budget: usize,
    ) -> Self {
        let mut plan = Self::default();
        let mut uncached: FxHashSet<TextId> = FxHashSet::default();
        for batch in batches {
            let mut fresh = Vec::new();
            for id in batch {
                if plan.group_of.contains_key(&id) || uncached.contains(&id) || fresh.contains(&id) {
                    continue;
                }
                let bytes = texts.get(id).len() * hidden * format.bytes();
                if plan.bytes + bytes > budget {
                    uncached.insert(id);
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
        plan.uncached = uncached.len();
        plan
    }
}

/// Cached output of the frozen layers.
#[derive(Debug)]
pub struct FrozenLayerCache {
    plan: CachePlan,
    format: CacheFormat,
    rows: FxHashMap<TextId, CachedRows>,
    counts: CacheCounts,
}

impl FrozenLayerCache {
    /// An empty cache for a plan.
    #[must_use]
    pub fn new(plan: CachePlan, format: CacheFormat) -> Self {
        Self { plan, format, rows: FxHashMap::default(), counts: CacheCounts::default() }
    }

    /// Hits and computed texts so far.
    #[must_use]
    pub fn counts(&self) -> CacheCounts {
        self.counts
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.rows
            .values()
            .map(|r| match r {
                CachedRows::F16(x) => 2 * x.len(),
                CachedRows::F32(x) => 4 * x.len(),
            })
            .sum()
    }

    fn pack(&self, values: &[f32]) -> CachedRows {
        match self.format {
            CacheFormat::F16 => CachedRows::F16(values.iter().map(|v| f16::from_f32(*v)).collect()),
            CacheFormat::F32 => CachedRows::F32(values.into()),
        }
    }

    fn compute(
        &mut self,
        encoder: &TunableEncoder,
        texts: &TextTable,
        ids: &[TextId],
        yield_now: &mut dyn FnMut(),
    ) -> Result<Vec<CachedRows>> {
        self.counts.computed += ids.len() as u64;
        let PackedStates { states, spans } = encoder.lower(texts, ids, yield_now)?;
        let x = states.to_device(&Device::Cpu)?;
        let h = encoder.config().hidden_size;
        Ok(with_slice(&x, |x| Ok(spans.iter().map(|s| self.pack(&x[s.start * h..s.end * h])).collect()))?)
    }

    /// States of these texts on the encoder's device, in the order given. Calls `yield_now` between layers when something has to be computed.
    ///
    /// # Errors
    /// When the tensor library fails.
    pub fn states(
        &mut self,
        encoder: &TunableEncoder,
        texts: &TextTable,
        ids: &[TextId],
        yield_now: &mut dyn FnMut(),
    ) -> Result<PackedStates> {
        let mut passing: FxHashMap<TextId, CachedRows> = FxHashMap::default();
        let mut uncached = Vec::new();
        for id in ids {
            if self.rows.contains_key(id) {
                self.counts.hits += 1;
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
                Some(CachedRows::F16(x)) => all.extend(x.iter().map(|v| v.to_f32())),
                Some(CachedRows::F32(x)) => all.extend_from_slice(x),
                None => {
                    let why = "was not computed".to_owned();
                    return Err(LearnError::Text { id: *id, why });
                }
            }
        }
        let states = Tensor::from_vec(all, (spans.tokens(), h), encoder.device())?;
        Ok(PackedStates { states, spans })
    }
}
