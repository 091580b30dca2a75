//! Reports on a version: quality, diversity, fairness, privacy. Lists are evaluated on what users took later. And one on the log: data.

pub(crate) mod data;
pub(crate) mod data_log;
#[cfg(test)]
mod data_tests;
pub(crate) mod difference;
pub mod diversity;
pub mod documents;
pub mod export;
pub mod fairness;
pub(crate) mod hashes;
pub(crate) mod history_length;
pub mod mitigation_price;
mod parameter_texts;
pub(crate) mod parameters;
pub(crate) mod price_rows;
mod privacy;
pub mod report;
pub mod rows;
pub(crate) mod stored;
pub mod window_lists;
pub mod window_scorer;
