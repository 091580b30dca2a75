//! Who is pushed to hits, and how what is recommended differs from what was learned on: average popularity per user group, item bias and
//! user bias (Evidently's names; RecBole and elliot have the parts).

use crate::novelty::average_popularity;
use crate::resample::{Interval, bootstrap_mean};
use crate::value::{Measure, Undefined, Value, mean, same_length};

/// Popularity of the lists of one user group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupPopularity {
    /// Users of the group with a list.
    pub users: usize,
    /// Average recommendation popularity (ARP): the mean over users of the mean popularity of their list.
    pub lists: Value,
    /// Interval of `lists` over users; `None` below two users.
    pub interval: Option<Interval>,
    /// The same of the histories of those of the users who have one.
    pub histories: Value,
    /// Popularity lift (ARP of lists − ARP of histories) / ARP of histories over users with both (Abdollahpouri 2019); above 0 the group
    /// is pushed to hits.
    pub lift: Value,
    /// Interval of the lift over users; `None` where the lift is undefined or too few replicates have one.
    pub lift_interval: Option<Interval>,
}

/// Lists, histories and groups of the same users.
#[derive(Clone, Copy, Debug)]
pub struct UserLists<'a> {
    /// List of each user, items by index; empty where there was none.
    pub lists: &'a [Vec<u32>],
    /// History of each user.
    pub histories: &'a [Vec<u32>],
    /// Group of each user, from 0.
    pub group_of: &'a [usize],
}

/// Average popularity, its change against the histories, and intervals for each user group. `popularity` counts distinct users per item
/// over the trailing 90 days before the lists (divide by the number of users for Evidently's normalised figure). Users without list are
/// left out of `lists` and of `lift`; the lift uses users who have both.
///
/// # Errors
/// [`Undefined::LengthMismatch`], [`Undefined::BadParameter`] for an item outside `popularity` or a group outside `groups`.
pub fn popularity_by_group(
    users: UserLists<'_>,
    popularity: &[f64],
    groups: usize,
    replicates: usize,
    seed: u64,
) -> Result<Vec<GroupPopularity>, Undefined> {
    same_length(users.lists.len(), users.group_of.len())?;
    same_length(users.histories.len(), users.group_of.len())?;
    if users.group_of.iter().any(|group| *group >= groups) {
        return Err(Undefined::BadParameter);
    }
    let one = |items: &Vec<u32>| match average_popularity(&[items], popularity) {
        Ok(value) => Ok(Some(value)),
        Err(Undefined::NoObservations) => Ok(None),
        Err(other) => Err(other),
    };
    let shown: Vec<Option<f64>> = users.lists.iter().map(one).collect::<Result<_, _>>()?;
    let had: Vec<Option<f64>> = users.histories.iter().map(one).collect::<Result<_, _>>()?;
    let of_group = |group: usize| {
        let members = || (0..shown.len()).filter(|user| users.group_of[*user] == group);
        let lists: Vec<f64> = members().filter_map(|user| shown[user]).collect();
        let histories: Vec<f64> = members().filter_map(|user| had[user]).collect();
        let both: Vec<(f64, f64)> = members().filter_map(|user| Some((shown[user]?, had[user]?))).collect();
        let lift = lift(&both, &vec![1; both.len()]);
        let interval = |lift: f64| {
            let sample = crate::bootstrap_statistic(both.len(), replicates, seed, |weights| self::lift(&both, weights));
            crate::resample::percentile_interval(&sample, 0.95).ok().filter(|i| i.low <= lift && lift <= i.high)
        };
        GroupPopularity {
            users: lists.len(),
            lists: mean(&lists).into(),
            interval: bootstrap_mean(&lists, 0.95, replicates, seed).ok().map(|(_, i)| i).filter(|_| lists.len() > 1),
            histories: mean(&histories).map_err(|_| Undefined::NoHistory).into(),
            lift: lift.into(),
            lift_interval: lift.ok().filter(|_| both.len() > 1).and_then(interval),
        }
    };
    Ok((0..groups).map(of_group).collect())
}

