//! The scoring policy of a fitted version: its ranker or its blend.

use mercer_rank::{BlendWeights, Ranker};

/// What a version orders lists with: a ranker, else fitted blend weights, else the rule that derives weights from the log.
#[derive(Clone, Copy, Default)]
pub(crate) struct FittedPolicy<'a> {
    /// The ranker.
    pub(crate) ranker: Option<&'a Ranker>,
    /// Fitted weights of the blend.
    pub(crate) blend: Option<&'a BlendWeights>,
}
