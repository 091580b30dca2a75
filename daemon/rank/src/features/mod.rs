//! The features of the ranker. Each is declared once, in [`FEATURES`], with its unit, its signal, its value as of a moment and when a new
//! interaction changes it. Training at a past cut-off and serving now call the same function.
//!
//! Features do not depend on the size of the shop: they are shares of the user's or the window's maximum, logarithms and ratios; never
//! raw counts, absolute prices or dates. `NaN` means "missing".
mod context;
mod feature;
mod left_out;
mod row;
mod table;
#[cfg(test)]
mod tests;

pub use feature::{Feature, FeatureUnit, Freshness};
pub use row::are_current_features;
pub(crate) use row::{WIDTH, features};
pub use table::FEATURES;
