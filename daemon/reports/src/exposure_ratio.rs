//! Exposure ratios of groups of items with intervals, under two exposure models (METRICS.md section 4, item side).

use serde::{Deserialize, Serialize};

use crate::exposure::{
    ExposureModel, GroupExposure, Served, impact_ratio, list_exposure, parity_ratio, treatment_ratio,
};
use crate::proportions::wilson;
use crate::resample::{Interval, REPLICATES, bootstrap_statistic, percentile_interval};
use crate::value::{Measure, Undefined, Value};

/// Which ratio of two groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RatioKind {
    /// Exposure per item: [`parity_ratio`].
    Parity,
    /// Exposure per relevance: [`treatment_ratio`].
    Treatment,
    /// Click gain per relevance: [`impact_ratio`].
    Impact,
}

impl RatioKind {
    fn of(self, g: &GroupExposure, h: &GroupExposure) -> Measure {
        match self {
            Self::Parity => parity_ratio(g, h),
            Self::Treatment => treatment_ratio(g, h),
            Self::Impact => impact_ratio(g, h),
        }
    }

    fn shown(self, group: &GroupExposure) -> f64 {
        if self == Self::Impact { group.gain } else { group.exposure }
    }
}

/// What a group is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// Another group, by index.
    Group(usize),
    /// All other groups together.
    Others,
}

/// One comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The group above the line.
    pub group: usize,
    /// What stands below it.
    pub reference: Reference,
}

/// How intervals are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BootstrapOptions {
    /// Coverage, as in 0.95. Who picks the worst of m groups asks for 1 − 0.05/m.
    pub level: f64,
    /// Replicates.
    pub replicates: usize,
    /// Seed.
    pub seed: u64,
}

impl Default for BootstrapOptions {
    fn default() -> Self {
        Self { level: 0.95, replicates: REPLICATES, seed: 1 }
    }
}

/// A ratio with its interval; 1 is parity, below 1 the group gets less than the reference.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RatioEstimate {
    /// The ratio.
    pub value: Value,
    /// Percentile interval of the logarithm by user bootstrap, as ratios. A replicate that misses a group is null.
    ///
    /// A group that no list shows has no spread to resample. Its interval is [0, u], where u supposes that the share of lists which
    /// show it is Wilson's upper bound of 0 out of n, each on the first rank.
    pub interval: Option<Interval>,
    /// The sums of the group.
    pub group: GroupExposure,
    /// Lists.
    pub lists: usize,
}

impl RatioEstimate {
    /// Whether the interval lies on one side of 1, and on which.
    #[must_use]
    pub fn direction(&self) -> Direction {
        match self.interval {
            Some(interval) if interval.high < 1.0 => Direction::Less,
            Some(interval) if interval.low > 1.0 => Direction::More,
            Some(_) => Direction::WithinNoise,
            None => Direction::Undecided,
        }
    }
}

/// What the interval of a ratio says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The group gets less than the reference.
    Less,
    /// The group gets more.
    More,
    /// The interval holds 1.
    WithinNoise,
    /// There is no interval.
    Undecided,
}

/// The sums of one list for the groups that it touches.
type ListSums = Vec<(usize, GroupExposure)>;

/// All lists of a report, reduced to what each gives each group. One user per list: an interval resamples lists.
#[derive(Clone, Debug)]
pub struct ExposureTable {
    lists: Vec<ListSums>,
    items: Vec<usize>,
    first: f64,
}

