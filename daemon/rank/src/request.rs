//! Requests for lists, and the ranked items that they return.
use serde::{Deserialize, Serialize};

use crate::ablation::Ablation;
use crate::mode::Mode;
use crate::source::Source;

/// Which items a list may hold with regard to all purchases in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Candidates {
    /// All items.
    #[default]
    All,
    /// Items with at least one purchase at or before the moment.
    Warm,
    /// Items without any.
    Cold,
}

/// A request for a list.
#[derive(Clone, Copy)]
pub struct RankRequest<'a> {
    /// Length.
    pub k: usize,
    /// With regard to the user's own purchases.
    pub mode: Mode,
    /// With regard to all purchases.
    pub candidates: Candidates,
    /// Items to leave out, ascending.
    pub exclude: &'a [u32],
    /// Filter of the caller: category, brand, price.
    pub allow: Option<&'a (dyn Fn(u32) -> bool + Sync)>,
    /// Leaves out items that are not in stock.
    pub in_stock_only: bool,
    /// Cold items are listed if they become available at or before this moment; `None` means the moment of the list. Lists
    /// that are evaluated on a window set the window's end: users of the window saw the items that arrived in it.
    pub arriving_by: Option<i64>,
    /// Signals that the list is made without, for a counterfactual.
    pub ablation: Ablation,
}

impl RankRequest<'_> {
    /// A plain request for `k` items of any kind.
    #[must_use]
    pub const fn new(k: usize) -> Self {
        Self {
            k,
            mode: Mode::All,
            candidates: Candidates::All,
            exclude: &[],
            allow: None,
            in_stock_only: false,
            arriving_by: None,
            ablation: Ablation::NONE,
        }
    }

    /// The same request for lists that are evaluated on purchases up to `end`: a list of cold items then also holds those that
    /// arrive by `end`. Most shops sell an item from the day on which they list it, so hardly any item is cold at a cut-off.
    #[must_use]
    pub fn for_window(self, end: i64) -> Self {
        Self { arriving_by: (self.candidates == Candidates::Cold).then_some(end), ..self }
    }
}

/// An item of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RankedItem {
    /// The item.
    pub item: u32,
    /// Its score; comparable within one list only.
    pub score: f32,
    /// What each source added, in the order of the blend's weights: they add up to the score. Empty where a ranker made the list, because its
    /// score is no sum of parts.
    pub parts: Vec<(Source, f32)>,
    /// Log-softmax of its score over all candidates, the input of calibration; `None` where no ranker scored it.
    #[serde(rename = "share")]
    pub log_softmax: Option<f32>,
}
