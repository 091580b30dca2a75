//! Resampling of groups of users: the bootstrap of their means, and permutation tests of the largest gap and of each group against the
//! rest (METRICS.md section 4).

use crate::gaps::gap;
use crate::resample::{bootstrap_statistic, generator, quantile_sorted, shuffle, weighted_mean};
use crate::value::Measure;

/// How often is drawn, and from which seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draws {
    pub(crate) replicates: usize,
    pub(crate) seed: u64,
}

/// What shuffling the labels among the users says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Permutation {
    /// The gap that `level` of the shuffles do not exceed.
    pub(crate) floor: f64,
    /// p of max − min.
    pub(crate) gap_p: f64,
    /// p of each group against the rest, not adjusted.
    pub(crate) group_p: Vec<f64>,
    /// p of the largest standardised difference of any group from the rest (max-T; Westfall and Young 1993). It keeps its power where
    /// a small group, whose mean varies much, widens the gap that chance makes.
    pub(crate) any_p: f64,
}

/// Differences of each group from all others, over the standard error that they share up to a factor: the standard deviation of the
/// pooled values is the same in every shuffle.
fn standardised(sums: &[f64], sizes: &[usize]) -> Vec<f64> {
    let (total, users) = (sums.iter().sum::<f64>(), sizes.iter().sum::<usize>());
    sums.iter()
        .zip(sizes)
        .map(|(sum, &n)| {
            let (n, rest) = (n as f64, (users - n) as f64);
            (sum / n - (total - sum) / rest) / (1.0 / n + 1.0 / rest).sqrt()
        })
        .collect()
}

fn block_sums(pooled: &[f64], sizes: &[usize]) -> Vec<f64> {
    let mut rest = pooled;
    sizes
        .iter()
        .map(|&size| {
            let (block, after) = rest.split_at(size);
            rest = after;
            block.iter().sum()
        })
        .collect()
}

fn means(sums: &[f64], sizes: &[usize]) -> Vec<f64> {
    sums.iter().zip(sizes).map(|(sum, &n)| sum / n as f64).collect()
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |most, value| most.max(value.abs()))
}

/// Shuffles the users of at least two groups, none of them empty.
pub(crate) fn permute(groups: &[&[f64]], draws: Draws, level: f64) -> Permutation {
    let Draws { replicates, seed } = draws;
    let sizes: Vec<usize> = groups.iter().map(|values| values.len()).collect();
    let mut pooled: Vec<f64> = groups.concat();
    let observed_sums = block_sums(&pooled, &sizes);
    let observed = standardised(&observed_sums, &sizes);
    let observed_gap = gap(&means(&observed_sums, &sizes)).unwrap_or(0.0);
    // A shuffle that rebuilds the same groups may differ in the last bits and still has to count.
    let reaches = |other: f64, value: f64| other >= value - 1e-12;
    let mut rng = generator(seed, "group permutation");
    let mut gaps = Vec::with_capacity(replicates);
    let (mut group_hits, mut any_hits) = (vec![0_usize; groups.len()], 0_usize);
    for _ in 0..replicates {
        shuffle(&mut rng, &mut pooled);
        let sums = block_sums(&pooled, &sizes);
        gaps.push(gap(&means(&sums, &sizes)).unwrap_or(0.0));
        let differences = standardised(&sums, &sizes);
        for ((hits, other), value) in group_hits.iter_mut().zip(&differences).zip(&observed) {
            *hits += usize::from(reaches(other.abs(), value.abs()));
        }
        any_hits += usize::from(reaches(largest(&differences), largest(&observed)));
    }
    gaps.sort_by(f64::total_cmp);
    let p = |hits: usize| (hits + 1) as f64 / (replicates + 1) as f64;
    Permutation {
        floor: quantile_sorted(&gaps, level),
        gap_p: p(gaps.iter().filter(|other| reaches(**other, observed_gap)).count()),
        group_p: group_hits.into_iter().map(p).collect(),
        any_p: p(any_hits),
    }
}

/// Per group, the means of all replicates of one Poisson bootstrap over users.
pub(crate) fn bootstrap(groups: &[&[f64]], draws: Draws) -> Vec<Vec<Measure>> {
    let users = groups.iter().map(|values| values.len()).sum();
    let mut samples: Vec<Vec<Measure>> = vec![Vec::with_capacity(draws.replicates); groups.len()];
    bootstrap_statistic(users, draws.replicates, draws.seed, |weights| {
        let mut start = 0;
        for (values, sample) in groups.iter().zip(&mut samples) {
            sample.push(weighted_mean(values, &weights[start..start + values.len()]));
            start += values.len();
        }
        Ok(0.0)
    });
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_groups_have_p_one() {
        let same = permute(&[&[0.5; 10], &[0.5; 20]], Draws { replicates: 50, seed: 1 }, 0.95);
        assert_eq!((same.gap_p, same.any_p, same.floor), (1.0, 1.0, 0.0));
        assert_eq!(same.group_p, [1.0, 1.0]);
    }

    #[test]
    fn two_groups_have_one_test_and_no_p_is_zero() {
        let two = permute(&[&[0.0; 40], &[1.0; 40]], Draws { replicates: 199, seed: 2 }, 0.95);
        assert_eq!((two.gap_p, two.any_p), (0.005, 0.005));
        assert_eq!(two.group_p, [0.005, 0.005]);
    }
}
