//! Exposure floors and caps per seller or brand, met over a rolling window of lists (amortised; Biega 2018, Singh and Joachims 2018).

use serde::{Deserialize, Serialize};

use crate::attention::Attention;

use super::candidates::{RerankError, Reranked, unit};
use super::ordered::{Bid, Ordered, highest};

/// How much exposure each group shall get at least and at most, as shares of all exposure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExposureBounds {
    floors: Vec<f64>,
    caps: Vec<f64>,
    window: f64,
    strength: f64,
}

impl ExposureBounds {
    /// `floors` and `caps` have one share per group, `window` is in lists, `strength` is what one list of debt adds to a score.
    ///
    /// # Errors
    /// [`RerankError::Length`], [`RerankError::Parameter`] for a share outside [0, 1], a window below 1 or a strength that is not
    /// positive; [`RerankError::Conflict`] for floors that sum to more than 1, caps that sum to less, or a floor above its cap.
    pub fn new(floors: Vec<f64>, caps: Vec<f64>, window: f64, strength: f64) -> Result<Self, RerankError> {
        if floors.len() != caps.len() {
            return Err(RerankError::Length { input: "caps", expected: floors.len(), found: caps.len() });
        }
        floors.iter().try_for_each(|share| unit("a floor", *share))?;
        caps.iter().try_for_each(|share| unit("a cap", *share))?;
        if !(window >= 1.0 && window.is_finite()) {
            return Err(RerankError::Parameter { name: "window", value: window, range: "at least one list" });
        }
        if !(strength > 0.0 && strength.is_finite()) {
            return Err(RerankError::Parameter { name: "strength", value: strength, range: "positive" });
        }
        let (least, most) = (floors.iter().sum::<f64>(), caps.iter().sum::<f64>());
        if least > 1.0 + 1e-9 {
            return Err(RerankError::Conflict(format!("the floors sum to {least}, more than all exposure")));
        }
        if !caps.is_empty() && most < 1.0 - 1e-9 {
            return Err(RerankError::Conflict(format!("the caps sum to {most}, less than all exposure")));
        }
        if let Some(group) = (0..floors.len()).find(|group| floors[*group] > caps[*group]) {
            return Err(RerankError::Conflict(format!("the floor of group {group} is above its cap")));
        }
        Ok(Self { floors, caps, window, strength })
    }

    /// Number of groups.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.floors.len()
    }
}

/// Exposure that each group got, older lists counting less: a list counts (1 − 1/window) of the one after it.
///
/// A list's exposure is 1 in all, so figures are in lists. The ledger holds no user and no item.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExposureLedger {
    exposure: Vec<f64>,
    lists: f64,
}

impl ExposureLedger {
    /// An empty ledger.
    #[must_use]
    pub fn new(groups: usize) -> Self {
        Self { exposure: vec![0.0; groups], lists: 0.0 }
    }

    /// A ledger of exposure that was summed up elsewhere, in lists: per group, and of all groups.
    #[must_use]
    pub const fn of_totals(exposure: Vec<f64>, lists: f64) -> Self {
        Self { exposure, lists }
    }

    /// What a group lacks (positive) or has too much (negative), in lists; 0 between floor and cap.
    #[must_use]
    pub fn debt(&self, bounds: &ExposureBounds, group: usize) -> f64 {
        debt(bounds, group, self.exposure.get(group).copied().unwrap_or(0.0), self.lists)
    }

    /// Counts a list as it was served, given the group on each rank. Groups new to the ledger are added; an empty list counts nothing.
    pub fn record(&mut self, bounds: &ExposureBounds, groups_by_rank: &[usize], model: Attention) {
        let whole: f64 = (0..groups_by_rank.len()).map(|rank| model.at(rank)).sum();
        if whole <= 0.0 {
            return;
        }
        let groups = groups_by_rank.iter().map(|group| group + 1).max().unwrap_or(0).max(bounds.groups());
        self.exposure.resize(groups.max(self.exposure.len()), 0.0);
        let keep = 1.0 - 1.0 / bounds.window;
        self.exposure.iter_mut().for_each(|exposure| *exposure *= keep);
        self.lists = self.lists * keep + 1.0;
        for (rank, group) in groups_by_rank.iter().enumerate() {
            self.exposure[*group] += model.at(rank) / whole;
        }
    }
}

fn debt(bounds: &ExposureBounds, group: usize, exposure: f64, lists: f64) -> f64 {
    let (floor, cap) = (bounds.floors[group] * lists, bounds.caps[group] * lists);
    (floor - exposure).max(0.0) - (exposure - cap).max(0.0)
}

/// Fills the ranks from the top: score + strength × debt, where the debt counts this list as far as it is filled.
pub(super) fn amortised(
    candidates: &Ordered<'_>,
    bounds: &ExposureBounds,
    ledger: &ExposureLedger,
    model: Attention,
    k: usize,
) -> Result<Reranked, RerankError> {
    let queues = candidates.queues(bounds.groups())?;
    let size = k.min(candidates.len());
    let whole: f64 = (0..size).map(|rank| model.at(rank)).sum();
    let keep = 1.0 - 1.0 / bounds.window;
    let mut exposure: Vec<f64> =
        (0..bounds.groups()).map(|group| ledger.exposure.get(group).copied().unwrap_or(0.0) * keep).collect();
    let lists = ledger.lists * keep + 1.0;
    let mut taken = vec![0_usize; bounds.groups()];
    let live: Vec<usize> = (0..queues.len()).filter(|group| !queues[*group].is_empty()).collect();
    let groups = candidates.groups(bounds.groups())?;
    let mut list = Reranked::default();
    while list.order.len() < size {
        let bid = |group: &usize| {
            let place = *queues[*group].get(taken[*group])?;
            let owed = debt(bounds, *group, exposure[*group], lists);
            Some(Bid { value: candidates.scores[place] + bounds.strength * owed, place })
        };
        let Some(bid) = highest(live.iter().filter_map(bid)) else { break };
        let group = groups[bid.place];
        exposure[group] += model.at(list.order.len()) / whole;
        taken[group] += 1;
        list.order.push(bid.place);
        list.gains.push(bid.value);
    }
    list.by_rule = list.order.len();
    Ok(list)
}
