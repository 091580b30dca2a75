//! Exposure of groups of items (sellers, brands, categories, tail): parity, merit, attention against relevance
//! (METRICS.md section 4, item side).

use serde::{Deserialize, Serialize};

use crate::value::{Measure, Undefined, Value};

/// How much attention a rank gets: v(rank). The default is logarithmic; every finding is checked under another one as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "model")]
pub enum Attention {
    /// 1 / log2(1 + rank).
    #[default]
    Logarithmic,
    /// Rank-biased precision: p^(rank−1) (Moffat and Zobel 2008), p = 0.85 by default.
    Rbp {
        /// Probability to look at the next rank.
        persistence: f64,
    },
    /// Every rank counts 1.
    Uniform,
}

impl Attention {
    /// Attention of a position counted from 0.
    #[must_use]
    pub fn at(self, position: usize) -> f64 {
        match self {
            Self::Logarithmic => crate::accuracy::discount(position),
            Self::Rbp { persistence } => persistence.powi(i32::try_from(position).unwrap_or(i32::MAX)),
            Self::Uniform => 1.0,
        }
    }
}

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

/// Exposure, relevance and click gain per group. `group_of[item]` is the group of each item of the eligible catalogue.
///
/// # Errors
/// [`Undefined::BadParameter`] for an item or group outside the tables.
pub fn group_exposure(
    served: &[Served<'_>],
    group_of: &[usize],
    groups: usize,
    attention: Attention,
) -> Result<Vec<GroupExposure>, Undefined> {
    let mut sums = vec![GroupExposure::default(); groups];
    for &group in group_of {
        sums.get_mut(group).ok_or(Undefined::BadParameter)?.items += 1;
    }
    let group = |item: u32| group_of.get(item as usize).copied().ok_or(Undefined::BadParameter);
    for one in served {
        for (position, item) in one.list.iter().enumerate() {
            let sum = &mut sums[group(*item)?];
            sum.exposure += attention.at(position);
            if one.relevant.contains(item) {
                sum.gain += attention.at(position);
            }
        }
        for &item in one.relevant {
            sums[group(item)?].relevance += 1.0;
        }
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

/// Inequity of amortised attention (Biega 2018): Σ_i |A_i − R_i|, attention and relevance normalised to 1 per list, summed over lists.
///
/// # Errors
/// [`Undefined::NoObservations`] when no list has both items and relevance, [`Undefined::BadParameter`] for an unknown item.
pub fn amortised_inequity(served: &[Served<'_>], catalogue: usize, attention: Attention) -> Measure {
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

/// A ratio under two attention models, and whether the finding survives the change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobustRatio {
    /// Under the configured model.
    pub value: Value,
    /// Under the other model.
    pub other: Value,
    /// True when one says "more" (above 1) and the other "less": to be printed as "depends on exposure model".
    pub depends_on_exposure_model: bool,
}

/// The two groups of a ratio, by index.
#[derive(Clone, Copy, Debug)]
pub struct GroupPair {
    /// The group above the line.
    pub group: usize,
    /// The group below the line.
    pub reference: usize,
}

/// The two attention models of a [`RobustRatio`].
#[derive(Clone, Copy, Debug)]
pub struct AttentionPair {
    /// The configured model.
    pub configured: Attention,
    /// The model that the finding is checked under.
    pub other: Attention,
}

/// Computes a ratio of two groups under both attention models.
///
/// # Errors
/// As [`group_exposure`]; an undefined ratio is a value, not an error.
pub fn robust_ratio(
    served: &[Served<'_>],
    group_of: &[usize],
    groups: GroupPair,
    models: AttentionPair,
    of: impl Fn(&GroupExposure, &GroupExposure) -> Measure,
) -> Result<RobustRatio, Undefined> {
    let GroupPair { group, reference } = groups;
    let count = group.max(reference).max(group_of.iter().copied().max().unwrap_or(0)) + 1;
    let under = |model| group_exposure(served, group_of, count, model).map(|sums| of(&sums[group], &sums[reference]));
    let (first, second) = (under(models.configured)?, under(models.other)?);
    let flips = matches!((first, second), (Ok(a), Ok(b)) if (a - 1.0) * (b - 1.0) < 0.0);
    Ok(RobustRatio { value: first.into(), other: second.into(), depends_on_exposure_model: flips })
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
