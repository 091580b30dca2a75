//! Exposure of groups of items (sellers, brands, categories, tail): parity, merit, attention against relevance
//! (METRICS.md section 4, item side).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::value::{Measure, Undefined};

pub use crate::attention::{Attention, ExposureModel, MeasuredAttention};

/// One served list for the item side: items by index and what the user found relevant (all of it, in the list or not).
#[derive(Clone, Copy, Debug)]
pub struct Served<'a> {
    /// Items by rank.
    pub list: &'a [u32],
    /// Relevant items of the user.
    pub relevant: &'a [u32],
}

/// Sums for one group of items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupExposure {
    /// Items of the group in the eligible catalogue.
    pub items: usize,
    /// Σ v(rank) over all lists.
    pub exposure: f64,
    /// Σ relevance over all users.
    pub relevance: f64,
    /// Σ v(rank) × relevance: expected clicks.
    pub gain: f64,
}

impl GroupExposure {
    /// Adds `weight` times the exposure, relevance and gain of `other`.
    pub(crate) fn add(&mut self, other: &Self, weight: f64) {
        self.exposure += weight * other.exposure;
        self.relevance += weight * other.relevance;
        self.gain += weight * other.gain;
    }
}

/// Exposure, relevance and click gain per group. `group_of[item]` is the group of each item of the eligible catalogue.
///
/// # Errors
/// [`Undefined::BadParameter`] for an item or group outside the tables.
pub fn group_exposure(
    served: &[Served<'_>],
    group_of: &[usize],
    groups: usize,
    attention: impl ExposureModel,
) -> Result<Vec<GroupExposure>, Undefined> {
    let mut sums = vec![GroupExposure::default(); groups];
    for &group in group_of {
        sums.get_mut(group).ok_or(Undefined::BadParameter)?.items += 1;
    }
    for one in served {
        for (group, own) in list_exposure(one, group_of, &attention)? {
            sums[group].add(&own, 1.0);
        }
    }
    Ok(sums)
}

/// What one list gives each group that it shows or that its user finds relevant, by group. `items` stays 0.
///
/// # Errors
/// [`Undefined::BadParameter`] for an item outside the catalogue.
pub fn list_exposure(
    one: &Served<'_>,
    group_of: &[usize],
    attention: &impl ExposureModel,
) -> Result<BTreeMap<usize, GroupExposure>, Undefined> {
    let group = |item: u32| group_of.get(item as usize).copied().ok_or(Undefined::BadParameter);
    let mut sums: BTreeMap<usize, GroupExposure> = BTreeMap::new();
    for (position, item) in one.list.iter().enumerate() {
        let sum = sums.entry(group(*item)?).or_default();
        sum.exposure += attention.at(position);
        if one.relevant.contains(item) {
            sum.gain += attention.at(position);
        }
    }
    for &item in one.relevant {
        sums.entry(group(item)?).or_default().relevance += 1.0;
    }
    Ok(sums)
}

fn ratio(top: f64, bottom: f64) -> Measure {
    if bottom > 0.0 { Ok(top / bottom) } else { Err(Undefined::ZeroDenominator) }
}

/// Demographic parity of exposure: (E_g / |g|) / (E_h / |h|) (Singh and Joachims 2018).
///
/// # Errors
/// [`Undefined::ZeroDenominator`] when a group is empty or h was never shown.
pub fn parity_ratio(g: &GroupExposure, h: &GroupExposure) -> Measure {
    ratio(ratio(g.exposure, g.items as f64)?, ratio(h.exposure, h.items as f64)?)
}

/// Disparate treatment ratio: mean exposure per mean relevance of g over that of h.
///
/// # Errors
/// [`Undefined::ZeroDenominator`] when a group is empty or without relevance, or h was never shown.
pub fn treatment_ratio(g: &GroupExposure, h: &GroupExposure) -> Measure {
    ratio(ratio(g.exposure, g.relevance)?, ratio(h.exposure, h.relevance)?)
}

/// Disparate impact ratio: as [`treatment_ratio`] with click gain in place of exposure.
///
/// # Errors
/// As [`treatment_ratio`].
pub fn impact_ratio(g: &GroupExposure, h: &GroupExposure) -> Measure {
    ratio(ratio(g.gain, g.relevance)?, ratio(h.gain, h.relevance)?)
}

/// Half the sum of absolute differences of two distributions, each normalised first.
///
/// # Errors
/// [`Undefined::LengthMismatch`], [`Undefined::ZeroDenominator`] when one sums to 0.
pub fn total_variation(left: &[f64], right: &[f64]) -> Measure {
    crate::value::same_length(left.len(), right.len())?;
    let (a, b) = (left.iter().sum::<f64>(), right.iter().sum::<f64>());
    if !(a > 0.0 && b > 0.0) {
        return Err(Undefined::ZeroDenominator);
    }
    Ok(0.5 * left.iter().zip(right).map(|(x, y)| (x / a - y / b).abs()).sum::<f64>())
}

/// What a group's share of the exposure is held against. It is declared, never guessed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "target")]
pub enum ExposureTarget {
    /// The group's share of the eligible items.
    Catalogue,
    /// The group's share of the relevance.
    Relevance,
    /// Shares that somebody decided on, one per group, that sum to 1.
    Policy {
        /// The shares.
        shares: Vec<f64>,
    },
}

/// Attention-weighted rank fairness (Sapiezynski 2019): the total variation between the groups' shares of exposure and the declared
/// target; 0 is on target, 1 the farthest.
///
/// # Errors
/// [`Undefined::LengthMismatch`] and [`Undefined::BadParameter`] for policy shares that do not fit the groups or do not sum to 1,
/// [`Undefined::ZeroDenominator`] when nothing was shown or nothing is relevant.
pub fn awrf(groups: &[GroupExposure], target: &ExposureTarget) -> Measure {
    let shares: Vec<f64> = groups.iter().map(|group| group.exposure).collect();
    let wanted: Vec<f64> = match target {
        ExposureTarget::Catalogue => groups.iter().map(|group| group.items as f64).collect(),
        ExposureTarget::Relevance => groups.iter().map(|group| group.relevance).collect(),
        ExposureTarget::Policy { shares } => {
            if shares.iter().any(|share| !(0.0..=1.0).contains(share))
                || (shares.iter().sum::<f64>() - 1.0).abs() > 1e-9
            {
                return Err(Undefined::BadParameter);
            }
            shares.clone()
        }
    };
    total_variation(&shares, &wanted)
}

/// Inequity of amortised attention (Biega 2018): Σ_i |A_i − R_i|, attention and relevance normalised to 1 per list, summed over lists.
///
/// # Errors
/// [`Undefined::NoObservations`] when no list has both items and relevance, [`Undefined::BadParameter`] for an unknown item.
pub fn amortised_inequity(served: &[Served<'_>], catalogue: usize, attention: impl ExposureModel) -> Measure {
    let mut debt = vec![0.0; catalogue];
    let mut used = 0_usize;
    for one in served.iter().filter(|one| !one.list.is_empty() && !one.relevant.is_empty()) {
        used += 1;
        let whole: f64 = (0..one.list.len()).map(|position| attention.at(position)).sum();
        for (position, &item) in one.list.iter().enumerate() {
            *debt.get_mut(item as usize).ok_or(Undefined::BadParameter)? += attention.at(position) / whole;
        }
        for &item in one.relevant {
            *debt.get_mut(item as usize).ok_or(Undefined::BadParameter)? -= 1.0 / one.relevant.len() as f64;
        }
    }
    if used == 0 { Err(Undefined::NoObservations) } else { Ok(debt.iter().map(|value| value.abs()).sum()) }
}

/// NDKL (Geyik 2019): Σ_i KL(share of groups in the first i ‖ target) / log2(i+1), over Σ_i 1/log2(i+1); 0 is on target.
///
/// # Errors
/// [`Undefined::ListTooShort`] for an empty list, [`Undefined::NoSupport`] when a shown group has target 0,
/// [`Undefined::BadParameter`] for an unknown group.
pub fn ndkl(groups_by_rank: &[usize], target: &[f64]) -> Measure {
    if groups_by_rank.is_empty() {
        return Err(Undefined::ListTooShort);
    }
    let whole: f64 = target.iter().sum();
    let mut seen = vec![0.0_f64; target.len()];
    let (mut sum, mut norm) = (0.0, 0.0);
    for (position, &group) in groups_by_rank.iter().enumerate() {
        *seen.get_mut(group).ok_or(Undefined::BadParameter)? += 1.0;
        if target[group] <= 0.0 {
            return Err(Undefined::NoSupport);
        }
        let n = (position + 1) as f64;
        let kl: f64 =
            seen.iter().zip(target).filter(|(s, _)| **s > 0.0).map(|(s, t)| s / n * (s / n / (t / whole)).ln()).sum();
        let weight = crate::accuracy::discount(position);
        sum += kl * weight;
        norm += weight;
    }
    Ok(sum / norm)
}
