//! The sequence model: a causal transformer over a user's recent interactions that predicts what the user takes next (SASRec, Kang and
//! McAuley, ICDM 2018, extended to baskets as sets, with text, time, popularity prior and repeats). Stored files call it `behaviour`.
//!
//! A token is an item's frozen text vector (projected) plus a learned id residual, its kind, price band, quantity, the time since the previous
//! basket, and how often and how long ago the user had the same item. A query is a token of its text vector. Baskets are sets: attention
//! knows times only, no positions ([`crate::ops::prefix`]). A *prediction point* is a moment: it sees the baskets before it, and its target is
//! what the user takes within the horizon after it.
//!
//! Score of an item = user vector times item embedding + the user's weights on time-decayed popularity + a renewal term for items that the
//! user had before ([`repeats`]). An item without any interaction is in no softmax and has no residual: it scores through its text alone.
//!
//! | module | contents |
//! |---|---|
//! | [`options`], [`data`] | inputs of the caller |
//! | `history`, `windows`, `collate` | events to baskets, to training windows, to tensors |
//! | [`repeats`], [`popularity`] | features of the renewal term and of the popularity prior |
//! | `graph`, `loss`, `negatives` | forward pass; set softmax, full or sampled |
//! | [`trainer`], [`model`], `file` | training up to a cut-off; serving; safetensors |

mod collate;
pub mod data;
mod file;
mod graph;
mod history;
mod input_norm;
mod loss;
pub mod model;
mod negatives;
pub mod options;
pub mod popularity;
mod price_bands;
pub mod repeats;
mod stage;
mod step;
pub mod trainer;
mod windows;

pub use data::{ItemFeatures, SequenceEvent, SequenceLog};
pub use model::{SequenceModel, UserEncoding};
pub use options::{BasketGrouping, SequenceOptions};
pub use popularity::{Popularity, TargetEvent};
pub use trainer::{AdvanceOutcome, AdvanceStatus, SequenceTrainer};

#[cfg(test)]
mod tests;
