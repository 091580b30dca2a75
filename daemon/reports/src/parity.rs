//! Gaps of decisions and ratings between groups: demographic parity, equal opportunity, Yao and Huang, generalised cross-entropy
//! (METRICS.md section 4).

use crate::gaps::{gap, min_over_max};
use crate::proportions::{Rate, RateDifference, newcombe, wilson};
use crate::value::{Measure, Undefined, same_length};

/// Rates of one event per group and their differences. A group in which the event cannot happen is undefined, not 0.
#[derive(Clone, Debug, PartialEq)]
pub struct RateGap {
    /// The rate per group.
    pub rates: Vec<Measure>,
    /// max − min over groups with a rate.
    pub difference: Measure,
    /// min / max over groups with a rate.
    pub ratio: Measure,
    /// Largest distance of a group's rate from the rate over everybody.
    pub to_overall: Measure,
    /// Hits and trials per group.
    pub counts: Vec<Rate>,
}

impl RateGap {
    /// Wilson interval of each group's rate.
    #[must_use]
    pub fn intervals(&self, level: f64) -> Vec<Result<(f64, f64), Undefined>> {
        self.counts.iter().map(|rate| wilson(rate.hits, rate.trials, level)).collect()
    }

    /// Newcombe's interval of the difference between the groups with the highest and the lowest rate.
    ///
    /// With more than two groups the choice of the extremes is not in the interval: the permutation noise floor is.
    ///
    /// # Errors
    /// [`Undefined::NoGroups`] below two groups with a rate.
    pub fn difference_interval(&self, level: f64) -> Result<RateDifference, Undefined> {
        let with_rate = || self.counts.iter().filter(|rate| rate.trials > 0);
        let by_rate = |a: &&Rate, b: &&Rate| (a.hits * b.trials).cmp(&(b.hits * a.trials));
        let (Some(high), Some(low)) = (with_rate().max_by(by_rate), with_rate().min_by(by_rate)) else {
            return Err(Undefined::NoGroups);
        };
        if with_rate().count() < 2 {
            return Err(Undefined::NoGroups);
        }
        newcombe(*high, *low, level)
    }
}

fn rate_gap(hits: &[u64], trials: &[u64]) -> RateGap {
    let rate = |hits: u64, trials: u64| match trials {
        0 => Err(Undefined::NoObservations),
        trials => Ok(hits as f64 / trials as f64),
    };
    let rates: Vec<Measure> = hits.iter().zip(trials).map(|(h, t)| rate(*h, *t)).collect();
    let defined: Vec<f64> = rates.iter().filter_map(|rate| rate.ok()).collect();
    let overall = rate(hits.iter().sum(), trials.iter().sum());
    let to_overall = overall.map(|all| defined.iter().map(|one| (one - all).abs()).fold(0.0, f64::max));
    let counts = hits.iter().zip(trials).map(|(hits, trials)| Rate { hits: *hits, trials: *trials }).collect();
    RateGap { difference: gap(&defined), ratio: min_over_max(&defined), rates, to_overall, counts }
}

fn count(groups: &[usize], n: usize, event: impl Fn(usize) -> bool) -> Vec<u64> {
    let mut counts = vec![0; n];
    for (index, group) in groups.iter().enumerate() {
        counts[*group] += u64::from(event(index));
    }
    counts
}

/// Selection rate per group: the share that got the beneficial outcome. For discounts and premium slots, not for taste.
///
/// # Errors
/// [`Undefined::LengthMismatch`].
pub fn demographic_parity(selected: &[bool], groups: &[usize]) -> Result<RateGap, Undefined> {
    same_length(selected.len(), groups.len())?;
    let n = groups.iter().max().map_or(0, |last| last + 1);
    Ok(rate_gap(&count(groups, n, |i| selected[i]), &count(groups, n, |_| true)))
}

/// True positive rate per group: the share of the interested that got the outcome.
///
/// # Errors
/// [`Undefined::LengthMismatch`].
pub fn equal_opportunity(interested: &[bool], selected: &[bool], groups: &[usize]) -> Result<RateGap, Undefined> {
    same_length(selected.len(), groups.len())?;
    same_length(interested.len(), groups.len())?;
    let n = groups.iter().max().map_or(0, |last| last + 1);
    Ok(rate_gap(&count(groups, n, |i| selected[i] && interested[i]), &count(groups, n, |i| interested[i])))
}

