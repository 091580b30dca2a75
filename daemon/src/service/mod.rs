//! What the daemon can do, as plain functions over [`crate::app::App`]: the only place where store, model, search, ranking,
//! learning and reports meet. Nothing here knows HTTP. All of it is synchronous; callers bring the thread.

pub mod admin;
pub mod canary;
pub mod evaluation;
pub mod find;
pub mod import;
pub mod ingest;
pub mod lists;
pub mod memory;
pub mod models;
pub mod pair;
pub mod profile;
pub mod reasons;
pub mod recommend;
pub mod report;
pub mod searches;
pub mod standing;
pub mod train;

use mercer_shared::problem::Problem;

/// What every service returns.
pub type Answer<T> = Result<T, Problem>;
