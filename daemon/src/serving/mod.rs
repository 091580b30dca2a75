//! The read path: lists, search, profiles and the status of the daemon.

pub mod explain;
pub mod explore;
pub(crate) mod going_out;
pub mod guarded;
pub mod interleave;
pub mod list_query;
#[cfg(test)]
mod mitigated_tests;
mod mitigation_notes;
pub(crate) mod mitigation_rules;
pub mod mitigations;
pub mod profile;
#[cfg(test)]
mod profiling_tests;
pub mod recommend;
pub(crate) mod rerank;
pub mod scorer;
pub mod search;
pub mod snapshot;
pub mod status;
pub mod user_export;
pub mod user_page;
