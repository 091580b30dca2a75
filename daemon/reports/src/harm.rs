//! Whether a candidate harms a group of users or the variety of what is shown, against the incumbent (METRICS.md section 2: the lower
//! bound of a guardrail exceeds −margin). The primary metric can rise while one group pays for it, or while half of the catalogue vanishes.
//!
//! Harm is a claim about the candidate, so it is shown, not assumed: the lower bound lies at or below −margin, *and* the candidate is worse
//! beyond chance, at the error of the family (0.025, one-sided) divided by the number of values that are compared. What could be harm but
//! could as well be nothing is [`HarmVerdict::WithinNoise`]; too few users to tell is [`HarmVerdict::InsufficientData`], never "no harm".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::compare::compare_paired;
use crate::diversity::{aggregate_diversity, effective_items, gini, tail_membership, tail_share};
use crate::exposure::Attention;
use crate::resample::{bootstrap_statistic, quantile_sorted};
use crate::value::{Measure, Undefined, mean, same_length};

/// One-sided error of all harm claims of a family together.
const FAMILY: f64 = 0.025;
/// Groups below this are not named by their size (METRICS.md section 4).
const SUPPRESS_BELOW: usize = 10;
/// Share of interactions that the short head covers.
const HEAD: f64 = 0.8;

/// What a comparison says about harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HarmVerdict {
    /// The lower bound exceeds −margin.
    NoHarm,
    /// The lower bound does not, but chance explains the difference.
    WithinNoise,
    /// Worse beyond chance, and by more than the margin within the bounds.
    Harm,
    /// Too few users, or no value.
    InsufficientData,
}

impl HarmVerdict {
    /// The word for people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NoHarm => "no harm",
            Self::WithinNoise => "within noise",
            Self::Harm => "harm",
            Self::InsufficientData => "insufficient data",
        }
    }
}

/// The numbers of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HarmNumbers {
    /// The candidate's value.
    pub candidate: f64,
    /// The incumbent's.
    pub incumbent: f64,
    /// Candidate − incumbent for a group, (candidate − incumbent) / incumbent for diversity; below 0 is worse.
    pub change: f64,
    /// 95 % interval of the change over users.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Harm {
    /// The group, or the measure of diversity.
    pub name: String,
    /// Users compared; `None` where a group is so small that its size is not told.
    pub n: Option<usize>,
    /// The numbers; `None` with too little data.
    pub numbers: Option<HarmNumbers>,
    /// The word.
    pub verdict: HarmVerdict,
    /// Why there are no numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undefined: Option<Undefined>,
}

impl Harm {
    fn unknown(name: &str, n: usize, reason: Undefined) -> Self {
        let n = (n >= SUPPRESS_BELOW).then_some(n);
        Self {
            name: name.to_owned(),
            n,
            numbers: None,
            verdict: HarmVerdict::InsufficientData,
            undefined: Some(reason),
        }
    }
}

/// How harm is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HarmOptions {
    /// Loss that is tolerated; above 0. In units of the metric for groups, as a share of the incumbent's value for diversity.
    pub margin: f64,
    /// Users from which on anything is tested.
    pub least: usize,
    /// Replicates.
    pub replicates: usize,
    /// Seed.
    pub seed: u64,
}

impl HarmOptions {
    fn checked(&self) -> Result<(), Undefined> {
        if self.margin > 0.0 && self.margin.is_finite() && self.replicates > 1 {
            Ok(())
        } else {
            Err(Undefined::BadParameter)
        }
    }
}

/// Values of the same users by candidate and incumbent, higher is better.
#[derive(Clone, Copy, Debug)]
pub struct PairedValues<'a> {
    /// The candidate's value of each user.
    pub candidate: &'a [f64],
    /// The incumbent's.
    pub incumbent: &'a [f64],
}

