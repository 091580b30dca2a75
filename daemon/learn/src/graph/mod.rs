//! The trainable graph of a BERT-family encoder (Devlin et al., arXiv 1810.04805) on packed texts.
//!
//! Layers below `split` are frozen and never part of a gradient; [`crate::cache`] keeps their output per text. Layers from `split` on carry
//! adapters ([`Method::Lora`], [`Method::AdaLora`]) or train themselves ([`Method::Full`]). Embeddings are always frozen: optimiser moments
//! for a whole vocabulary would cost more than everything else. The encoder's own dropout stays off; otherwise frozen output could not be
//! cached.
//!
//! The cross-encoder is this graph with one more linear layer on top of [`TunableEncoder::states`].

mod base;
mod build;
mod encoder;
mod layer;
mod method;

pub use base::{BaseEncoder, fingerprint};
pub(crate) use encoder::unit_rows;
pub use encoder::{PackedStates, TunableEncoder};
pub use layer::Layer;
pub use method::Method;

#[cfg(test)]
mod tests;
