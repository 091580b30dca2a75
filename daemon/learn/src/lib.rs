//! Fine-tuning of the text encoder on a shop's own log: LoRA on the upper layers of a BERT-family checkpoint, trained to bring what shoppers
//! look for, or have, close to what they then take; and the pair classifier on top of the same graph.
//!
//! The way through: [`examples`] turns interactions into [`Pair`]s of texts, [`tune()`] trains, [`Adapter::changed`] gives the weights to
//! serve. Whether the result is better is not decided here.
//!
//! | module | what stands there |
//! |---|---|
//! | [`texts`], [`pairs`] | tokenised texts by number; anchor and positive |
//! | [`examples`] | interactions to pairs, replay of old pairs, placebo |
//! | [`ops`] | operators with their own backward pass |
//! | [`graph`], [`lora`] | the trainable encoder; adapters, their files and merging |
//! | [`cache`] | output of the frozen layers, computed once per text |
//! | [`losses`] | in-batch softmax, pull towards the base |
//! | [`behaviour`] | the behaviour network: what a shopper takes next |
//! | [`optim`], [`sampler`], [`checkpoint`] | AdamW, order of batches, resumable state |
//! | [`mod@tune`] | the run |
//! | [`pair_classifier`] | cross-encoder: behaviour and item to a probability; its own examples, run and scoring |
//!
//! # What is where when this grows
//! * DP fine-tuning: [`tune`](mod@tune) would clip per shopper where it now adds up pieces.

pub mod adalora;
pub mod behaviour;
pub mod cache;
pub mod checkpoint;
pub mod error;
pub mod examples;
mod files;
pub mod graph;
pub mod lora;
pub mod losses;
pub mod ops;
pub mod optim;
pub mod pair_classifier;
pub mod pairs;
pub mod sampler;
pub mod texts;
pub mod tune;

#[cfg(test)]
mod fixture;

pub use adalora::AdaLoraOptions;
pub use error::{LearnError, Result};
pub use graph::{Base, Encoder, Method, fingerprint};
pub use lora::{Adapter, LoraOptions, Targets};
pub use pairs::{Anchor, Known, Left, Pair};
pub use texts::{Frame, TextId, TextTable};
pub use tune::{
    CheckpointOptions, Hooks, Nothing, StepReport, Stopped, Teacher, TrainingSet, TuneOptions, TuneOutcome, tune,
    tune_taught,
};
