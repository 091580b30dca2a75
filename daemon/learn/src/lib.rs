//! Training with gradients on a shop's own log: contrastive fine-tuning of the text encoder (LoRA, AdaLoRA or full), the sequence model, and
//! the cross-encoder.
//!
//! The encoder's path: [`examples`] turns interactions into [`ContrastivePair`]s, [`tune()`] trains, [`Adapter::changed`] gives the weights to
//! serve. This crate does not judge whether the result is better.
//!
//! | module | contents |
//! |---|---|
//! | [`texts`], [`contrastive_pairs`] | tokenised texts by number; anchor, positive and hard negative |
//! | [`examples`] | interactions to pairs, experience replay, placebo |
//! | [`ops`] | operators with their own backward pass |
//! | [`graph`], [`lora`], [`adalora`] | the trainable encoder; adapters and their files |
//! | [`cache`] | output of the frozen layers, computed once per text |
//! | [`losses`] | in-batch softmax, margins of a teacher, pull towards the base, logistic loss |
//! | [`optim`], [`sampler`], [`checkpoint`], [`run`] | AdamW, batch order, resumable state, what all runs share |
//! | [`mod@tune`] | fine-tuning of the encoder |
//! | [`cross_encoder`] | history and item text to a probability; its own examples, training and scoring |
//! | [`private`] | differentially private fine-tuning of the encoder |
//! | [`sequence`] | the sequence model: what a user takes next |

pub mod adalora;
pub mod cache;
pub mod checkpoint;
pub mod contrastive_pairs;
pub mod cross_encoder;
pub mod error;
pub mod examples;
mod files;
pub mod graph;
pub mod lora;
pub mod losses;
mod micro_batch;
pub mod ops;
pub mod optim;
pub mod private;
pub mod run;
pub mod sampler;
pub mod sequence;
pub mod texts;
pub mod tune;

#[cfg(test)]
mod fixture;

pub use adalora::AdaLoraOptions;
pub use contrastive_pairs::{Anchor, ContrastivePair, HardNegative, KnownPositives};
pub use error::{LearnError, Result};
pub use graph::{BaseEncoder, Method, TunableEncoder, fingerprint};
pub use lora::{Adapter, LoraOptions, Targets};
pub use private::{CatalogueText, PrivacyLedger, PrivateOptions, PrivateSet, tune_privately};
pub use run::{CacheCounts, CheckpointOptions, Hooks, NothingToLearn, RunOutcome, StepReport, StopReason};
pub use texts::{TextId, TextTable, TextTemplate};
pub use tune::{Teacher, TeacherMargin, TrainingSet, TuneOptions, TuneOutcome, tune};
