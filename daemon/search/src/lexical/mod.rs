//! The lexical index: immutable inverted segments in memory, scored with BM25F.
//!
//! Ours rather than a library's for two reasons. Ranking is what this crate is about, and saturation (`k1`), length normalisation per field
//! (`b`) and coverage of the query had to be tuned; tantivy fixes `k1` and `b`. And statistics must be exact: after any sequence of
//! upserts and deletes, document frequencies and mean lengths equal those of an index built from nothing, so that a list can be
//! repeated; engines that count deleted documents until a merge cannot promise that.

mod clauses;
mod correct;
mod index;
mod score;
mod segment;

pub use index::LexicalIndex;
pub use score::{LexicalMatches, LexicalParams, LexicalReader};

/// Fields of a document, in the order of every per-field array.
pub const FIELDS: usize = 5;
