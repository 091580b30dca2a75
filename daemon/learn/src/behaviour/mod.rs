//! The behaviour network: a causal transformer over a shopper's recent interactions that says what the shopper takes next (SASRec, Kang and
//! McAuley, ICDM 2018, for baskets that are sets, with text, time, prior and repeats).
//!
//! A token is an item's frozen text vector (projected) with a learned id residual, its kind, price band, quantity, the time since the basket
//! before, and how often and how long ago the shopper had the same; a query is a token of its text vector. Baskets are sets: nothing in a basket has a
//! place, attention knows times only ([`crate::ops::prefix`]). A *question* is a moment: it sees the baskets before it and its answer is what the
//! shopper takes within the horizon after it. Score of an item = user vector times item embedding + weights of the shopper on time-decayed
//! popularity + for items that the shopper had, a renewal term ([`repeat`]).
//!
//! An item that nobody touched is in no softmax and has no residual: it scores through its text alone.
//!
//! | module | what stands there |
//! |---|---|
//! | [`options`], [`data`] | what the caller gives |
//! | `baskets`, `stretches`, `arrange` | events to sets, to questions, to rows |
//! | [`repeat`], [`popularity`] | features of the two terms that are added |
//! | `graph`, `loss`, `negatives` | forward pass; set softmax, full or sampled |
//! | [`train`], [`network`], `file` | stages up to a cut-off; serving; safetensors |

mod arrange;
mod baskets;
pub mod data;
mod file;
mod frame;
mod graph;
mod loss;
mod negatives;
pub mod network;
pub mod options;
pub mod popularity;
mod prices;
pub mod repeat;
mod stage;
mod step;
mod stretches;
pub mod train;

#[cfg(test)]
mod tests;

pub use baskets::Grouping;
pub use data::{Behaviour, Interaction, Items};
pub use loss::log_q;
pub use network::{Network, User};
pub use options::BehaviourOptions;
pub use popularity::Popularity;
pub use train::{Advance, Ended, Trainer};
