//! Ranking-based statistical parity and equal opportunity (Zhu et al. 2020; METRICS.md section 4: RSP and REO).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::proportions::{Rate, wilson};
use crate::resample::Interval;
use crate::value::{Measure, Undefined, Value};

/// One list for [`ranking_parity`].
#[derive(Clone, Copy, Debug)]
pub struct RankedUser<'a> {
    /// Items by rank, cut at k.
    pub list: &'a [u32],
    /// Relevant items.
    pub relevant: &'a [u32],
    /// Items that could not be listed (already bought).
    pub excluded: &'a [u32],
}

/// A rate per group and how uneven the groups are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnevenRates {
    /// Population standard deviation over mean of the defined rates; 0 is even.
    pub value: Value,
    /// Rate per group; a group with nothing to rank is undefined and left out.
    pub rates: Vec<Value>,
    /// Wilson interval per group.
    pub intervals: Vec<Option<Interval>>,
    /// Groups with a rate.
    pub n_used: usize,
}

/// RSP and REO.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankingParity {
    /// RSP: P(ranked in the top k | group).
    pub statistical_parity: UnevenRates,
    /// REO: P(ranked in the top k | group, relevant).
    pub equal_opportunity: UnevenRates,
}

fn uneven(rates: &[Rate], level: f64) -> UnevenRates {
    let rate = |rate: &Rate| match rate.trials {
        0 => Err(Undefined::NoObservations),
        trials => Ok(rate.hits as f64 / trials as f64),
    };
    let interval = |rate: &Rate| {
        let bounds = wilson(rate.hits, rate.trials, level).ok();
        bounds.map(|(low, high)| Interval { low, high, level, replicates: 0 })
    };
    let values: Vec<Measure> = rates.iter().map(rate).collect();
    let defined: Vec<f64> = values.iter().filter_map(|value| value.ok()).collect();
    UnevenRates {
        value: relative_spread(&defined).into(),
        rates: values.into_iter().map(Value::from).collect(),
        intervals: rates.iter().map(interval).collect(),
        n_used: defined.len(),
    }
}

fn relative_spread(rates: &[f64]) -> Measure {
    if rates.len() < 2 {
        return Err(Undefined::NoGroups);
    }
    let centre = crate::value::mean(rates)?;
    if centre == 0.0 {
        return Err(Undefined::ZeroDenominator);
    }
    let variance = rates.iter().map(|rate| (rate - centre).powi(2)).sum::<f64>() / rates.len() as f64;
    Ok(variance.sqrt() / centre)
}

/// RSP and REO over groups of items. Candidates of a user are all eligible items but the excluded ones.
///
/// # Errors
/// [`Undefined::BadParameter`] for an unknown item or group, or a listed item that was excluded.
pub fn ranking_parity(
    users: &[RankedUser<'_>],
    group_of: &[usize],
    groups: usize,
    level: f64,
) -> Result<RankingParity, Undefined> {
    let mut items = vec![0_u64; groups];
    for &group in group_of {
        *items.get_mut(group).ok_or(Undefined::BadParameter)? += 1;
    }
    let group = |item: u32| group_of.get(item as usize).copied().ok_or(Undefined::BadParameter);
    let empty = Rate { hits: 0, trials: 0 };
    let (mut shown, mut found) = (vec![empty; groups], vec![empty; groups]);
    for user in users {
        let sets =
            [user.list, user.relevant, user.excluded].map(|items| items.iter().copied().collect::<BTreeSet<u32>>());
        let [list, relevant, excluded] = &sets;
        if !list.is_disjoint(excluded) {
            return Err(Undefined::BadParameter);
        }
        shown.iter_mut().zip(&items).for_each(|(rate, items)| rate.trials += items);
        for &item in excluded {
            shown[group(item)?].trials -= 1;
        }
        for &item in list {
            shown[group(item)?].hits += 1;
        }
        for &item in relevant.difference(excluded) {
            let rate = &mut found[group(item)?];
            rate.trials += 1;
            rate.hits += u64::from(list.contains(&item));
        }
    }
    Ok(RankingParity { statistical_parity: uneven(&shown, level), equal_opportunity: uneven(&found, level) })
}
