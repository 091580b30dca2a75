//! The cross-encoder: trained on histories and item texts, it re-scores the head of lists. The wire calls it `pair`.

pub mod evaluate;
pub mod mix;
pub mod rescore;
pub mod texts;
pub mod train;
