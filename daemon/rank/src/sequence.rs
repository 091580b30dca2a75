//! The place of a sequence model among the sources: it is trained elsewhere, with tensors, and only asked here.
use std::fmt::Debug;
use std::sync::Arc;

use crate::catalogue::Vectors;
use crate::log::Event;

/// A model of what follows a shopper's interactions.
pub trait SequenceModel: Send + Sync + Debug {
    /// Scores of all items for shoppers given by their time-sorted events, none of them later than `at`; `texts` are vectors of what
    /// they searched for, and a search without one is passed over. One row of `items` numbers a shopper, not negative, 0 for "nothing
    /// to say"; a row may be empty when the model cannot say anything at all.
    fn score(&self, histories: &[&[Event]], texts: Option<&Vectors>, at: i64, items: usize) -> Vec<Vec<f32>>;
}

/// Gives the sequence model as it was at a moment: trained on events at or before it and on no other.
pub trait SequenceHistory: Sync {
    /// The model as of a moment; none where there was too little to train one.
    fn at(&self, moment: i64) -> Option<Arc<dyn SequenceModel>>;
}

/// A sequence model that goes where a ranker goes. Two are equal when they are the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Attached(pub(crate) Option<Arc<dyn SequenceModel>>);

impl PartialEq for Attached {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(mine), Some(theirs)) => Arc::ptr_eq(mine, theirs),
            (mine, theirs) => mine.is_none() && theirs.is_none(),
        }
    }
}
