//! The scoring policy of a version as of a moment.

use std::sync::Arc;

use mercer_rank::{BlendWeights, RankError, RankRequest, RankedItem, Ranker, Recipient, ScoringPolicy, Snapshot};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{ServedList, UNTRAINED};

use crate::state::probabilities::Probabilities;
use crate::state::shop::ShopState;

/// The scoring policy as of a moment. A model that was trained on later events is not used.
pub struct Scorer {
    ranker: Option<Arc<Ranker>>,
    weights: BlendWeights,
    pub(crate) probabilities: Option<Arc<Probabilities>>,
    /// Why the serving version does not order the list, if so.
    too_late: Option<String>,
}

impl Scorer {
    /// The serving version's ranker if it was trained on nothing later than `at`, else the blend, which needs no training.
    #[must_use]
    pub fn new(view: &ShopState, snapshot: &Snapshot, at: i64) -> Self {
        let model = &view.model;
        let known = model.meta.data.to.is_none_or(|to| to.millis() <= at);
        let fitted = model.artifacts.blend.clone().filter(|_| known);
        Self {
            ranker: model.artifacts.ranker.clone().filter(|_| known),
            probabilities: model.artifacts.probabilities.clone().filter(|_| known),
            weights: fitted.unwrap_or_else(|| BlendWeights::for_index(&snapshot.index)),
            too_late: model.meta.data.to.filter(|_| !known).map(|to| {
                let version = &model.meta.version;
                format!("{version} has learned from interactions up to {to}, so the untrained blend ordered this list")
            }),
        }
    }

    /// Names what ordered a list, where that is not the serving version.
    pub fn name(&self, list: &mut ServedList) {
        if let Some(reason) = &self.too_late {
            UNTRAINED.clone_into(&mut list.model);
            list.notes.push(reason.clone());
        }
    }

    /// A list.
    ///
    /// # Errors
    /// As [`mercer_rank::recommend`].
    pub fn list(
        &self,
        s: &Snapshot,
        whom: Recipient<'_>,
        at: i64,
        r: &RankRequest<'_>,
    ) -> Result<Vec<RankedItem>, RankError> {
        self.policy().list(s, whom, at, r)
    }

    /// The policy itself.
    #[must_use]
    pub fn policy(&self) -> ScoringPolicy<'_> {
        ScoringPolicy { ranker: self.ranker.as_deref(), blend: &self.weights }
    }
}

pub(crate) fn rank_problem(error: RankError) -> Problem {
    Problem::new(Code::Internal, error.to_string())
}
