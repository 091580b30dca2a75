//! Tests whether one group of users is served worse than another (METRICS.md section 4, user side).
//!
//! A user is in a group only by a declared attribute with consent; all others are in the group `unknown`, which is a group like any other.
//! Every group of at least 30 users is tested: against all others, and by the largest gap. The gap between the best and the worst group
//! is biased upward if there is no difference, so it is always shown with the permutation noise floor, p and a verdict.

use serde::{Deserialize, Serialize};

use crate::gaps::{gap, holm, mean_pairwise, min_over_max};
use crate::group_resampling::{Draws, Permutation, bootstrap, permute};
use crate::resample::{Interval, percentile_interval};
pub use crate::small_groups::OTHER;
use crate::small_groups::{Group, Limits, Rounding, collect, draws_of, hidden_bounds};
use crate::table_rounding::tidy;
use crate::value::{Measure, Undefined, Value, mean, same_length};

/// Label of users without a declared, consented attribute.
pub const UNKNOWN: &str = "unknown";

/// Limits and seeds of a group report.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupOptions {
    /// Below this, a group is merged with other small ones or suppressed.
    pub suppress_below: usize,
    /// Below this, only rounded bounds are shown and the group stays out of the permutation test.
    pub compare_from: usize,
    /// From here on, the smallest compared group may decide a gate.
    pub gate_from: usize,
    /// Level of intervals and, as 1 − level, of the tests.
    pub level: f64,
    /// Replicates of the bootstrap and permutations.
    pub replicates: usize,
    /// Seed of both and of rounding. It must be secret where the report is shown: who knows it can undo the rounding.
    pub seed: u64,
    /// Widens both limits at random by fewer users than this, `suppress_below` upward and `compare_from` downward, so that a group which
    /// falls below one of them does not tell its size; 0 for exact limits.
    #[serde(default)]
    pub blur: usize,
}

impl Default for GroupOptions {
    fn default() -> Self {
        Self {
            suppress_below: 10,
            compare_from: 30,
            gate_from: 400,
            level: 0.95,
            replicates: crate::resample::REPLICATES,
            seed: 0,
            blur: 0,
        }
    }
}

/// How much of a group is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Display {
    /// Neither number nor size.
    Suppressed,
    /// Bounds rounded outward to 0.05, so that their middle does not tell the mean.
    IntervalOnly,
    /// Everything.
    Shown,
}

/// Where a group stands against all other compared users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Served worse: by the permutation test after Holm over the groups, or for an interval-only group by its interval.
    Below,
    /// Served better, likewise.
    Above,
    /// No difference beyond what chance makes.
    Within,
    /// Too few users to tell.
    NotTested,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupRow {
    /// Declared value, `unknown`, or [`OTHER`].
    pub group: String,
    /// Declared values that the row holds: more than 1 for [`OTHER`].
    pub merged: usize,
    /// Users with a defined value, rounded at random to tens; `None` when suppressed.
    pub n: Option<usize>,
    /// Share of the users of all groups that are not suppressed.
    pub share: Value,
    /// Mean of the metric, rounded at random to a step that one user does not exceed; undefined when suppressed or interval only.
    pub mean: Value,
    /// Bootstrap interval of the mean, rounded outward to the same step; `None` when suppressed or without value.
    pub interval: Option<Interval>,
    /// How much is shown.
    pub display: Display,
    /// Whether the group takes part in the permutation test.
    pub compared: bool,
    /// Permutation p of the group against all other compared users; `None` unless compared.
    pub p: Option<f64>,
    /// `p` after Holm over the groups of the attribute.
    pub p_adjusted: Option<f64>,
    /// What follows.
    pub finding: Finding,
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
    /// Number of suppressed rows.
    pub suppressed: usize,
    /// Users with a defined value in groups that are not suppressed. No total over all is given, since the difference would
    /// reveal a suppressed group.
    pub n_used: usize,
    /// Share of `unknown` in `n_used`.
    pub unknown_share: Value,
    /// max − min of the means of compared groups, as they are told.
    pub gap: Value,
    /// Bootstrap interval of the gap. Biased upward near zero: judge by the noise floor.
    pub gap_interval: Option<Interval>,
    /// min / max.
    pub ratio: Value,
    /// Mean absolute difference over pairs of groups (MADR when the metric is NDCG).
    pub mean_pairwise: Value,
    /// The group served worst: the lowest mean among the groups found below the others, else among all compared.
    pub worst: Option<String>,
    /// 95th percentile of the gap when labels are shuffled among the compared users.
    pub noise_floor: Value,
    /// (1 + #{gap* ≥ gap}) / (B + 1).
    pub p: Value,
    /// p of the largest standardised difference of any group from the rest (max-T).
    pub p_any: Value,
    /// p of the verdict: with two groups `p`, with more the smaller of `p` and `p_any`, doubled (Bonferroni).
    pub p_verdict: Value,
    /// `p_verdict` after Holm over the attributes of the report, once [`holm_over`] ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_adjusted: Option<f64>,
    /// The word.
    pub verdict: GroupVerdict,
    /// Whether every compared group is large enough to decide a gate.
    pub may_gate: bool,
}

