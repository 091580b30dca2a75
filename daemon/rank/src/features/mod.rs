//! The features of the learned ranker: each is declared once, in [`FEATURES`], with its unit, the signals it belongs to, how it is
//! computed as of a moment and how it is kept up to date. Training at a past cut-off and serving now call the same function.
//!
//! All are free of scale: shares of the shopper's or the window's maximum, logarithms and ratios; never raw counts, absolute
//! prices or dates. `NaN` is "missing".
mod scene;
mod table;

use serde::{Deserialize, Serialize};

use crate::catalogue::Catalogue;
use crate::memory::Memory;
use crate::shopper::Shopper;
use crate::sources::Columns;
use scene::{Case, Scene};
pub use table::FEATURES;

/// What a feature counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// 0 or 1.
    Flag,
    /// Natural logarithm of one plus a count.
    LogCount,
    /// Natural logarithm of one plus days.
    LogDays,
    /// Natural logarithm of a ratio.
    LogRatio,
    /// A share from 0 to 1, or its root.
    Share,
    /// Natural logarithm of a share of the list's maximum, from -6.9.
    LogShare,
    /// Natural logarithm of one plus the rank among the candidates, from 0.
    LogRank,
    /// Cosine.
    Cosine,
}

/// The kind of signal a feature stands for; an ablation leaves out one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// The shopper's own purchases of the item.
    Own,
    /// Views, clicks and carts.
    Intent,
    /// How much the item sells, and how that changes.
    Popularity,
    /// What others took who took the same.
    Collaborative,
    /// How often and how soon the item is bought again.
    Renewal,
    /// The same of its brand and category, and the shopper's share in them.
    Group,
    /// Its price against what the shopper pays.
    Price,
    /// Likeness of the texts.
    Text,
    /// The shopper as a whole: the same for all candidates.
    Shopper,
    /// The behaviour network.
    Sequence,
}

/// All signals.
pub const SIGNALS: [Signal; 10] = [
    Signal::Own,
    Signal::Intent,
    Signal::Popularity,
    Signal::Collaborative,
    Signal::Renewal,
    Signal::Group,
    Signal::Price,
    Signal::Text,
    Signal::Shopper,
    Signal::Sequence,
];

/// When a new interaction changes a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// At the shopper's next list: the log is read at each request.
    Read,
    /// Also by what others do: popularity with each event ([`Memory::observe`]), all counts at the next [`Memory::refresh`].
    Counted,
    /// As far as it depends on the shopper, at the next list; as far as it depends on others, at the next [`Memory::follow`], with weights as
    /// of the last fit.
    Followed,
    /// As far as it depends on the shopper, at the next list; as far as it depends on others, at the next [`Memory::fit`].
    Fitted,
}

/// One feature.
pub struct Feature {
    /// Its name; a ranker is bound to the names it was trained on.
    pub name: &'static str,
    /// What it counts in.
    pub unit: Unit,
    /// The signals it belongs to.
    pub signal: Signal,
    /// When a new interaction changes it.
    pub kept: Kept,
    value: fn(&Scene<'_>, &Case<'_>) -> f32,
}

/// Number of features.
pub(crate) const WIDTH: usize = FEATURES.len();

/// Features of the candidates, `candidates x WIDTH` row-major.
pub(crate) fn features(
    memory: &Memory,
    catalogue: &Catalogue,
    shopper: &Shopper,
    columns: &mut Columns<'_>,
    candidates: &[u32],
) -> Vec<f32> {
    let scene = Scene::of(memory, catalogue, shopper, columns, candidates);
    let mut out = Vec::with_capacity(candidates.len() * WIDTH);
    for (row, &item) in candidates.iter().enumerate() {
        let case = scene.case(row, item);
        out.extend(FEATURES.iter().map(|f| (f.value)(&scene, &case)));
    }
    out
}

/// Whether these are the names of [`FEATURES`], in their order.
pub fn are_current(names: &[String]) -> bool {
    names.iter().map(String::as_str).eq(FEATURES.iter().map(|f| f.name))
}

#[cfg(test)]
mod tests;
