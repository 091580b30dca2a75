//! Over-represented users and items in a log, groups that are missing from it, and skewed labels (bias in the data).

use serde::{Deserialize, Serialize};

use crate::exposure_ratio::BootstrapOptions;
use crate::proportions::{Rate, wilson};
use crate::resample::{Interval, bootstrap_statistic, percentile_interval};
use crate::value::{Measure, Undefined, Value, finite};

/// A number with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The number.
    pub value: Value,
    /// Its interval, where there is one.
    pub interval: Option<Interval>,
    /// Units it rests on.
    pub n: usize,
}

/// How unevenly interactions spread over users, or over items. Intervals resample the users or items.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Concentration {
    /// Share of all interactions that the most active 1 % hold (at least one unit; the last unit counts in part).
    pub top_share: Figure,
    /// Gini coefficient, zeros included; 0 is even.
    pub gini: Figure,
    /// exp(entropy): the number of equally active units with the same entropy.
    pub effective: Figure,
}

/// The share of units that counts as the top.
pub const TOP: f64 = 0.01;

/// Concentration of `counts`, one per unit.
///
/// # Errors
/// [`Undefined::NoObservations`] when all counts are 0.
pub fn concentration(counts: &[u32], options: BootstrapOptions) -> Result<Concentration, Undefined> {
    let mut sorted: Vec<u32> = counts.to_vec();
    // The largest first, so that the top is a prefix of every replicate.
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    let whole = spread(&sorted, &vec![1; sorted.len()])?;
    let mut samples: [Vec<Measure>; 3] = Default::default();
    bootstrap_statistic(sorted.len(), options.replicates, options.seed, |weights| {
        let drawn = spread(&sorted, weights);
        for (part, sample) in samples.iter_mut().enumerate() {
            sample.push(drawn.map(|values| values[part]));
        }
        Ok(0.0)
    });
    let figure = |part: usize| Figure {
        value: finite(whole[part]).into(),
        interval: percentile_interval(&samples[part], options.level).ok(),
        n: counts.len(),
    };
    Ok(Concentration { top_share: figure(0), gini: figure(1), effective: figure(2) })
}

/// Top share, Gini and effective number of counts that fall, each with a weight.
fn spread(falling: &[u32], weights: &[u32]) -> Result<[f64; 3], Undefined> {
    let pairs = || falling.iter().zip(weights).map(|(count, weight)| (f64::from(*count), f64::from(*weight)));
    let (n, total) = pairs().fold((0.0, 0.0), |(n, sum), (count, weight)| (n + weight, sum + weight * count));
    if total <= 0.0 {
        return Err(Undefined::NoObservations);
    }
    let mut room = (TOP * n).max(1.0);
    let (mut top, mut ranked, mut before, mut entropy) = (0.0, 0.0, 0.0, 0.0);
    for (count, weight) in pairs() {
        let part = weight.min(room);
        top += part * count;
        room -= part;
        // Mean rank from the largest of the units with this count, from 1.
        ranked += weight * count * (before + f64::midpoint(weight, 1.0));
        before += weight;
        if count > 0.0 {
            entropy -= weight * count / total * (count / total).ln();
        }
    }
    // Ranks from the largest: Σ(2i−n−1)c over rising ranks i = n+1−r.
    let gini = ((n + 1.0) * total - 2.0 * ranked) / (n * total);
    Ok([top / total, gini, entropy.exp()])
}

/// How far an attribute is known, and which groups are too small to be compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttributeCoverage {
    /// Share of users with a value, with Wilson's interval.
    pub known: Figure,
    /// Users per group.
    pub groups: Vec<u64>,
    /// Groups with fewer users than can be compared: their harm cannot be seen.
    pub too_small: Vec<usize>,
    /// Mean activity of users without a value over that of users with one; away from 1, the known ones do not stand for all.
    pub activity_ratio: Figure,
}

/// Fewest users of a group that can be compared.
pub const COMPARABLE: u64 = 30;

/// One user for [`attribute_coverage`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttributeOfUser {
    /// Group by the attribute, if it is known.
    pub group: Option<usize>,
    /// Interactions.
    pub interactions: f64,
}

/// Coverage of one attribute with `groups` values.
///
/// # Errors
/// [`Undefined::NoObservations`] without users, [`Undefined::BadParameter`] for an unknown group.
pub fn attribute_coverage(
    users: &[AttributeOfUser],
    groups: usize,
    options: BootstrapOptions,
) -> Result<AttributeCoverage, Undefined> {
    let mut counts = vec![0_u64; groups];
    for group in users.iter().filter_map(|user| user.group) {
        *counts.get_mut(group).ok_or(Undefined::BadParameter)? += 1;
    }
    let known = Rate { hits: counts.iter().sum(), trials: users.len() as u64 };
    let (low, high) = wilson(known.hits, known.trials, options.level)?;
    let ratio = |weight: &dyn Fn(usize) -> f64| {
        let mut sums = [(0.0, 0.0); 2];
        for (number, user) in users.iter().enumerate() {
            let side = &mut sums[usize::from(user.group.is_some())];
            side.0 += weight(number) * user.interactions;
            side.1 += weight(number);
        }
        let [unknown, known] = sums;
        if unknown.1 <= 0.0 || known.0 <= 0.0 {
            return Err(Undefined::NoGroups);
        }
        finite(unknown.0 / unknown.1 / (known.0 / known.1))
    };
    let sample = bootstrap_statistic(users.len(), options.replicates, options.seed, |weights| {
        ratio(&|user| f64::from(weights[user]))
    });
    Ok(AttributeCoverage {
        known: Figure {
            value: Ok(known.hits as f64 / known.trials as f64).into(),
            interval: Some(Interval { low, high, level: options.level, replicates: 0 }),
            n: users.len(),
        },
        too_small: (0..groups).filter(|group| counts[*group] < COMPARABLE).collect(),
        groups: counts,
        activity_ratio: Figure {
            value: ratio(&|_| 1.0).into(),
            interval: percentile_interval(&sample, options.level).ok(),
            n: users.len(),
        },
    })
}

