//! The life of a run: plan, budget, progress, record.

pub mod budget;
pub mod context;
pub mod curve;
pub mod labelled_log;
pub mod lifecycle;
pub mod plan;
pub mod record;
