//! Aggregates values per shopper: means with intervals, paired differences, and a sentence per slice.

use mercer_reports::{Estimate, bootstrap_means, compare_paired};
use mercer_shared::wire::{
    ArmDifference, ArmValues, DifferenceVerdict, EvaluatedSlice, Evaluation, Measured, MetricValue,
};
use rayon::prelude::*;

use crate::evaluation::bench::{Bench, METRICS, metric_name};
use crate::evaluation::contestant::Contestant;
use crate::evaluation::slices::{All, EvaluatedLists, LISTS, WIDTH};
use crate::reports::window_lists::known;
use crate::runs::context::{RunContext, RunExit, failed};

/// Fewer shoppers than this decide nothing.
pub(crate) const ENOUGH: usize = 30;
/// Fewer than this are not shown: their mean would point at persons.
pub(crate) const SHOWN: usize = 10;
/// Replicates of every interval.
pub(crate) const REPLICATES: usize = 2_000;
/// One-sided error of the bound beside a 95 % interval.
pub(crate) const ALPHA: f64 = 0.025;

/// A slice: a kind of list, and which of its shoppers.
pub(crate) struct Part<'a> {
    name: String,
    what: String,
    lists: &'a EvaluatedLists,
    rows: Vec<usize>,
}

pub(crate) fn parts<'a>(all: &'a All) -> Vec<Part<'a>> {
    let mut out: Vec<Part<'a>> = LISTS
        .iter()
        .zip(&all.lists)
        .map(|((name, what, ..), lists)| Part {
            name: (*name).to_owned(),
            what: (*what).to_owned(),
            lists,
            rows: (0..lists.truth.len()).collect(),
        })
        .collect();
    let Some(any) = all.lists.first() else { return out };
    let (heavy, light): (Vec<usize>, Vec<usize>) =
        (0..any.truth.len()).partition(|row| all.histories.is_heavy(any.truth[*row].user));
    let days = all.histories.border_days();
    for (name, rows, what) in [
        ("light", light, format!("repeat-all of shoppers who bought on at most {days} before")),
        ("heavy", heavy, format!("repeat-all of shoppers who bought on more than {days} before")),
    ] {
        out.push(Part { name: name.to_owned(), what, lists: any, rows });
    }
    out
}

/// Every slice with its numbers, and the findings in words.
pub(crate) fn slices(
    bench: &Bench<'_>,
    arms: &[Contestant],
    all: &All,
    seed: u64,
    context: &RunContext<'_>,
) -> Result<(Vec<EvaluatedSlice>, Vec<String>), RunExit> {
    let mut out = Vec::new();
    for part in parts(all) {
        context.check()?;
        out.push(slice(bench, arms, &part, seed)?);
    }
    let verdict = out.iter().map(sentence).collect();
    Ok((out, verdict))
}

pub(crate) fn slice(
    bench: &Bench<'_>,
    arms: &[Contestant],
    part: &Part<'_>,
    seed: u64,
) -> Result<EvaluatedSlice, RunExit> {
    let n = part.rows.len();
    let mut slice = EvaluatedSlice {
        name: part.name.clone(),
        what: part.what.clone(),
        n: n as u64,
        insufficient: None,
        arms: Vec::new(),
        against: Vec::new(),
    };
    if n < ENOUGH {
        let shoppers = if n == 1 { "shopper" } else { "shoppers" };
        slice.insufficient = Some(format!("{n} {shoppers}, at least {ENOUGH} are needed to decide anything"));
    }
    if n < SHOWN {
        return Ok(slice);
    }
    let column = |arm: usize, metric: usize| -> Vec<f64> {
        part.rows.iter().map(|&row| part.lists.arms[arm].rows[row][metric]).collect()
    };
    let values: Vec<Vec<f64>> = (0..arms.len())
        .flat_map(|arm| (0..WIDTH).map(move |metric| (arm, metric)))
        .map(|(a, m)| column(a, m))
        .collect();
    let columns: Vec<&[f64]> = values.iter().map(Vec::as_slice).collect();
    let means = bootstrap_means(&columns, 0.95, REPLICATES, seed).map_err(|e| failed(&e))?;
    for (number, (arm, means)) in arms.iter().zip(means.chunks_exact(WIDTH)).enumerate() {
        let values = METRICS.iter().zip(means).map(|(metric, mean)| measured(metric_name(*metric, bench.k), mean));
        slice.arms.push(ArmValues {
            arm: arm.name.clone(),
            tied: part.lists.arms[number].tied,
            values: values.collect(),
        });
    }
    let ndcg: Vec<Vec<Option<f64>>> = values.iter().step_by(WIDTH).map(|values| known(values)).collect();
    let (Some(mine), others) = (ndcg.first(), ndcg.get(1..).unwrap_or_default()) else { return Ok(slice) };
    slice.against = others
        .par_iter()
        .zip(&arms[1..])
        .map(|(theirs, arm)| {
            let compared = compare_paired(mine, theirs, ALPHA, REPLICATES, seed).map_err(|e| failed(&e))?;
            let (low, high) = (compared.interval.low, compared.interval.high);
            Ok(ArmDifference {
                arm: arm.name.clone(),
                difference: compared.difference,
                low,
                high,
                p: compared.p,
                detectable: compared.detectable.value,
                verdict: if n < ENOUGH {
                    DifferenceVerdict::Insufficient
                } else if low > 0.0 {
                    DifferenceVerdict::Better
                } else if high < 0.0 {
                    DifferenceVerdict::Worse
                } else {
                    DifferenceVerdict::NoDifferenceShown
                },
            })
        })
        .collect::<Result<_, RunExit>>()?;
    Ok(slice)
}

