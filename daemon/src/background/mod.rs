//! Threads that work beside requests: they publish changes, embed texts, write served lists and fit the collaborative index.

pub mod embed;
pub mod follow;
pub mod publish;
pub mod query_vectors;
pub mod refit;
pub mod served;
pub mod threads;