/// One rating: who, what, and what was predicted and true.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatedItem {
    /// The item, as an index.
    pub item: usize,
    /// Whether the user belongs to the group that is looked at.
    pub in_group: bool,
    /// Predicted rating.
    pub predicted: f64,
    /// Given rating.
    pub actual: f64,
}

/// The five unfairness figures of Yao and Huang (2017), means over items that both sides rated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unfairness {
    /// | signed error of g − signed error of ¬g |.
    pub value: f64,
    /// | absolute error of g − absolute error of ¬g |.
    pub absolute: f64,
    /// As value, only underestimation.
    pub under: f64,
    /// As value, only overestimation.
    pub over: f64,
    /// | mean prediction of g − mean prediction of ¬g |, over all ratings.
    pub non_parity: f64,
    /// Items used.
    pub items: usize,
    /// Items that one side never rated.
    pub skipped: usize,
}

/// Computes [`Unfairness`].
///
/// # Errors
/// [`Undefined::NoGroups`] when no item was rated by both sides.
pub fn unfairness(ratings: &[RatedItem]) -> Result<Unfairness, Undefined> {
    let items = ratings.iter().map(|rating| rating.item + 1).max().unwrap_or(0);
    // Per item and side: count, predicted, actual.
    let mut sums = vec![[[0.0_f64; 3]; 2]; items];
    let mut sides = [[0.0_f64; 2]; 2];
    for rating in ratings {
        let side = usize::from(rating.in_group);
        for (sum, value) in sums[rating.item][side].iter_mut().zip([1.0, rating.predicted, rating.actual]) {
            *sum += value;
        }
        sides[side][0] += 1.0;
        sides[side][1] += rating.predicted;
    }
    let (mut total, mut used, mut skipped) = ([0.0_f64; 4], 0_usize, 0_usize);
    for item in sums.iter().filter(|item| item[0][0] + item[1][0] > 0.0) {
        if item[0][0] == 0.0 || item[1][0] == 0.0 {
            skipped += 1;
            continue;
        }
        used += 1;
        let error = |side: usize| (item[side][1] - item[side][2]) / item[side][0];
        let (other, own) = (error(0), error(1));
        total[0] += (own - other).abs();
        total[1] += (own.abs() - other.abs()).abs();
        total[2] += ((-own).max(0.0) - (-other).max(0.0)).abs();
        total[3] += (own.max(0.0) - other.max(0.0)).abs();
    }
    if used == 0 {
        return Err(Undefined::NoGroups);
    }
    let n = used as f64;
    Ok(Unfairness {
        value: total[0] / n,
        absolute: total[1] / n,
        under: total[2] / n,
        over: total[3] / n,
        non_parity: (sides[1][1] / sides[1][0] - sides[0][1] / sides[0][0]).abs(),
        items: used,
        skipped,
    })
}

/// Generalised cross-entropy of the model's benefit shares from declared target shares (Deldjoo): at most 0, and 0 on target.
///
/// # Errors
/// [`Undefined::LengthMismatch`], [`Undefined::BadParameter`] for β in {0, 1}, [`Undefined::NoSupport`] where a share must be
/// positive and is not, [`Undefined::ZeroDenominator`] when one side sums to 0.
pub fn generalised_cross_entropy(benefit: &[f64], target: &[f64], beta: f64) -> Measure {
    same_length(benefit.len(), target.len())?;
    if beta == 0.0 || beta == 1.0 || !beta.is_finite() {
        return Err(Undefined::BadParameter);
    }
    let (b, t) = (benefit.iter().sum::<f64>(), target.iter().sum::<f64>());
    if !(b > 0.0 && t > 0.0) {
        return Err(Undefined::ZeroDenominator);
    }
    let mut sum = 0.0;
    for (model, fair) in benefit.iter().zip(target) {
        let (model, fair) = (model / b, fair / t);
        if (beta < 0.0 && fair <= 0.0) || (beta > 1.0 && model <= 0.0) {
            return Err(Undefined::NoSupport);
        }
        sum += fair.powf(beta) * model.powf(1.0 - beta);
    }
    Ok((sum - 1.0) / (beta * (1.0 - beta)))
}
