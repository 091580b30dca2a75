//! Errors of the ranking arithmetic.
use thiserror::Error;

/// What can go wrong.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum RankError {
    /// An array has the wrong length.
    #[error("{what}: expected a length of {expected} (or a multiple), found {found}")]
    Shape {
        /// Which array.
        what: &'static str,
        /// Wanted length.
        expected: usize,
        /// Length found.
        found: usize,
    },
    /// A list as of a moment was asked of an index fitted on later events; fit one at or before that moment.
    #[error("the index holds events up to {fitted}, which is after the asked moment {asked}")]
    FromTheFuture {
        /// Cut-off of the index, UTC milliseconds.
        fitted: i64,
        /// Moment asked for, UTC milliseconds.
        asked: i64,
    },
    /// The log holds too little before the cut-off for what was asked.
    #[error("too little to learn from: {0}")]
    TooLittle(&'static str),
    /// Trees could not be grown.
    #[error("trees beside the ranker: {0}")]
    Trees(String),
    /// Whoever watches the training ended it.
    #[error("stopped")]
    Stopped,
}