impl ExposureTable {
    /// Sums the lists. `group_of[item]` is the group of each item of the eligible catalogue, below `groups`.
    ///
    /// # Errors
    /// [`Undefined::BadParameter`] for an item or a group outside the tables.
    pub fn new(
        served: &[Served<'_>],
        group_of: &[usize],
        groups: usize,
        model: &impl ExposureModel,
    ) -> Result<Self, Undefined> {
        let mut items = vec![0; groups];
        for &group in group_of {
            *items.get_mut(group).ok_or(Undefined::BadParameter)? += 1;
        }
        let lists = served
            .iter()
            .map(|one| Ok(list_exposure(one, group_of, model)?.into_iter().collect()))
            .collect::<Result<_, Undefined>>()?;
        Ok(Self { lists, items, first: model.at(0) })
    }

    /// Sums per group with a weight per list.
    fn sums(&self, weight: impl Fn(usize) -> f64) -> Vec<GroupExposure> {
        let empty = |items: &usize| GroupExposure { items: *items, ..GroupExposure::default() };
        let mut sums: Vec<GroupExposure> = self.items.iter().map(empty).collect();
        for (number, list) in self.lists.iter().enumerate() {
            let weight = weight(number);
            if weight != 0.0 {
                list.iter().for_each(|(group, own)| sums[*group].add(own, weight));
            }
        }
        sums
    }

    /// Sums per group over all lists.
    #[must_use]
    pub fn groups(&self) -> Vec<GroupExposure> {
        self.sums(|_| 1.0)
    }

    /// The ratios of `comparisons`, each with its interval.
    ///
    /// # Errors
    /// [`Undefined::BadParameter`] for an unknown group or a level outside (0, 1).
    pub fn ratios(
        &self,
        kind: RatioKind,
        comparisons: &[Comparison],
        options: BootstrapOptions,
    ) -> Result<Vec<RatioEstimate>, Undefined> {
        let known = |one: &Comparison| {
            one.group < self.items.len() && !matches!(one.reference, Reference::Group(h) if h >= self.items.len())
        };
        if !(comparisons.iter().all(known) && options.level > 0.0 && options.level < 1.0) {
            return Err(Undefined::BadParameter);
        }
        let whole = self.groups();
        let mut samples: Vec<Vec<Measure>> = vec![Vec::with_capacity(options.replicates); comparisons.len()];
        bootstrap_statistic(self.lists.len(), options.replicates, options.seed, |weights| {
            let sums = self.sums(|list| f64::from(weights[list]));
            let total = add_up(&sums);
            for (sample, one) in samples.iter_mut().zip(comparisons) {
                let ratio = kind.of(&sums[one.group], &reference(&sums, &total, *one));
                sample.push(ratio.and_then(|ratio| crate::value::finite(ratio.ln())));
            }
            Ok(0.0)
        });
        let total = add_up(&whole);
        let estimate = |(one, sample): (&Comparison, &Vec<Measure>)| {
            let (group, below) = (whole[one.group], reference(&whole, &total, *one));
            let value = kind.of(&group, &below);
            let interval = match value {
                Ok(0.0) => self.never_shown(kind, group, &below, options.level),
                Ok(_) => percentile_interval(sample, options.level).ok().map(|log| Interval {
                    low: log.low.exp(),
                    high: log.high.exp(),
                    ..log
                }),
                Err(_) => None,
            };
            RatioEstimate { value: value.into(), interval, group, lists: self.lists.len() }
        };
        Ok(comparisons.iter().zip(&samples).map(estimate).collect())
    }

    fn never_shown(
        &self,
        kind: RatioKind,
        group: GroupExposure,
        below: &GroupExposure,
        level: f64,
    ) -> Option<Interval> {
        let lists = self.lists.len() as u64;
        let (_, share) = wilson(0, lists, level).ok()?;
        let most = share * lists as f64 * self.first;
        let seen = GroupExposure { exposure: most, gain: most, ..group };
        debug_assert_eq!(kind.shown(&group), 0.0);
        Some(Interval { low: 0.0, high: kind.of(&seen, below).ok()?, level, replicates: 0 })
    }
}

fn add_up(sums: &[GroupExposure]) -> GroupExposure {
    sums.iter().fold(GroupExposure::default(), |mut total, one| {
        total.add(one, 1.0);
        total.items += one.items;
        total
    })
}

fn reference(sums: &[GroupExposure], total: &GroupExposure, one: Comparison) -> GroupExposure {
    match one.reference {
        Reference::Group(h) => sums[h],
        Reference::Others => {
            let own = &sums[one.group];
            let mut rest = *total;
            rest.add(own, -1.0);
            rest.items -= own.items;
            // What the subtraction leaves of nothing is nothing.
            let clean = |left: f64, whole: f64| if left <= 1e-12 * whole { 0.0 } else { left };
            GroupExposure {
                items: rest.items,
                exposure: clean(rest.exposure, total.exposure),
                relevance: clean(rest.relevance, total.relevance),
                gain: clean(rest.gain, total.gain),
            }
        }
    }
}

/// A ratio under two exposure models, and whether the finding survives the change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobustRatio {
    /// Under the configured model.
    pub value: RatioEstimate,
    /// Under the other model.
    pub other: RatioEstimate,
    /// True when one says "more" (above 1) and the other "less": to be printed as [`DEPENDS`].
    pub depends_on_exposure_model: bool,
}

/// What is printed in place of a verdict that another exposure model turns round.
pub const DEPENDS: &str = "depends on exposure model";

impl RobustRatio {
    /// Pairs the estimates of one comparison under two models.
    #[must_use]
    pub fn new(value: RatioEstimate, other: RatioEstimate) -> Self {
        let flips = matches!((value.value.value, other.value.value), (Some(a), Some(b)) if (a - 1.0) * (b - 1.0) < 0.0);
        Self { value, other, depends_on_exposure_model: flips }
    }
}

/// The two exposure models that a ratio is computed under.
#[derive(Clone, Copy)]
pub struct ModelPair<'a, A, B> {
    /// The configured model.
    pub configured: &'a A,
    /// The model that the finding is checked under.
    pub other: &'a B,
}

/// Lists and the groups of the catalogue's items.
#[derive(Clone, Copy, Debug)]
pub struct GroupedLists<'a> {
    /// One list per user.
    pub served: &'a [Served<'a>],
    /// Group of each eligible item.
    pub group_of: &'a [usize],
    /// Number of groups.
    pub groups: usize,
}

/// Computes ratios under both exposure models.
///
/// # Errors
/// As [`ExposureTable::ratios`]; an undefined ratio is a value, not an error.
pub fn robust_ratios<A: ExposureModel, B: ExposureModel>(
    lists: GroupedLists<'_>,
    kind: RatioKind,
    comparisons: &[Comparison],
    models: ModelPair<'_, A, B>,
    options: BootstrapOptions,
) -> Result<Vec<RobustRatio>, Undefined> {
    let GroupedLists { served, group_of, groups } = lists;
    let configured = ExposureTable::new(served, group_of, groups, models.configured)?;
    let other = ExposureTable::new(served, group_of, groups, models.other)?;
    let (first, second) = (configured.ratios(kind, comparisons, options)?, other.ratios(kind, comparisons, options)?);
    Ok(first.into_iter().zip(second).map(|(value, other)| RobustRatio::new(value, other)).collect())
}
