//! The gate: decides whether a candidate is better than the serving version and not worse than the baselines.

pub mod alpha_ledger;
pub mod baselines;
pub mod decide;
pub mod eval_context;
pub mod evaluate;
pub mod guardrails;
pub mod holdout;
pub mod incumbent;
#[cfg(test)]
pub mod null_gate;
pub mod objectives;
pub mod policy;
pub mod probability_metrics;
pub mod search_queries;
pub mod version_config;
