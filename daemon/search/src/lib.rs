//! Retrieval: a lexical index, exact dense retrieval, fusion of both, and parsing of queries. No store, clock, HTTP or tensors: items
//! are dense numbers, vectors are slices.
//!
//! ```
//! use mercer_search::{DenseIndex, Document, LexicalIndex, Query, SearchOptions, search};
//!
//! let mut index = LexicalIndex::new();
//! index.upsert(&[Document { item: 7, title: "String of Christmas lights".into(), ..Document::default() }]);
//! index.commit();
//! let query = Query::parse("chrismas lights under 20")?;
//! assert_eq!(query.price.and_then(|p| p.max), Some(20.0));
//! let hits = search(&index.reader(), &DenseIndex::new("none", 0), &query, None, 10, &|item| Some(item.into()), &SearchOptions::default())?;
//! assert_eq!(hits[0].item, 7);
//! # Ok::<(), mercer_search::SearchError>(())
//! ```

pub mod dense;
mod document;
mod error;
pub mod fuse;
pub mod lexical;
mod price;
mod query;
mod retrieve;
mod text;
mod tie;
pub mod tokenize;

pub use dense::{DenseIndex, QueryVector};
pub use document::{Document, passage_text};
pub use error::{MAX_QUERY_BYTES, QueryError, SearchError};
pub use fuse::{Fusion, Method, Normalisation};
pub use lexical::{LexicalIndex, LexicalParams, LexicalReader};
pub use query::Query;
pub use retrieve::{Hit, ScoreParts, SearchOptions, search};
pub use text::clean;
pub use tie::{Eligible, Scored, tie_hash};