impl GroupReport {
    /// Groups that the permutation test does not cover.
    pub fn not_compared(&self) -> impl Iterator<Item = &GroupRow> {
        self.groups.iter().filter(|row| !row.compared)
    }
}

/// Labels of the two-way intersections of two attributes, as in `female, 18-24`. A user who declared only one of them is `unknown`.
#[must_use]
pub fn intersections(first: &[&str], second: &[&str]) -> Vec<String> {
    let label = |(one, other): (&&str, &&str)| {
        if *one == UNKNOWN || *other == UNKNOWN { UNKNOWN.to_owned() } else { format!("{one}, {other}") }
    };
    first.iter().zip(second).map(label).collect()
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
    let sizes = draws_of(attribute, values, labels, options.seed);
    let limits = Limits { suppress_below: options.suppress_below.max(1), compare_from: options.compare_from };
    let limits = limits.blurred(options.blur, &sizes);
    let groups = collect(values, labels, limits.suppress_below);
    let display = |n: usize| match n {
        n if n < limits.suppress_below => Display::Suppressed,
        n if n < limits.compare_from => Display::IntervalOnly,
        _ => Display::Shown,
    };
    let displays: Vec<Display> = groups.iter().map(|group| display(group.values.len())).collect();
    let rounding = Rounding::new(sizes, &groups, displays.iter().any(|display| *display != Display::Shown));
    // One bootstrap over all users serves every group's interval and the gap's.
    let draws = Draws { replicates: options.replicates, seed: rounding.means.number("resampling") };
    let users: Vec<&[f64]> = groups.iter().map(|group| group.values.as_slice()).collect();
    let samples = bootstrap(&users, draws);
    let table = Groups { groups: &groups, displays, samples: &samples, rounding, draws, options };
    let mut report = table.described(attribute, metric);
    table.compare(&mut report);
    Ok(report)
}

/// The groups of a report while it is made.
struct Groups<'a> {
    groups: &'a [Group],
    displays: Vec<Display>,
    samples: &'a [Vec<Measure>],
    rounding: Rounding,
    draws: Draws,
    options: &'a GroupOptions,
}

