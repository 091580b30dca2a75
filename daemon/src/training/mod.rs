//! The training cycle.

pub mod borders;
pub mod calibration;
pub mod component_selection;
pub mod contrastive_pairs;
pub mod cycle;
pub mod data_fingerprint;
pub mod encoder_choice;
pub mod encoder_tuning;
pub mod ranker_fit;
pub mod sequence_fit;
pub mod sequence_stages;
#[cfg(test)]
pub mod sequence_tests;
pub mod settle;
