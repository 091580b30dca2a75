//! The pair classifier: a cross-encoder (Nogueira and Cho, arXiv 1901.04085) that reads what a shopper did and what an item says, and gives
//! the probability that the one leads to the other.
//!
//! Input of one pair, at most 128 tokens: the shopper's latest items and queries, newest first, framed as a query; the closing token; the
//! item's text, framed as a passage. The layers above [`PairOptions::upper_layers`] see both sides at once and train; those below are frozen.
//!
//! **Where the sides meet.** By default the frozen layers read each side by itself ([`Join::Upper`]), as in PreTTR (MacAvaney et al., SIGIR
//! 2020) and DeFormer (Cao et al., ACL 2020). Their output then depends on one text and not on the pair, so it is computed once per item and
//! once per history, over all epochs and in serving; where they read the pair as one text ([`Join::First`]), nothing can be kept but a pair
//! that comes again, and each pair costs all layers. On twelve layers with four that train this is a factor of two to three.
//!
//! **What the head reads.** By default ([`HeadKind::Pooled`]) the encoder's own pooling over each side: the sum of both, and their product
//! component by component. The encoders at hand pool by the mean; their first token was never trained to stand for a text, and the product
//! lets the head begin at the cosine of both sides, so that some hundred steps refine what the encoder knows instead of finding it again.
//! [`HeadKind::First`] is the linear layer on the first token.
//!
//! The way through: [`examples`] turns interactions into labelled rows, [`Form`] makes tokens of them, [`train()`] trains,
//! [`Scorer`] gives log-odds. Calibration and metrics are not done here.

pub mod examples;
mod form;
mod head;
mod layout;
mod options;
mod score;
mod train;
mod weights;

pub use form::Form;
pub use head::HeadKind;
pub use layout::{Join, LabelledPair, PairSet};
pub use options::{PairOptions, PairOutcome};
pub use score::Scorer;
pub use train::train;
pub use weights::{PairMeta, PairWeights};

#[cfg(test)]
mod tests;
