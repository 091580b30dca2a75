//! Reports on a version: quality, diversity, fairness, privacy, data. Lists are evaluated on what users took later.

pub(crate) mod before;
pub(crate) mod concentration;
pub(crate) mod consent_basis;
pub(crate) mod data;
pub(crate) mod data_log;
#[cfg(test)]
mod data_tests;
pub(crate) mod difference;
pub mod diversity;
pub mod documents;
pub(crate) mod evaluated;
pub mod export;
pub(crate) mod exposure_curve;
pub mod fairness;
pub(crate) mod group_difference;
pub(crate) mod group_members;
pub(crate) mod hashes;
pub(crate) mod health;
pub(crate) mod history_groups;
pub(crate) mod history_length;
pub(crate) mod impressions;
pub(crate) mod item_side;
pub(crate) mod list_facts;
pub mod mitigation_price;
mod older_reports;
mod parameter_texts;
pub(crate) mod parameters;
pub(crate) mod price_groups;
pub(crate) mod price_rows;
mod privacy;
pub(crate) mod quality;
pub mod report;
pub(crate) mod rounding;
pub mod rows;
pub mod served_exposure;
pub(crate) mod shoppers;
pub(crate) mod stored;
pub(crate) mod user_groups;
pub mod window_lists;
pub mod window_scorer;

#[cfg(test)]
mod tests;
