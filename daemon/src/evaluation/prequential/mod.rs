//! The prequential experiment (METRICS.md section 7; `replay` on the wire): window after window, lists first, learning after.

mod arms;
mod encoders;
pub(crate) mod experiment;
mod lists;
mod words;

pub use experiment::show;
pub(crate) use experiment::{prepare, run};
