//! The prequential experiment (METRICS.md section 7; `replay` on the wire): for each window, lists first, learning
//! afterwards.

mod arms;
mod encoders;
pub(crate) mod experiment;
mod lists;
mod words;

pub use experiment::show;
pub(crate) use experiment::{prepare, run};