fn lift(both: &[(f64, f64)], weights: &[u32]) -> Measure {
    let (mut now, mut before) = (0.0, 0.0);
    for ((list, history), weight) in both.iter().zip(weights) {
        now += f64::from(*weight) * list;
        before += f64::from(*weight) * history;
    }
    if both.is_empty() {
        Err(Undefined::NoHistory)
    } else if before == 0.0 {
        Err(Undefined::ZeroDenominator)
    } else {
        Ok((now - before) / before)
    }
}

/// One value of an attribute: its share of what the model learned on and of what it recommends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShareChange {
    /// Share in the training data.
    pub training: f64,
    /// Share in the recommendations.
    pub recommended: f64,
    /// Recommended over training share; undefined where the training data have none.
    pub ratio: Measure,
}

/// How an attribute is distributed in training and in recommendations.
#[derive(Clone, Debug, PartialEq)]
pub struct DistributionBias {
    /// By value of the attribute.
    pub shares: Vec<ShareChange>,
    /// Half the sum of the absolute differences of the shares, in [0, 1]; 0 is no bias.
    pub total_variation: f64,
}

fn bias(training: &[f64], recommended: &[f64]) -> Result<DistributionBias, Undefined> {
    same_length(training.len(), recommended.len())?;
    if training.iter().chain(recommended).any(|count| !count.is_finite() || *count < 0.0) {
        return Err(Undefined::NotFinite);
    }
    let total_variation = crate::exposure::total_variation(training, recommended)?;
    let (a, b) = (training.iter().sum::<f64>(), recommended.iter().sum::<f64>());
    let change = |(learned, shown): (&f64, &f64)| ShareChange {
        training: learned / a,
        recommended: shown / b,
        ratio: if *learned > 0.0 { Ok(shown / b / (learned / a)) } else { Err(Undefined::ZeroDenominator) },
    };
    Ok(DistributionBias { shares: training.iter().zip(recommended).map(change).collect(), total_variation })
}

/// Item bias by an attribute of items (category, brand, price band): how often each value occurs among the distinct items of the
/// training log, and among the recommended places (Evidently `item_bias`, which draws the two histograms and gives no number).
/// `value_of[item]` is the value of the attribute, below `values`. Interval: none, the lists are counted, not sampled; for a difference of
/// two models resample users.
///
/// # Errors
/// [`Undefined::BadParameter`] for an unknown item or value, [`Undefined::ZeroDenominator`] without training items or lists.
pub fn item_bias<L: AsRef<[u32]>>(
    training: &[u32],
    lists: &[L],
    value_of: &[usize],
    values: usize,
) -> Result<DistributionBias, Undefined> {
    let value = |item: u32| value_of.get(item as usize).copied().filter(|v| *v < values).ok_or(Undefined::BadParameter);
    let mut seen = vec![false; value_of.len()];
    let mut learned = vec![0.0; values];
    for &item in training {
        let place = value(item)?;
        if !std::mem::replace(&mut seen[item as usize], true) {
            learned[place] += 1.0;
        }
    }
    let mut shown = vec![0.0; values];
    for &item in lists.iter().flat_map(|list| list.as_ref()) {
        shown[value(item)?] += 1.0;
    }
    bias(&learned, &shown)
}

