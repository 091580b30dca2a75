//! The lexical index: immutable inverted segments in memory, scored with BM25F.
//!
//! Own code instead of a library for two reasons: `k1`, `b` per field and coverage are tuned, and tantivy fixes `k1` and `b`; and the
//! statistics are exact after any sequence of upserts and deletes (equal to those of a new index), so that lists can be repeated, while
//! other engines count deleted documents until the next merge.

mod clauses;
mod correct;
mod fields;
mod index;
mod reader;
mod score;
mod segment;

pub use fields::FIELDS;
pub use index::LexicalIndex;
pub use reader::LexicalReader;
pub use score::{LexicalMatches, LexicalParams};
