//! State that all services share: the app, the shop in memory and its writer, caches, counters, guardrails,
//! configuration.

pub mod app;
pub mod artifacts;
pub mod buckets;
pub mod code_version;
pub mod config;
pub mod counters;
pub mod dense_ids;
pub mod erasure_times;
pub mod evaluation_files;
pub mod frequent_acts;
pub mod guardrails;
pub mod head_rescorer;
pub(crate) mod membership_documents;
pub mod mitigations;
pub mod moments;
pub mod personal_data;
pub mod privacy_ledger;
pub mod probabilities;
pub mod problems;
pub mod process;
pub mod report_cache;
pub mod run_documents;
pub mod run_slot;
pub mod sequence;
pub mod served_exposure;
pub mod served_log;
pub mod settings;
pub mod shop;
pub mod signing;
pub mod vector_cache;
pub mod write_order;
