//! Tests whether one group of users is served worse than another (METRICS.md section 4, user side).
//!
//! A user is in a group only by a declared attribute with consent; all others are in the group `unknown`. The gap between the best and
//! the worst group is biased upward if there is no difference, so it is always shown with the permutation noise floor, p and a verdict.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::gaps::{gap, holm, mean_pairwise, min_over_max};
use crate::resample::{Interval, bootstrap_statistic, generator, percentile_interval, quantile_sorted, shuffle};
use crate::value::{Measure, Undefined, Value, mean, same_length};

/// Label of users without a declared, consented attribute.
pub const UNKNOWN: &str = "unknown";

/// Limits and seeds of a group report. The defaults are those of METRICS.md.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupOptions {
    /// Below this, a group is suppressed, and with a lone one the next larger group.
    pub suppress_below: usize,
    /// Below this, only the interval is shown and the group stays out of max − min.
    pub compare_from: usize,
    /// From here on, the smallest compared group may decide a gate.
    pub gate_from: usize,
    /// Whether `unknown` takes part in max − min. Off: its members share nothing but silence.
    pub compare_unknown: bool,
    /// Level of intervals and, as 1 − level, of the test.
    pub level: f64,
    /// Replicates of the bootstrap and permutations.
    pub replicates: usize,
    /// Seed of both.
    pub seed: u64,
}

impl Default for GroupOptions {
    fn default() -> Self {
        Self {
            suppress_below: 10,
            compare_from: 100,
            gate_from: 400,
            compare_unknown: false,
            level: 0.95,
            replicates: crate::resample::REPLICATES,
            seed: 0,
        }
    }
}

/// How much of a group is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Display {
    /// Neither number nor size.
    Suppressed,
    /// The interval, but no mean, and not part of the gap.
    IntervalOnly,
    /// Everything.
    Shown,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupRow {
    /// Declared value, or `unknown`.
    pub group: String,
    /// Users with a defined value; `None` when suppressed.
    pub n: Option<usize>,
    /// Share of the users of all groups that are not suppressed.
    pub share: Value,
    /// Mean of the metric; undefined when suppressed or interval only.
    pub mean: Value,
    /// Bootstrap interval of the mean; `None` when suppressed or without value.
    pub interval: Option<Interval>,
    /// How much is shown.
    pub display: Display,
    /// Whether the group takes part in max − min.
    pub compared: bool,
}

/// The word for a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupVerdict {
    /// A gap of this size appears without any difference.
    WithinNoise,
    /// It does not.
    AboveNoise,
    /// Fewer than two groups are large enough.
    InsufficientData,
}

impl GroupVerdict {
    /// The word for people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::WithinNoise => "within noise",
            Self::AboveNoise => "above noise",
            Self::InsufficientData => "insufficient data",
        }
    }
}

/// The groups of one attribute under one metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupReport {
    /// The attribute, as in `region`.
    pub attribute: String,
    /// The metric, as in `NDCG@10`.
    pub metric: String,
    /// All groups by label.
    pub groups: Vec<GroupRow>,
    /// Number of suppressed groups.
    pub suppressed: usize,
    /// Users with a defined value in groups that are not suppressed. No total over all is given, since the difference would
    /// reveal a suppressed group.
    pub n_used: usize,
    /// Share of `unknown` in `n_used`.
    pub unknown_share: Value,
    /// max − min of the means of compared groups.
    pub gap: Value,
    /// Bootstrap interval of the gap. Biased upward near zero: judge by the noise floor.
    pub gap_interval: Option<Interval>,
    /// min / max.
    pub ratio: Value,
    /// Mean absolute difference over pairs of groups (MADR when the metric is NDCG).
    pub mean_pairwise: Value,
    /// The compared group with the lowest mean.
    pub worst: Option<String>,
    /// 95th percentile of the gap when labels are shuffled among the compared users.
    pub noise_floor: Value,
    /// (1 + #{gap* ≥ gap}) / (B + 1).
    pub p: Value,
    /// `p` after Holm over the attributes of the report, once [`holm_over`] ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_adjusted: Option<f64>,
    /// The word.
    pub verdict: GroupVerdict,
    /// Whether every compared group is large enough to decide a gate.
    pub may_gate: bool,
}

