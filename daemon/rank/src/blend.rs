//! The blend: a weighted sum of sources, each divided by its largest eligible value. It orders lists while the log is too short
//! for a ranker, picks the ranker's candidates, and with a single source it is a baseline of the gate.
use serde::{Deserialize, Serialize};

use crate::collaborative_index::CollaborativeIndex;
use crate::mode::Mode;
use crate::source::Source;

/// Weights of the sources for each mode. Stored files call them `any` and `unseen`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BlendWeights {
    /// Weights for lists of all items.
    #[serde(rename = "any", alias = "all")]
    pub all: Vec<(Source, f32)>,
    /// Weights for lists of items that the user never bought.
    #[serde(rename = "unseen", alias = "novel")]
    pub novel: Vec<(Source, f32)>,
}

impl Default for BlendWeights {
    fn default() -> Self {
        Self {
            all: vec![
                (Source::Own, 1.0),
                (Source::Intent, 1.0),
                (Source::Popular30, 0.3),
                (Source::Trending, 0.2),
                (Source::UserKnn, 0.3),
                (Source::Ials, 0.5),
                (Source::Content, 0.02),
                (Source::Category, 0.02),
            ],
            novel: vec![
                (Source::Intent, 4.0),
                (Source::Popular30, 0.3),
                (Source::Trending, 1.5),
                (Source::KnnRecent, 0.3),
                (Source::UserKnn, 0.3),
                (Source::NeighbourFirstPurchases, 1.5),
                (Source::Ials, 1.5),
                (Source::Content, 0.05),
                (Source::Category, 0.02),
            ],
        }
    }
}

impl BlendWeights {
    /// The default weights with the collaborative ones of mode `all` scaled down where the log has few buyers per item: by
    /// `t * t` with `t = min(1, buyers per warm item / 10)`. Where nearly every item has one buyer, the user's own history decides.
    pub fn for_index(index: &CollaborativeIndex) -> Self {
        let rows = &index.counts.items.rows;
        let warm = rows.iter().filter(|r| r.count > 0.0).count().max(1);
        let trust = (f64::from(index.counts.items.total.buyers) / warm as f64 / 10.0).min(1.0) as f32;
        let mut out = Self::default();
        for (source, w) in &mut out.all {
            if !matches!(source, Source::Own | Source::Intent | Source::Content | Source::Category) {
                *w *= trust * trust;
            }
        }
        out
    }

    /// The weights for a mode.
    pub fn get(&self, mode: Mode) -> &[(Source, f32)] {
        match mode {
            Mode::All => &self.all,
            Mode::Novel => &self.novel,
        }
    }

    /// One source alone, for both modes.
    pub fn only(source: Source) -> Self {
        Self { all: vec![(source, 1.0)], novel: vec![(source, 1.0)] }
    }

    /// One source for both modes; items without a score by it follow by the popularity of the last 30 days.
    pub fn with_popularity_fallback(source: Source) -> Self {
        let weights = vec![(source, 1.0), (Source::Popular30, 1e-3)];
        Self { all: weights.clone(), novel: weights }
    }

    /// The baselines that read the collaborative index only, with their names.
    pub fn baselines() -> [(&'static str, Self); 3] {
        [("popularity", Self::popularity()), ("own repeats", Self::own_repeats()), ("item kNN", Self::item_knn())]
    }

    /// Baseline: the most bought items of the last 30 days.
    pub fn popularity() -> Self {
        Self::only(Source::Popular30)
    }

    /// Baseline: the user's own purchases, then popularity.
    pub fn own_repeats() -> Self {
        Self::with_popularity_fallback(Source::Own)
    }

    /// Baseline: item-item co-occurrence, then popularity.
    pub fn item_knn() -> Self {
        Self::with_popularity_fallback(Source::Knn)
    }
}
