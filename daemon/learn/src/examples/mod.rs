//! Contrastive pairs from plain interactions: pure functions over slices, without store and clock.
//!
//! Pairs follow time: a query leads to items engaged after it, a history leads to the items of a later moment. Items of one moment (one
//! basket, or one day if the log has days only) are a set: no item of a moment is history of another, whatever their order in the log.

mod experience_replay;
mod interaction;
mod next_basket;
mod placebo;
mod query;
mod skipped;

pub use experience_replay::add_experience_replay;
pub use interaction::Interaction;
pub(crate) use interaction::by_user;
pub use next_basket::{NextOptions, next_pairs};
pub use placebo::permute_positives;
pub use query::{QueryOptions, query_pairs};

#[cfg(test)]
mod tests;
