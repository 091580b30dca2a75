//! Re-ranks the best candidates of a list by the mitigations of its placement. Which items are candidates is decided before: rules of
//! eligibility (filter, stock, mode) hold whatever is switched on here.
//!
//! One file per family; the arithmetic is that of `mercer_reports`. A re-ranker that cannot work on a list (a shopper without history, say)
//! leaves it as it is and says so.

mod apply;
mod exposure;
mod groups;
mod interests;
pub(crate) mod pool;
mod popularity;
mod quotas;
mod rows;
mod spread;
mod taste;
#[cfg(test)]
mod tests;

pub(crate) use apply::rerank;
pub(crate) use groups::group_of;
pub(crate) use pool::{Candidate, RerankContext};
pub(crate) use rows::mitigate;