/// Compares candidate and incumbent in every group of users, by label in ascending order. All groups of at least `least` users are tested,
/// the smallest as well as the largest.
///
/// # Errors
/// [`Undefined::LengthMismatch`], [`Undefined::NotFinite`], [`Undefined::BadParameter`] for a margin that is not above 0.
pub fn group_harm(values: PairedValues<'_>, labels: &[&str], options: &HarmOptions) -> Result<Vec<Harm>, Undefined> {
    options.checked()?;
    same_length(values.candidate.len(), labels.len())?;
    same_length(values.incumbent.len(), labels.len())?;
    if values.candidate.iter().chain(values.incumbent).any(|value| !value.is_finite()) {
        return Err(Undefined::NotFinite);
    }
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (user, label) in labels.iter().enumerate() {
        groups.entry(label).or_default().push(user);
    }
    let least = options.least.max(2);
    let tested = groups.values().filter(|users| users.len() >= least).count();
    let one = |(label, users): (&&str, &Vec<usize>)| {
        if users.len() < least {
            return Ok(Harm::unknown(label, users.len(), Undefined::TooFew));
        }
        let pick = |all: &[f64]| users.iter().map(|user| Some(all[*user])).collect::<Vec<_>>();
        let (mine, theirs) = (pick(values.candidate), pick(values.incumbent));
        let forward = compare_paired(&mine, &theirs, FAMILY, options.replicates, options.seed)?;
        // The same the other way round: whether the incumbent is better, at the error that is left for one group.
        let alpha = FAMILY / tested as f64;
        let worse = compare_paired(&theirs, &mine, alpha, options.replicates, options.seed)?.lower > 0.0;
        let numbers = HarmNumbers {
            candidate: forward.candidate,
            incumbent: forward.comparator,
            change: forward.difference,
            low: forward.interval.low,
            high: forward.interval.high,
        };
        let verdict = verdict(forward.lower, worse, options.margin);
        Ok(Harm { name: (*label).to_owned(), n: Some(users.len()), numbers: Some(numbers), verdict, undefined: None })
    };
    groups.iter().map(one).collect()
}

fn verdict(lower: f64, worse: bool, margin: f64) -> HarmVerdict {
    if lower > -margin {
        HarmVerdict::NoHarm
    } else if worse {
        HarmVerdict::Harm
    } else {
        HarmVerdict::WithinNoise
    }
}

/// Lists of the same users by candidate and incumbent.
#[derive(Clone, Copy, Debug)]
pub struct PairedLists<'a> {
    /// The candidate's list of each user, items by index below the catalogue.
    pub candidate: &'a [Vec<u32>],
    /// The incumbent's.
    pub incumbent: &'a [Vec<u32>],
    /// Interactions of each eligible item up to the lists: its length is the catalogue.
    pub popularity: &'a [f64],
    /// Length at which lists are cut.
    pub k: usize,
}

/// What diversity is measured by, higher is more diverse.
pub const DIVERSITY: [&str; 4] = ["coverage", "effective items", "tail share", "exposure evenness (1 - Gini)"];

