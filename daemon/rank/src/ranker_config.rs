//! The configuration of a version's scoring: which optional components it has and which vectors it reads.
use crate::ranker::Ranker;

/// What a version scores lists with. Two versions of equal configuration differ only in the data they learned from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RankerConfig {
    /// Whether there is a ranker; a blend orders lists otherwise.
    pub ranker: bool,
    /// The optional parts of the ranker, as [`Ranker::parts`] names them.
    pub parts: Vec<&'static str>,
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
        let parts = ranker.map(Ranker::parts).unwrap_or_default();
        Self { ranker: ranker.is_some(), parts, whitening, encoder: encoder.into() }
    }
}
