//! Measurements without training a version: evaluation, prequential experiment, sweep, serving check,
//! experiments on served lists.

pub mod bench;
pub mod contestant;
pub mod contestants;
pub mod counterfactual;
pub mod documents;
pub mod evaluate;
pub mod explanations;
pub mod interleaving;
pub mod membership;
pub mod mercer;
pub(crate) mod outcomes;
pub mod prequential;
pub mod sequence;
pub mod serving_check;
pub mod shoppers;
pub mod slices;
pub mod summary;
pub mod sweep;