pub(crate) fn measured(metric: String, mean: &Estimate) -> Measured {
    let known = mean.as_ref().ok();
    Measured {
        metric,
        value: known.map(|(value, _)| *value),
        low: known.map(|(_, interval)| interval.low),
        high: known.map(|(_, interval)| interval.high),
    }
}

/// What a slice says, in a sentence.
pub(crate) fn sentence(slice: &EvaluatedSlice) -> String {
    let head = &slice.name;
    if let Some(why) = &slice.insufficient {
        return format!("{head}: insufficient ({why})");
    }
    let with = |verdict: DifferenceVerdict| -> Vec<&str> {
        slice.against.iter().filter(|other| other.verdict == verdict).map(|other| other.arm.as_str()).collect()
    };
    let (better, even, worse) =
        (with(DifferenceVerdict::Better), with(DifferenceVerdict::NoDifferenceShown), with(DifferenceVerdict::Worse));
    let all = slice.against.len();
    let mut parts = Vec::new();
    for (arms, every, some) in [
        (better, "better than every arm", "better than"),
        (even, "no difference shown to any arm", "no difference shown to"),
        (worse, "worse than every arm", "worse than"),
    ] {
        if arms.len() == all {
            parts.push(every.to_owned());
        } else if !arms.is_empty() {
            parts.push(format!("{some} {}", arms.join(", ")));
        }
    }
    format!("{head}: {} (n={})", parts.join("; "), slice.n)
}

/// Mercer's NDCG by slice, for the record of the run.
pub(crate) fn headline(evaluation: &Evaluation) -> Vec<MetricValue> {
    let first = |slice: &EvaluatedSlice| slice.arms.first().and_then(|arm| arm.values.first()).cloned();
    let of = |slice: &EvaluatedSlice| {
        let measured = first(slice)?;
        Some(MetricValue {
            name: measured.metric,
            slice: slice.name.clone(),
            value: measured.value,
            low: measured.low,
            high: measured.high,
            n: slice.n,
        })
    };
    evaluation.slices.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(verdicts: &[(&str, DifferenceVerdict)]) -> EvaluatedSlice {
        let against = verdicts.iter().map(|(arm, verdict)| ArmDifference {
            arm: (*arm).to_owned(),
            difference: 0.0,
            low: 0.0,
            high: 0.0,
            p: 1.0,
            detectable: None,
            verdict: *verdict,
        });
        EvaluatedSlice {
            name: "cold".into(),
            what: String::new(),
            n: 41,
            insufficient: None,
            arms: Vec::new(),
            against: against.collect(),
        }
    }

    #[test]
    fn a_sentence_says_who_was_beaten_and_who_was_not() {
        use DifferenceVerdict::{Better, NoDifferenceShown, Worse};
        assert_eq!(sentence(&slice(&[("A", Better), ("B", Better)])), "cold: better than every arm (n=41)");
        assert_eq!(
            sentence(&slice(&[("A", NoDifferenceShown), ("B", NoDifferenceShown)])),
            "cold: no difference shown to any arm (n=41)"
        );
        assert_eq!(
            sentence(&slice(&[("A", Better), ("B", NoDifferenceShown), ("C", Worse)])),
            "cold: better than A; no difference shown to B; worse than C (n=41)"
        );
        let few = EvaluatedSlice { insufficient: Some("4 shoppers".into()), ..slice(&[]) };
        assert_eq!(sentence(&few), "cold: insufficient (4 shoppers)");
    }
}
