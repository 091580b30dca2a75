//! Pairwise fairness (Beutel et al. 2019): is a clicked item of a group ranked above items that were not clicked as often as a clicked
//! item of another group (METRICS.md section 4).

use serde::{Deserialize, Serialize};

use crate::exposure_ratio::BootstrapOptions;
use crate::proportions::wilson;
use crate::resample::{Interval, bootstrap_statistic, percentile_interval};
use crate::value::{Measure, Undefined, Value, same_length};

/// One user: scored candidates and which of them were clicked (bought).
#[derive(Clone, Copy, Debug)]
pub struct ScoredCandidates<'a> {
    /// Scores; a higher one ranks higher.
    pub scores: &'a [f64],
    /// Whether each was clicked.
    pub clicked: &'a [bool],
    /// Group of each.
    pub groups: &'a [usize],
}

/// Pairs of a clicked and another item, and how many the model ordered right. Equal scores count half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pairs {
    /// Pairs in which the clicked item scores higher.
    pub right: f64,
    /// All pairs.
    pub pairs: f64,
}

impl Pairs {
    fn add(&mut self, other: Self, weight: f64) {
        self.right += weight * other.right;
        self.pairs += weight * other.pairs;
    }

    /// P(s_i > s_j | i clicked, j not).
    ///
    /// # Errors
    /// [`Undefined::NoObservations`] without pairs.
    pub fn accuracy(self) -> Measure {
        if self.pairs > 0.0 { Ok(self.right / self.pairs) } else { Err(Undefined::NoObservations) }
    }

    /// Wilson interval of the accuracy as if pairs were independent: pairs of one user are not, so it is too narrow, and reports show
    /// the user bootstrap of [`pairwise`].
    ///
    /// # Errors
    /// As [`wilson`].
    pub fn wilson(self, level: f64) -> Result<(f64, f64), Undefined> {
        wilson(self.right.floor() as u64, self.pairs as u64, level)
    }
}

/// Pairs of one group's clicked items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupPairs {
    /// Against items of the same group.
    pub intra: Pairs,
    /// Against items of other groups.
    pub inter: Pairs,
}

impl GroupPairs {
    /// Intra and inter together.
    #[must_use]
    pub fn all(self) -> Pairs {
        let mut all = self.intra;
        all.add(self.inter, 1.0);
        all
    }

    fn add(&mut self, other: &Self, weight: f64) {
        self.intra.add(other.intra, weight);
        self.inter.add(other.inter, weight);
    }
}

/// Pairwise accuracy of one group with user-bootstrap intervals.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairwiseGroup {
    /// The pairs.
    pub pairs: GroupPairs,
    /// Accuracy over all pairs.
    pub all: Value,
    /// Its interval.
    pub all_interval: Option<Interval>,
    /// Accuracy within the group.
    pub intra: Value,
    /// Its interval.
    pub intra_interval: Option<Interval>,
    /// Accuracy against other groups.
    pub inter: Value,
    /// Its interval.
    pub inter_interval: Option<Interval>,
}

fn user_pairs(user: &ScoredCandidates<'_>, groups: usize) -> Result<Vec<(usize, GroupPairs)>, Undefined> {
    same_length(user.scores.len(), user.clicked.len())?;
    same_length(user.scores.len(), user.groups.len())?;
    if user.groups.iter().any(|group| *group >= groups) {
        return Err(Undefined::BadParameter);
    }
    if user.scores.iter().any(|score| score.is_nan()) {
        return Err(Undefined::NotFinite);
    }
    let places = |wanted: bool| (0..user.scores.len()).filter(move |place| user.clicked[*place] == wanted);
    let mut found: Vec<(usize, GroupPairs)> = Vec::new();
    for i in places(true) {
        let mut own = GroupPairs::default();
        for j in places(false) {
            let side = if user.groups[i] == user.groups[j] { &mut own.intra } else { &mut own.inter };
            side.pairs += 1.0;
            side.right += match user.scores[i].partial_cmp(&user.scores[j]) {
                Some(std::cmp::Ordering::Greater) => 1.0,
                Some(std::cmp::Ordering::Equal) => 0.5,
                _ => 0.0,
            };
        }
        match found.iter_mut().find(|(group, _)| *group == user.groups[i]) {
            Some((_, sum)) => sum.add(&own, 1.0),
            None => found.push((user.groups[i], own)),
        }
    }
    Ok(found)
}

/// Pairwise accuracy per group, pooled over users, with intervals that resample users.
///
/// # Errors
/// [`Undefined::LengthMismatch`], [`Undefined::BadParameter`] for an unknown group, [`Undefined::NotFinite`] for a NaN score.
pub fn pairwise(
    users: &[ScoredCandidates<'_>],
    groups: usize,
    options: BootstrapOptions,
) -> Result<Vec<PairwiseGroup>, Undefined> {
    let per_user: Vec<_> = users.iter().map(|user| user_pairs(user, groups)).collect::<Result<_, _>>()?;
    let sums = |weight: &dyn Fn(usize) -> f64| {
        let mut sums = vec![GroupPairs::default(); groups];
        for (number, user) in per_user.iter().enumerate() {
            user.iter().for_each(|(group, own)| sums[*group].add(own, weight(number)));
        }
        sums
    };
    let views: [fn(GroupPairs) -> Pairs; 3] = [GroupPairs::all, |pairs| pairs.intra, |pairs| pairs.inter];
    let mut samples: Vec<[Vec<Measure>; 3]> = vec![<[Vec<Measure>; 3]>::default(); groups];
    bootstrap_statistic(users.len(), options.replicates, options.seed, |weights| {
        let drawn = sums(&|user| f64::from(weights[user]));
        for (sample, pairs) in samples.iter_mut().zip(&drawn) {
            sample.iter_mut().zip(views).for_each(|(sample, view)| sample.push(view(*pairs).accuracy()));
        }
        Ok(0.0)
    });
    let group = |(pairs, sample): (GroupPairs, &[Vec<Measure>; 3])| {
        let value = |at: usize| Value::from(views[at](pairs).accuracy());
        let interval = |at: usize| percentile_interval(&sample[at], options.level).ok();
        PairwiseGroup {
            pairs,
            all: value(0),
            all_interval: interval(0),
            intra: value(1),
            intra_interval: interval(1),
            inter: value(2),
            inter_interval: interval(2),
        }
    };
    Ok(sums(&|_| 1.0).into_iter().zip(&samples).map(group).collect())
}
