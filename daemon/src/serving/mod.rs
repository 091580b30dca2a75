//! The read path: lists, search, profiles and the status of the daemon.

pub mod explain;
pub mod guarded;
pub mod list_query;
pub mod profile;
#[cfg(test)]
mod profiling_tests;
pub mod recommend;
pub mod scorer;
pub mod search;
pub mod snapshot;
pub mod status;
pub mod user_export;
pub mod user_page;
