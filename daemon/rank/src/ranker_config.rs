//! The configuration of a version's scoring: which optional components it has and which vectors it reads.
use serde::{Deserialize, Serialize};

use crate::mode::PerMode;
use crate::ranker::Ranker;

/// What a version scores lists with. Two versions of equal configuration differ only in the data they learned from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RankerConfig {
    /// Whether there is a ranker; a blend orders lists otherwise.
    pub ranker: bool,
    /// Whether the ranker reads a sequence model.
    pub sequence: bool,
    /// Whether the heads have trees.
    pub trees: PerMode<bool>,
    /// Whether there is a head for cold items.
    pub cold: bool,
    /// Identity of the whitening of item vectors; `None` where vectors are compared as they are.
    pub whitening: Option<String>,
    /// Identity of the encoder of item vectors.
    pub encoder: String,
}

impl RankerConfig {
    /// The configuration of a ranker, or of a blend where there is none. The ranker knows neither encoder nor whitening: their
    /// identities come from the version.
    #[must_use]
    pub fn new(ranker: Option<&Ranker>, encoder: impl Into<String>, whitening: Option<String>) -> Self {
        let [all, novel] = ranker.map_or([false; 2], Ranker::has_trees);
        Self {
            ranker: ranker.is_some(),
            sequence: ranker.is_some_and(|ranker| ranker.sequence().is_some()),
            trees: PerMode { all, novel },
            cold: ranker.is_some_and(Ranker::has_cold),
            whitening,
            encoder: encoder.into(),
        }
    }
}
