//! The training cycle; `cycle::run` lists its steps.

mod balance;
pub mod borders;
pub mod calibration;
pub mod comparison;
pub mod component_fit;
pub mod component_selection;
pub mod components;
pub mod contrastive_pairs;
pub mod cycle;
pub mod data_fingerprint;
#[cfg(test)]
mod due_fit_tests;
pub mod encoder_choice;
pub mod encoder_fit;
pub mod encoder_tuning;
#[cfg(test)]
mod erasure_tests;
pub mod incumbent_refit;
pub mod prepare;
pub mod private_pairs;
pub mod private_tuning;
pub mod ranker_fit;
pub mod sequence_fit;
pub mod sequence_stages;
#[cfg(test)]
pub mod sequence_tests;
pub mod write_version;
