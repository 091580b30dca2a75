//! Fusion of the lexical and the dense list into one, each item keeping what either list gave it.
//!
//! Convex fusion: Bruch, Gai, Ingber 2023, "An Analysis of Fusion Functions for Hybrid Retrieval" (TOIS). Reciprocal rank
//! fusion: Cormack, Clarke, Büttcher 2009.

use rustc_hash::FxHashMap;

use crate::tie::Scored;

/// How raw scores become comparable before they are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Normalisation {
    /// Lowest score of the fetched list to 0, highest to 1.
    #[default]
    MinMax,
    /// Lower bound of the scoring function to 0 (0 for BM25, -1 for cosine), highest of the list to 1.
    Theoretical,
}

/// How two lists become one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fusion {
    /// `lexical * norm(lexical score) + (1 - lexical) * norm(dense score)`.
    Convex {
        /// Weight of the lexical part, 0 to 1.
        lexical: f64,
        /// Normalisation of both.
        normalisation: Normalisation,
    },
    /// `lexical / (k + lexical rank) + (1 - lexical) / (k + dense rank)`, ranks from 1.
    Reciprocal {
        /// Weight of the lexical part, 0 to 1.
        lexical: f64,
        /// Flattens the top; 60 in the paper.
        k: f64,
    },
}

impl Default for Fusion {
    fn default() -> Self {
        Self::Convex { lexical: 0.5, normalisation: Normalisation::MinMax }
    }
}

/// A fused item; `lexical + dense` is its score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fused {
    /// The item's number.
    pub item: u32,
    /// What the lexical list gave, weighted.
    pub lexical: f64,
    /// What the dense list gave, weighted.
    pub dense: f64,
}

impl Fused {
    /// The fused score.
    #[must_use]
    pub fn score(&self) -> f64 {
        self.lexical + self.dense
    }

    fn scored(&self) -> Scored {
        Scored { item: self.item, score: self.score() }
    }
}

/// One list to fuse, best first, each item once.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The list.
    pub list: &'a [Scored],
    /// Lower bound of its scoring function.
    pub floor: f64,
}

/// Fuses two lists, best first. An item that a list lacks gets nothing from it. A list that is empty leaves the other's order.
#[must_use]
pub fn fuse(lexical: Source<'_>, dense: Source<'_>, fusion: &Fusion) -> Vec<Fused> {
    let weight = match *fusion {
        Fusion::Convex { lexical, .. } | Fusion::Reciprocal { lexical, .. } => lexical.clamp(0.0, 1.0),
    };
    let mut fused: FxHashMap<u32, Fused> = FxHashMap::default();
    for (n, (source, weight)) in [(lexical, weight), (dense, 1.0 - weight)].into_iter().enumerate() {
        for (rank, scored) in source.list.iter().enumerate() {
            let part = weight * worth(source, rank, scored.score, fusion);
            let entry = fused.entry(scored.item).or_insert(Fused { item: scored.item, lexical: 0.0, dense: 0.0 });
            *(if n == 0 { &mut entry.lexical } else { &mut entry.dense }) = part;
        }
    }
    // The map's order is irrelevant: the order below is total.
    let mut all: Vec<Fused> = fused.into_values().collect();
    all.sort_unstable_by(|a, b| a.scored().order(&b.scored()));
    all
}

/// What a place in a list is worth before weighting: 0 to 1.
fn worth(source: Source<'_>, rank: usize, score: f64, fusion: &Fusion) -> f64 {
    match *fusion {
        Fusion::Reciprocal { k, .. } => 1.0 / (k.max(0.0) + rank as f64 + 1.0),
        Fusion::Convex { normalisation, .. } => {
            let high = source.list.first().map_or(score, |s| s.score);
            let low = match normalisation {
                Normalisation::MinMax => source.list.last().map_or(source.floor, |s| s.score),
                Normalisation::Theoretical => source.floor,
            };
            if high > low {
                ((score - low) / (high - low)).clamp(0.0, 1.0)
            } else {
                f64::from(u8::from(score > source.floor))
            }
        }
    }
}