/// Compares the variety of what is shown: coverage, effective items, tail share and position-weighted evenness of exposure (1 − Gini), each
/// relative to the incumbent's. Users are resampled in both arms together; since a replicate has fewer distinct users and therefore less
/// coverage, the interval is the spread of the replicates about their own mean, laid around the change that was found.
///
/// # Errors
/// [`Undefined::LengthMismatch`], [`Undefined::BadParameter`] for an item outside the catalogue or a margin that is not above 0.
pub fn diversity_harm(lists: PairedLists<'_>, options: &HarmOptions) -> Result<Vec<Harm>, Undefined> {
    options.checked()?;
    let users = lists.candidate.len();
    same_length(users, lists.incumbent.len())?;
    let tail = tail_membership(lists.popularity, HEAD);
    let measure = Measured { lists, tail };
    let all = vec![1; users];
    let observed = measure.changes(&all)?;
    if users < options.least.max(2) {
        return Ok(DIVERSITY.iter().map(|name| Harm::unknown(name, users, Undefined::TooFew)).collect());
    }
    let mut drawn: [Vec<f64>; 4] = Default::default();
    bootstrap_statistic(users, options.replicates, options.seed, |weights| {
        for (values, change) in drawn.iter_mut().zip(measure.changes(weights)?) {
            values.extend(change.ok().map(|change| change.change));
        }
        Ok(0.0)
    });
    let compared = observed.iter().filter(|change| change.is_ok()).count().max(1);
    let one = |((name, change), values): ((&&str, &Result<Change, Undefined>), &mut Vec<f64>)| {
        let (change, centre) = match (change, mean(values)) {
            (Ok(change), Ok(centre)) if values.len() * 2 >= options.replicates => (change, centre),
            (Err(reason), _) => return Harm::unknown(name, users, *reason),
            _ => return Harm::unknown(name, users, Undefined::TooFew),
        };
        values.sort_by(f64::total_cmp);
        let bound = |p: f64| change.change + quantile_sorted(values, p) - centre;
        let worse = bound(1.0 - FAMILY / compared as f64) < 0.0;
        let numbers = HarmNumbers {
            candidate: change.candidate,
            incumbent: change.incumbent,
            change: change.change,
            low: bound(FAMILY),
            high: bound(1.0 - FAMILY),
        };
        let verdict = verdict(numbers.low, worse, options.margin);
        Harm { name: (*name).to_owned(), n: Some(users), numbers: Some(numbers), verdict, undefined: None }
    };
    Ok(DIVERSITY.iter().zip(&observed).zip(&mut drawn).map(one).collect())
}

/// A measure of both arms.
#[derive(Clone, Copy)]
struct Change {
    candidate: f64,
    incumbent: f64,
    change: f64,
}

struct Measured<'a> {
    lists: PairedLists<'a>,
    tail: Result<Vec<f64>, Undefined>,
}

impl Measured<'_> {
    /// The relative changes under user weights; an undefined one is a value, an unknown item an error.
    fn changes(&self, weights: &[u32]) -> Result<[Result<Change, Undefined>; 4], Undefined> {
        let (mine, theirs) =
            (self.measures(self.lists.candidate, weights)?, self.measures(self.lists.incumbent, weights)?);
        let change = |n: usize| match (mine[n], theirs[n]) {
            (Ok(candidate), Ok(incumbent)) if incumbent > 0.0 => {
                Ok(Change { candidate, incumbent, change: (candidate - incumbent) / incumbent })
            }
            (Ok(_), Ok(_)) => Err(Undefined::ZeroDenominator),
            (Err(reason), _) | (_, Err(reason)) => Err(reason),
        };
        Ok([0, 1, 2, 3].map(change))
    }

    fn measures(&self, lists: &[Vec<u32>], weights: &[u32]) -> Result<[Measure; 4], Undefined> {
        let PairedLists { popularity, k, .. } = self.lists;
        let (mut counts, mut exposure) = (vec![0.0; popularity.len()], vec![0.0; popularity.len()]);
        let attention: Vec<f64> = (0..k).map(|position| Attention::Logarithmic.at(position)).collect();
        for (list, weight) in lists.iter().zip(weights).filter(|(_, weight)| **weight > 0) {
            for (item, seen) in list.iter().zip(&attention) {
                *counts.get_mut(*item as usize).ok_or(Undefined::BadParameter)? += f64::from(*weight);
                exposure[*item as usize] += f64::from(*weight) * seen;
            }
        }
        let tail = self.tail.as_ref().map_err(|reason| *reason);
        Ok([
            Ok(aggregate_diversity(&counts) as f64 / popularity.len().max(1) as f64),
            effective_items(&counts),
            tail.and_then(|tail| tail_share(&exposure, tail)),
            gini(&exposure).map(|gini| 1.0 - gini),
        ])
    }
}
