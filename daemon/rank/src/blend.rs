//! The blend: a weighted sum of sources, each divided by its largest eligible value. It serves while the log is too short to
//! learn a ranker, and its arms are the gate's baselines.
use serde::{Deserialize, Serialize};

use crate::memory::Memory;
use crate::sources::Source;

/// Weights of the sources for two questions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BlendWeights {
    /// What will the shopper take next, of all items?
    pub any: Vec<(Source, f32)>,
    /// What will the shopper take that they never had?
    pub unseen: Vec<(Source, f32)>,
}

impl Default for BlendWeights {
    fn default() -> Self {
        Self {
            any: vec![
                (Source::Own, 1.0),
                (Source::Intent, 1.0),
                (Source::Popular30, 0.3),
                (Source::Trending, 0.2),
                (Source::UserKnn, 0.3),
                (Source::Ials, 0.5),
                (Source::Content, 0.02),
                (Source::Category, 0.02),
            ],
            unseen: vec![
                (Source::Intent, 4.0),
                (Source::Popular30, 0.3),
                (Source::Trending, 1.5),
                (Source::KnnRecent, 0.3),
                (Source::UserKnn, 0.3),
                (Source::Adopters, 1.5),
                (Source::Ials, 1.5),
                (Source::Content, 0.05),
                (Source::Category, 0.02),
            ],
        }
    }
}

impl BlendWeights {
    /// The fixed blend for a log, by one rule: what other shoppers did counts in proportion to how many of them an item has. With
    /// ten buyers per item or more it counts in full; where nearly every item has one buyer, only the shopper's own record is left to speak.
    pub fn for_memory(memory: &Memory) -> Self {
        let rows = &memory.stats.rows;
        let warm = rows.iter().filter(|r| r.count > 0.0).count().max(1);
        let trust = (f64::from(memory.stats.total.buyers) / warm as f64 / 10.0).min(1.0) as f32;
        let mut out = Self::default();
        for (source, w) in &mut out.any {
            if !matches!(source, Source::Own | Source::Intent | Source::Content | Source::Category) {
                *w *= trust * trust;
            }
        }
        out
    }

    /// One source alone, for both questions.
    pub fn only(source: Source) -> Self {
        Self { any: vec![(source, 1.0)], unseen: vec![(source, 1.0)] }
    }

    /// The baselines that cost nothing but the memory, with their names.
    pub fn baselines() -> [(&'static str, Self); 3] {
        [("popularity", Self::popularity()), ("own repeats", Self::own_repeats()), ("item kNN", Self::item_knn())]
    }

    /// Baseline: the most bought of the last 30 days.
    pub fn popularity() -> Self {
        Self::only(Source::Popular30)
    }

    /// One source, filled up with the popularity of the last 30 days where it has nothing to say.
    pub fn filled(source: Source) -> Self {
        let w = vec![(source, 1.0), (Source::Popular30, 1e-3)];
        Self { any: w.clone(), unseen: w }
    }

    /// Baseline: own repeats, filled up with popularity.
    pub fn own_repeats() -> Self {
        Self::filled(Source::Own)
    }

    /// Baseline: item-item co-occurrence alone, filled up with popularity.
    pub fn item_knn() -> Self {
        Self::filled(Source::Knn)
    }
}