impl Groups<'_> {
    /// The rows without any test.
    fn described(&self, attribute: &str, metric: &str) -> GroupReport {
        let sizes: Vec<Option<usize>> = self
            .groups
            .iter()
            .zip(&self.displays)
            .map(|(group, display)| (*display != Display::Suppressed).then(|| self.rounding.size(group)))
            .collect();
        let n_used: usize = sizes.iter().flatten().sum();
        let share = |n: Option<usize>| match n {
            None => Err(Undefined::Suppressed),
            Some(_) if n_used == 0 => Err(Undefined::NoObservations),
            Some(n) => Ok(n as f64 / n_used as f64),
        };
        let rows: Vec<GroupRow> = (0..self.groups.len())
            .map(|place| {
                let (group, display) = (&self.groups[place], self.displays[place]);
                let interval = percentile_interval(&self.samples[place], self.options.level).ok();
                let (mean, interval) = match display {
                    Display::Suppressed => (Err(Undefined::Suppressed), None),
                    Display::IntervalOnly => (Err(Undefined::TooFew), interval.map(hidden_bounds)),
                    Display::Shown => (
                        mean(&group.values).map(|mean| self.rounding.mean(group, mean)),
                        interval.map(|interval| self.rounding.interval(group.values.len(), interval)),
                    ),
                };
                GroupRow {
                    group: group.name.clone(),
                    merged: group.merged,
                    n: sizes[place],
                    share: share(sizes[place]).into(),
                    mean: mean.into(),
                    interval,
                    display,
                    compared: display == Display::Shown,
                    p: None,
                    p_adjusted: None,
                    finding: Finding::NotTested,
                }
            })
            .collect();
        let unknown = rows.iter().find(|row| row.group == UNKNOWN).map_or(Some(0), |row| row.n);
        let undefined = || Value::from(Err(Undefined::NoGroups));
        GroupReport {
            attribute: attribute.to_owned(),
            metric: metric.to_owned(),
            suppressed: self.displays.iter().filter(|display| **display == Display::Suppressed).count(),
            n_used,
            unknown_share: share(unknown).into(),
            gap: undefined(),
            gap_interval: None,
            ratio: undefined(),
            mean_pairwise: undefined(),
            worst: None,
            noise_floor: undefined(),
            p: undefined(),
            p_any: undefined(),
            p_verdict: undefined(),
            p_adjusted: None,
            verdict: GroupVerdict::InsufficientData,
            may_gate: false,
            groups: rows,
        }
    }

    /// Places of the groups that are tested.
    fn compared(&self) -> Vec<usize> {
        (0..self.groups.len()).filter(|&place| self.displays[place] == Display::Shown).collect()
    }

    /// Adds what comparing the groups says.
    fn compare(&self, report: &mut GroupReport) {
        let chosen = self.compared();
        let means: Vec<f64> = chosen.iter().filter_map(|&i| mean(&self.groups[i].values).ok()).collect();
        self.by_interval(&chosen, report);
        let Ok(_) = gap(&means) else { return };
        // Of the means as they are told: what follows from those says nothing more.
        let told: Vec<f64> = chosen.iter().filter_map(|&place| report.groups[place].mean.value).collect();
        let tidied = |measure: Measure| Value::from(measure.map(tidy));
        (report.gap, report.ratio, report.mean_pairwise) =
            (tidied(gap(&told)), tidied(min_over_max(&told)), tidied(mean_pairwise(&told)));
        let smallest = chosen.iter().map(|&place| self.groups[place].values.len()).min().unwrap_or(0);
        let replicate = |b: usize| {
            let means: Result<Vec<f64>, Undefined> = chosen.iter().map(|&i| self.samples[i][b]).collect();
            means.and_then(|means| gap(&means))
        };
        let gaps: Vec<Measure> = (0..self.options.replicates).map(replicate).collect();
        report.gap_interval =
            percentile_interval(&gaps, self.options.level).ok().map(|gap| self.rounding.interval(smallest, gap));
        let users: Vec<&[f64]> = chosen.iter().map(|&i| self.groups[i].values.as_slice()).collect();
        let found = permute(&users, self.draws, self.options.level);
        self.findings(&chosen, &means, &found, report);
        (report.noise_floor, report.p, report.p_any) =
            (Ok((found.floor * 1e3).round() / 1e3).into(), Ok(found.gap_p).into(), Ok(found.any_p).into());
        let p = if chosen.len() == 2 { found.gap_p } else { (2.0 * found.gap_p.min(found.any_p)).min(1.0) };
        report.p_verdict = Ok(p).into();
        report.verdict = verdict_of(p, self.options.level);
        report.may_gate = users.iter().all(|users| users.len() >= self.options.gate_from);
    }

    /// The p of each compared group, what follows from it, and which group is served worst.
    fn findings(&self, chosen: &[usize], means: &[f64], found: &Permutation, report: &mut GroupReport) {
        let others = |place: usize| self.mean_of_others(chosen, place).unwrap_or(means[0]);
        for (((&place, &mean), &p), adjusted) in chosen.iter().zip(means).zip(&found.group_p).zip(holm(&found.group_p))
        {
            let row = &mut report.groups[place];
            (row.p, row.p_adjusted) = (Some(p), Some(adjusted));
            row.finding = match verdict_of(adjusted, self.options.level) {
                GroupVerdict::AboveNoise if mean < others(place) => Finding::Below,
                GroupVerdict::AboveNoise => Finding::Above,
                _ => Finding::Within,
            };
        }
        let order = |&(&place, mean): &(&usize, &f64)| (report.groups[place].finding != Finding::Below, *mean);
        report.worst = chosen
            .iter()
            .zip(means)
            .min_by(|left, right| order(left).0.cmp(&order(right).0).then(order(left).1.total_cmp(&order(right).1)))
            .map(|(&place, _)| self.groups[place].name.clone());
    }

    /// Mean of all compared users but those of one group.
    fn mean_of_others(&self, chosen: &[usize], place: usize) -> Measure {
        let others = chosen.iter().filter(|&&other| other != place).flat_map(|&other| &self.groups[other].values);
        mean(&others.copied().collect::<Vec<f64>>())
    }

    /// Interval-only groups: an interval that does not hold the mean of the compared users, at a level shared among these groups.
    fn by_interval(&self, chosen: &[usize], report: &mut GroupReport) {
        let few: Vec<usize> =
            (0..self.groups.len()).filter(|&place| self.displays[place] == Display::IntervalOnly).collect();
        let level = 1.0 - (1.0 - self.options.level) / few.len().max(1) as f64;
        for place in few {
            let interval = percentile_interval(&self.samples[place], level);
            if let (Ok(interval), Ok(others)) = (interval, self.mean_of_others(chosen, place)) {
                report.groups[place].finding = match () {
                    () if interval.high < others => Finding::Below,
                    () if interval.low > others => Finding::Above,
                    () => Finding::Within,
                };
            }
        }
    }
}

fn verdict_of(p: f64, level: f64) -> GroupVerdict {
    // The tolerance lets a p of exactly 1 − level count, whatever the last bit of the difference.
    if p <= 1.0 - level + 1e-12 { GroupVerdict::AboveNoise } else { GroupVerdict::WithinNoise }
}

/// Applies Holm over the attributes of one report and updates the verdicts.
pub fn holm_over(reports: &mut [GroupReport], level: f64) {
    let tested: Vec<usize> = (0..reports.len()).filter(|&i| reports[i].p_verdict.value.is_some()).collect();
    let p: Vec<f64> = tested.iter().filter_map(|&i| reports[i].p_verdict.value).collect();
    for (&index, adjusted) in tested.iter().zip(holm(&p)) {
        reports[index].p_adjusted = Some(adjusted);
        reports[index].verdict = verdict_of(adjusted, level);
    }
}
