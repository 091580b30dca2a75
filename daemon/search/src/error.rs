//! Errors of queries and retrieval.

/// Longest query in bytes.
pub const MAX_QUERY_BYTES: usize = 1_000;

/// A query that cannot be searched for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The query has only white space and punctuation.
    #[error("the query holds no word to search for")]
    Empty,
    /// Longer than [`crate::MAX_QUERY_BYTES`]; carries the length in bytes.
    #[error("a query has at most {max} bytes, this one has {0}", max = MAX_QUERY_BYTES)]
    TooLong(usize),
}

/// A retrieval that would give a wrong answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    /// The query cannot be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The query vector and the index are of different encoder versions.
    #[error("the query vector was made by encoder version `{query}`, the index holds vectors of `{index}`")]
    Version {
        /// Version of the query vector.
        query: String,
        /// Version of the index.
        index: String,
    },
    /// A vector of the wrong length.
    #[error("a vector has {got} dimensions, the index takes {expected}")]
    Dimension {
        /// Length of the vector.
        got: usize,
        /// Dimension of the index.
        expected: usize,
    },
    /// A vector that holds NaN or infinity.
    #[error("a vector holds a number that is not finite")]
    NotFinite,
}
