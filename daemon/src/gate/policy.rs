//! The scoring policy of a fitted version: its ranker or its blend.

use mercer_rank::{BlendWeights, Ranker};

/// The scoring policy of a version: a ranker, else fitted blend weights, else weights derived from the log by rule.
#[derive(Clone, Copy, Default)]
pub(crate) struct FittedPolicy<'a> {
    /// The ranker.
    pub(crate) ranker: Option<&'a Ranker>,
    /// Fitted weights of the blend.
    pub(crate) blend: Option<&'a BlendWeights>,
}
