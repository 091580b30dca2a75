//! Measurements without training a version: evaluation, prequential experiment, sweep, serving check.

pub mod bench;
pub mod contestant;
pub mod contestants;
pub mod documents;
pub mod evaluate;
pub mod explanations;
pub mod membership;
pub mod mercer;
pub mod prequential;
pub mod sequence;
pub mod serving_check;
pub mod shoppers;
pub mod slices;
pub mod summary;
pub mod sweep;