/// The least size of a group that is shown. Where the groups below `least` hold fewer than `least` users together, or there is only
/// one of them, the total over all users less the groups that are shown would give them away: the next larger groups are hidden
/// with them (complementary suppression; Hundepool et al. 2012, section 4.1).
fn shown_from(sizes: impl Iterator<Item = usize>, least: usize) -> usize {
    let mut sizes: Vec<usize> = sizes.filter(|&n| n > 0).collect();
    sizes.sort_unstable();
    let below = sizes.partition_point(|&n| n < least);
    if below == 0 {
        return least;
    }
    let (mut hidden, mut together) = (below, sizes[..below].iter().sum::<usize>());
    while hidden < sizes.len() && (hidden < 2 || together < least) {
        together += sizes[hidden];
        hidden += 1;
    }
    sizes[hidden - 1] + 1
}

/// Means of consecutive blocks of `values` with the given sizes.
fn block_means(values: &[f64], sizes: &[usize]) -> Vec<f64> {
    let mut start = 0;
    sizes
        .iter()
        .map(|size| {
            let block = &values[start..start + size];
            start += size;
            block.iter().sum::<f64>() / *size as f64
        })
        .collect()
}

/// Distribution of the gap when group labels mean nothing: sorted gaps of `replicates` shuffles.
fn permuted_gaps(mut pooled: Vec<f64>, sizes: &[usize], replicates: usize, seed: u64) -> Vec<f64> {
    let mut rng = generator(seed, "group permutation");
    let mut gaps: Vec<f64> = (0..replicates)
        .map(|_| {
            shuffle(&mut rng, &mut pooled);
            gap(&block_means(&pooled, sizes)).unwrap_or(0.0)
        })
        .collect();
    gaps.sort_by(f64::total_cmp);
    gaps
}

