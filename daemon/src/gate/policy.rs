//! What orders the lists that are compared.

use mercer_rank::{BlendWeights, Ranker};

/// What orders a list: a ranker, else fitted blend weights, else the rule that reads the log.
#[derive(Clone, Copy, Default)]
pub(crate) struct ScoringPolicy<'a> {
    /// The ranker.
    pub(crate) ranker: Option<&'a Ranker>,
    /// Fitted weights of the blend.
    pub(crate) blend: Option<&'a BlendWeights>,
}
