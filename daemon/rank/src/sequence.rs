//! The interface of the sequence model, one of the sources. `mercer-learn` trains and implements it.
use std::fmt::Debug;
use std::sync::Arc;

use crate::log::Event;
use crate::vectors::Vectors;

/// Scores items by what usually follows a user's interactions.
pub trait SequenceScorer: Send + Sync + Debug {
    /// Scores of all items for users given by their time-sorted events, none of them later than `at`. `texts` has the vectors of
    /// search texts; a search without one is skipped. Returns one row of `items` numbers per user: not negative, 0 for no score.
    /// A row may be empty when the model cannot score at all.
    fn score(&self, histories: &[&[Event]], texts: Option<&Vectors>, at: i64, items: usize) -> Vec<Vec<f32>>;
}

/// Gives the sequence model as of a moment: trained on events at or before it only.
pub trait SequenceScorerHistory: Sync {
    /// The model as of a moment; `None` where there was too little to train one.
    fn at(&self, moment: i64) -> Option<Arc<dyn SequenceScorer>>;
}

/// The sequence model of a ranker. Two are equal when they are the same object.
#[derive(Debug, Clone, Default)]
pub(crate) struct AttachedSequence(pub(crate) Option<Arc<dyn SequenceScorer>>);

impl PartialEq for AttachedSequence {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(mine), Some(theirs)) => Arc::ptr_eq(mine, theirs),
            (mine, theirs) => mine.is_none() && theirs.is_none(),
        }
    }
}