/// Report of `metric` by the groups of `attribute`: one value and one label per user, `None` where the metric is undefined.
///
/// # Errors
/// [`Undefined::LengthMismatch`], [`Undefined::NotFinite`], [`Undefined::BadParameter`] for limits out of order.
pub fn group_report(
    attribute: &str,
    metric: &str,
    values: &[Option<f64>],
    labels: &[&str],
    options: &GroupOptions,
) -> Result<GroupReport, Undefined> {
    same_length(values.len(), labels.len())?;
    if values.iter().flatten().any(|value| !value.is_finite()) {
        return Err(Undefined::NotFinite);
    }
    if options.suppress_below > options.compare_from || options.compare_from == 0 || options.replicates == 0 {
        return Err(Undefined::BadParameter);
    }
    let mut members: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (value, label) in values.iter().zip(labels) {
        let group = members.entry(label).or_default();
        group.extend(value);
    }
    let groups: Vec<Group<'_>> = members.into_iter().map(|(name, values)| Group { name, values }).collect();
    let least = shown_from(groups.iter().map(|group| group.values.len()), options.suppress_below.max(1));
    let visible = |users: &[f64]| users.len() >= least;
    let compared = |name: &str, users: &[f64]| {
        visible(users) && users.len() >= options.compare_from && (options.compare_unknown || name != UNKNOWN)
    };
    let n_used: usize = groups.iter().filter(|group| visible(&group.values)).map(|group| group.values.len()).sum();
    let share = |n: usize| {
        if n_used == 0 { Err(Undefined::NoObservations) } else { Ok(n as f64 / n_used as f64) }
    };

    // One bootstrap over all users serves every group's interval and the gap's.
    let replicate_means = bootstrap_groups(&groups, options);
    let mut rows = Vec::with_capacity(groups.len());
    for (Group { name, values: users }, sample) in groups.iter().zip(&replicate_means) {
        let display = match users.len() {
            n if n < least => Display::Suppressed,
            n if n < options.compare_from => Display::IntervalOnly,
            _ => Display::Shown,
        };
        let hidden = display == Display::Suppressed;
        rows.push(GroupRow {
            group: (*name).to_owned(),
            n: (!hidden).then_some(users.len()),
            share: if hidden { Err(Undefined::Suppressed) } else { share(users.len()) }.into(),
            mean: match display {
                Display::Suppressed => Err(Undefined::Suppressed),
                Display::IntervalOnly => Err(Undefined::TooFew),
                Display::Shown => mean(users),
            }
            .into(),
            interval: if hidden { None } else { percentile_interval(sample, options.level).ok() },
            display,
            compared: compared(name, users),
        });
    }

    let chosen: Vec<usize> = (0..groups.len()).filter(|&i| rows[i].compared).collect();
    let means: Vec<f64> = chosen.iter().filter_map(|&i| mean(&groups[i].values).ok()).collect();
    let observed = gap(&means);
    let unknown_users = groups.iter().find(|group| group.name == UNKNOWN).map(|group| group.values.as_slice());
    let unknown = unknown_users.filter(|users| visible(users)).map_or(0, <[f64]>::len);
    let unknown_hidden = unknown_users.is_some_and(|users| !visible(users));
    let mut report = GroupReport {
        attribute: attribute.to_owned(),
        metric: metric.to_owned(),
        suppressed: rows.iter().filter(|row| row.display == Display::Suppressed).count(),
        n_used,
        unknown_share: if unknown_hidden { Err(Undefined::Suppressed) } else { share(unknown) }.into(),
        gap: observed.into(),
        gap_interval: None,
        ratio: min_over_max(&means).into(),
        mean_pairwise: mean_pairwise(&means).into(),
        worst: None,
        noise_floor: Err(Undefined::NoGroups).into(),
        p: Err(Undefined::NoGroups).into(),
        p_adjusted: None,
        verdict: GroupVerdict::InsufficientData,
        may_gate: false,
        groups: rows,
    };
    let Ok(observed) = observed else {
        return Ok(report);
    };
    let replicate_gap = |b: usize| {
        let means: Result<Vec<f64>, Undefined> = chosen.iter().map(|&i| replicate_means[i][b]).collect();
        means.and_then(|means| gap(&means))
    };
    let gaps: Vec<Measure> = (0..options.replicates).map(replicate_gap).collect();
    report.gap_interval = percentile_interval(&gaps, options.level).ok();
    report.worst = chosen
        .iter()
        .zip(&means)
        .min_by(|left, right| left.1.total_cmp(right.1))
        .map(|(&i, _)| groups[i].name.to_owned());
    let sizes: Vec<usize> = chosen.iter().map(|&i| groups[i].values.len()).collect();
    let pooled: Vec<f64> = chosen.iter().flat_map(|&i| groups[i].values.iter().copied()).collect();
    let null = permuted_gaps(pooled, &sizes, options.replicates, options.seed);
    // A shuffle that rebuilds the same groups may differ in the last bits and still has to count.
    let extreme = null.iter().filter(|other| **other >= observed - 1e-12).count();
    let p = (extreme + 1) as f64 / (null.len() + 1) as f64;
    report.noise_floor = Ok(quantile_sorted(&null, options.level)).into();
    report.p = Ok(p).into();
    report.verdict = verdict_of(p, options.level);
    report.may_gate = sizes.iter().all(|size| *size >= options.gate_from);
    Ok(report)
}

fn verdict_of(p: f64, level: f64) -> GroupVerdict {
    if p <= 1.0 - level { GroupVerdict::AboveNoise } else { GroupVerdict::WithinNoise }
}

/// A group of users: its name and the metric of each user.
struct Group<'a> {
    name: &'a str,
    values: Vec<f64>,
}

/// Per group, the means of all replicates of one Poisson bootstrap over users.
fn bootstrap_groups(groups: &[Group<'_>], options: &GroupOptions) -> Vec<Vec<Measure>> {
    let users = groups.iter().map(|group| group.values.len()).sum();
    let mut samples: Vec<Vec<Measure>> = vec![Vec::with_capacity(options.replicates); groups.len()];
    bootstrap_statistic(users, options.replicates, options.seed, |weights| {
        let mut start = 0;
        for (Group { values, .. }, sample) in groups.iter().zip(&mut samples) {
            sample.push(crate::resample::weighted_mean(values, &weights[start..start + values.len()]));
            start += values.len();
        }
        Ok(0.0)
    });
    samples
}

/// Applies Holm over the attributes of one report and updates the verdicts.
pub fn holm_over(reports: &mut [GroupReport], level: f64) {
    let tested: Vec<usize> = (0..reports.len()).filter(|&i| reports[i].p.value.is_some()).collect();
    let p: Vec<f64> = tested.iter().filter_map(|&i| reports[i].p.value).collect();
    for (&index, adjusted) in tested.iter().zip(holm(&p)) {
        reports[index].p_adjusted = Some(adjusted);
        reports[index].verdict = verdict_of(adjusted, level);
    }
}