/// User bias by an attribute of users: how often each value occurs among the distinct users of the training log, and among the users who
/// were served (Evidently `user_bias`). Only declared and consented attributes; all others are one value, `unknown`. Each user is given
/// once, by their value.
///
/// # Errors
/// [`Undefined::BadParameter`] for an unknown value, [`Undefined::ZeroDenominator`] without users on one side.
pub fn user_bias(training: &[usize], served: &[usize], values: usize) -> Result<DistributionBias, Undefined> {
    let count = |users: &[usize]| {
        let mut counts = vec![0.0; values];
        for value in users {
            *counts.get_mut(*value).ok_or(Undefined::BadParameter)? += 1.0;
        }
        Ok::<_, Undefined>(counts)
    };
    bias(&count(training)?, &count(served)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(left: f64, right: f64) {
        assert!((left - right).abs() < 1e-9, "{left} is not {right}");
    }

    #[test]
    fn popularity_by_group_by_hand() {
        let popularity = [10.0, 2.0, 0.0];
        let lists = [vec![0, 1], vec![0], vec![1], vec![]];
        let histories = [vec![1], vec![0], vec![], vec![0]];
        let users = UserLists { lists: &lists, histories: &histories, group_of: &[0, 0, 1, 1] };
        let found = popularity_by_group(users, &popularity, 3, 200, 1).unwrap();
        assert_eq!(found[0].users, 2);
        close(found[0].lists.value.unwrap(), 8.0);
        close(found[0].histories.value.unwrap(), 6.0);
        close(found[0].lift.value.unwrap(), 2.0 / 6.0);
        let interval = found[0].interval.unwrap();
        assert!(interval.low >= 6.0 && interval.high <= 10.0, "{interval:?}");
        // The second group has a list without history and a history without list: no lift, and no 0.
        assert_eq!(found[1].lift.reason, Some(Undefined::NoHistory));
        close(found[1].lists.value.unwrap(), 2.0);
        assert_eq!((found[1].interval, found[2].lists.reason), (None, Some(Undefined::NoObservations)));
        let bad = UserLists { group_of: &[0, 0, 1, 3], ..users };
        assert_eq!(popularity_by_group(bad, &popularity, 3, 10, 1), Err(Undefined::BadParameter));
    }

    #[test]
    fn a_group_that_is_pushed_to_hits_has_a_lift_above_zero() {
        let popularity: Vec<f64> = (0..50).map(|item| f64::from(50 - item)).collect();
        let histories: Vec<Vec<u32>> = (0..80).map(|user| vec![user % 50, (user * 7) % 50]).collect();
        let lists: Vec<Vec<u32>> =
            histories.iter().enumerate().map(|(u, had)| if u % 2 == 0 { vec![0, 1, 2] } else { had.clone() }).collect();
        let group_of: Vec<usize> = (0..80).map(|user| user % 2).collect();
        let users = UserLists { lists: &lists, histories: &histories, group_of: &group_of };
        let found = popularity_by_group(users, &popularity, 2, 400, 1).unwrap();
        assert!(found[0].lift_interval.unwrap().low > 0.3, "{found:?}");
        close(found[1].lift.value.unwrap(), 0.0);
    }

    #[test]
    fn biases_by_hand() {
        // Items 0, 1 are of value 0, item 2 of value 1, item 3 of value 2; item 0 was trained on twice.
        let found = item_bias(&[0, 0, 1, 2], &[[0, 2], [2, 3]], &[0, 0, 1, 2], 3).unwrap();
        let share = |n: usize| (found.shares[n].training, found.shares[n].recommended);
        close(share(0).0, 2.0 / 3.0);
        close(share(0).1, 0.25);
        close(found.shares[1].ratio.unwrap(), 1.5);
        assert_eq!(found.shares[2].ratio, Err(Undefined::ZeroDenominator));
        close(found.total_variation, 0.5 * (2.0 / 3.0 - 0.25 + 0.5 - 1.0 / 3.0 + 0.25));
        assert_eq!(item_bias::<[u32; 1]>(&[9], &[], &[0], 1), Err(Undefined::BadParameter));
        assert_eq!(item_bias::<[u32; 1]>(&[0], &[], &[0], 1), Err(Undefined::ZeroDenominator));
        let users = user_bias(&[0, 0, 1, 1], &[0, 0], 2).unwrap();
        close(users.total_variation, 0.5);
        assert_eq!(user_bias(&[0], &[1], 1), Err(Undefined::BadParameter));
    }
}
