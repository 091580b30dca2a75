//! The cross-encoder (Nogueira and Cho, arXiv 1901.04085): reads a user's history and an item's text together and gives the probability that
//! the user takes the item. Stored files call it `pair`.
//!
//! The input has at most 128 tokens: the user's latest items and queries, newest first, in the query template; the closing token; the item's
//! text in the passage template. The last [`CrossEncoderOptions::upper_layers`] layers see both sides at once and train; the layers below are
//! frozen.
//!
//! **Where the sides meet.** By default the frozen layers read each side alone ([`Join::Upper`]), as in PreTTR (MacAvaney et al., SIGIR 2020)
//! and DeFormer (Cao et al., ACL 2020). Their output then depends on one text, so it is computed once per item and once per history, in all
//! epochs and in serving. With [`Join::First`] the frozen layers read the pair as one text, so nothing can be reused and every pair costs all
//! layers. With four trainable layers of twelve, `Upper` is two to three times as fast.
//!
//! **What the head reads.** By default ([`HeadKind::Pooled`]) the encoder's own pooling over each side: the sum of both, and their product
//! component by component. The encoders in use pool by the mean, and their first token was never trained to represent a text. The product
//! lets the head start at the cosine of both sides, so that some hundred steps refine what the encoder knows. [`HeadKind::First`] is the
//! linear layer on the first token.
//!
//! Order of use: [`examples`] turns interactions into labelled examples, [`PairTemplate`] builds their tokens, [`train()`] trains,
//! [`CrossEncoder`] scores. Calibration and metrics are computed elsewhere.

pub mod examples;
mod head;
mod layout;
mod options;
mod score;
mod template;
mod train;
mod weights;

pub use head::{HeadKind, HeadWeights};
pub use layout::{Join, LabelledPair, LabelledPairs};
pub use options::{CrossEncoderOptions, CrossEncoderOutcome};
pub use score::CrossEncoder;
pub use template::PairTemplate;
pub use train::train;
pub use weights::{CrossEncoderMeta, CrossEncoderWeights};

#[cfg(test)]
mod tests;
