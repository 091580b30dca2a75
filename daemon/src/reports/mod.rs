//! Reports on a version: quality, diversity, fairness. Lists are evaluated on what users took later.

pub mod diversity;
pub mod fairness;
pub(crate) mod history_length;
pub mod report;
pub mod rows;
pub mod window_lists;
pub mod window_scorer;
