//! What a counterfactual list is made without: whole groups of signals, as if they told nothing about any item.
use crate::source::Source;

/// The groups of signals that a list is made without. A source that is left out has the same score for every item, so that it orders nothing
/// (the blend divides a source by its maximum, hence the height of that score does not matter); a feature that is left out has the mean of the
/// candidates in every row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Ablation {
    /// What other users did: co-occurrence, neighbours, factors, next baskets, the sequence model.
    pub collaborative: bool,
    /// How much items sell and how that changes; equal scores are then ordered by the tie-break key alone.
    pub popularity: bool,
    /// How recently items began to sell.
    pub newness: bool,
}

impl Ablation {
    /// Nothing is left out.
    pub const NONE: Self = Self { collaborative: false, popularity: false, newness: false };

    /// Whether a source is left out.
    #[must_use]
    pub const fn leaves_out(self, source: Source) -> bool {
        match source {
            Source::Trending => self.popularity || self.newness,
            Source::Popular7 | Source::Popular30 | Source::Popular90 | Source::Popular => self.popularity,
            Source::Knn
            | Source::KnnRecent
            | Source::KnnStrongest
            | Source::Next
            | Source::UserKnn
            | Source::UserKnnFresh
            | Source::NeighbourFirstPurchases
            | Source::Ials
            | Source::Ease
            | Source::Sequence => self.collaborative,
            Source::Own | Source::Intent | Source::Content | Source::Category => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SOURCES;

    #[test]
    fn own_behaviour_is_left_out_by_no_ablation() {
        let all = Ablation { collaborative: true, popularity: true, newness: true };
        let kept: Vec<Source> = SOURCES.into_iter().filter(|source| !all.leaves_out(*source)).collect();
        assert_eq!(kept, [Source::Own, Source::Intent, Source::Content, Source::Category]);
        assert!(SOURCES.iter().all(|source| !Ablation::NONE.leaves_out(*source)));
    }
}