/// Which labels (kinds of interaction) a log holds, and whether they changed within it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelSkew {
    /// Share of each label, with an interval that resamples users.
    pub shares: Vec<Figure>,
    /// Entropy of the shares over that of even ones; 1 is even.
    pub evenness: Value,
    /// Total variation between the label shares of the log's two halves.
    pub shift: Value,
    /// 95th percentile of the shift when the halves of each user are exchanged at random: what chance makes.
    pub shift_floor: Value,
}

/// Labels of one user in the first and the second half of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelCounts {
    /// Per label, first half.
    pub first: Vec<f64>,
    /// Per label, second half.
    pub second: Vec<f64>,
}

/// Skew and shift of labels.
///
/// # Errors
/// [`Undefined::NoObservations`] without labels, [`Undefined::LengthMismatch`].
pub fn label_skew(users: &[LabelCounts], options: BootstrapOptions) -> Result<LabelSkew, Undefined> {
    let labels = users.first().map_or(0, |user| user.first.len());
    if users.iter().any(|user| user.first.len() != labels || user.second.len() != labels) {
        return Err(Undefined::LengthMismatch);
    }
    let halves = |weight: &dyn Fn(usize) -> f64, exchanged: &dyn Fn(usize) -> bool| {
        let mut sums = [vec![0.0; labels], vec![0.0; labels]];
        for (number, user) in users.iter().enumerate() {
            let sides = if exchanged(number) { [&user.second, &user.first] } else { [&user.first, &user.second] };
            for (sum, side) in sums.iter_mut().zip(sides) {
                sum.iter_mut().zip(side).for_each(|(to, from)| *to += weight(number) * from);
            }
        }
        sums
    };
    let shares = |weight: &dyn Fn(usize) -> f64| {
        let [first, second] = halves(weight, &|_| false);
        let sums: Vec<f64> = first.iter().zip(&second).map(|(a, b)| a + b).collect();
        let total: f64 = sums.iter().sum();
        if total > 0.0 {
            Ok(sums.iter().map(|sum| sum / total).collect::<Vec<f64>>())
        } else {
            Err(Undefined::NoObservations)
        }
    };
    let whole = shares(&|_| 1.0)?;
    let mut samples: Vec<Vec<Measure>> = vec![Vec::with_capacity(options.replicates); labels];
    bootstrap_statistic(users.len(), options.replicates, options.seed, |weights| {
        let drawn = shares(&|user| f64::from(weights[user]));
        for (label, sample) in samples.iter_mut().enumerate() {
            sample.push(drawn.as_ref().map(|shares| shares[label]).map_err(|reason| *reason));
        }
        Ok(0.0)
    });
    let shift = |exchanged: &dyn Fn(usize) -> bool| {
        let [first, second] = halves(&|_| 1.0, exchanged);
        crate::exposure::total_variation(&first, &second)
    };
    // The parity of a Poisson draw is no fair coin, so the coins are drawn apart.
    let mut rng = crate::resample::generator(options.seed, "exchange of halves");
    let mut null: Vec<f64> = (0..options.replicates)
        .filter_map(|_| {
            let coins: Vec<bool> = users.iter().map(|_| crate::resample::below(&mut rng, 2) == 1).collect();
            shift(&|user| coins[user]).ok()
        })
        .collect();
    null.sort_by(f64::total_cmp);
    let floor = if null.is_empty() {
        Err(Undefined::NoObservations)
    } else {
        Ok(crate::resample::quantile_sorted(&null, 0.95))
    };
    let entropy: f64 = whole.iter().filter(|share| **share > 0.0).map(|share| -share * share.ln()).sum();
    let evenness = if labels > 1 { finite(entropy / (labels as f64).ln()) } else { Err(Undefined::OneClass) };
    let figure = |(share, sample): (&f64, &Vec<Measure>)| Figure {
        value: Ok(*share).into(),
        interval: percentile_interval(sample, options.level).ok(),
        n: users.len(),
    };
    Ok(LabelSkew {
        shares: whole.iter().zip(&samples).map(figure).collect(),
        evenness: evenness.into(),
        shift: shift(&|_| false).into(),
        shift_floor: floor.into(),
    })
}
