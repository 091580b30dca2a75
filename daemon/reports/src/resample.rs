//! Intervals by resampling users (METRICS.md section 2): Poisson bootstrap and sign-flip randomisation, both seeded.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::value::{Measure, Undefined, mean};

/// Replicates of a bootstrap or a randomisation test unless something else is asked for.
pub const REPLICATES: usize = 2000;

/// A generator whose stream depends on the seed and on what it is used for, so that two tests never share draws by accident.
pub(crate) fn generator(seed: u64, purpose: &str) -> ChaCha8Rng {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.update(purpose.as_bytes());
    ChaCha8Rng::from_seed(*hasher.finalize().as_bytes())
}

/// Uniform integer below `bound` without bias (Lemire 2019, rejection on the low word).
pub(crate) fn below(rng: &mut ChaCha8Rng, bound: u32) -> u32 {
    loop {
        let product = u64::from(rng.next_u32()) * u64::from(bound);
        if (product as u32) >= bound.wrapping_neg() % bound {
            return (product >> 32) as u32;
        }
    }
}

/// Fisher–Yates shuffle.
pub(crate) fn shuffle<T>(rng: &mut ChaCha8Rng, values: &mut [T]) {
    for last in (1..values.len()).rev() {
        let other = below(rng, last as u32 + 1) as usize;
        values.swap(last, other);
    }
}

/// Poisson(1) draws by inversion from 32 bits; the table is cut where less than 2^-32 is left.
pub(crate) struct Poisson {
    bounds: [u32; 12],
}

impl Poisson {
    pub(crate) fn new() -> Self {
        let (mut term, mut sum) = ((-1.0_f64).exp(), 0.0);
        let bounds = std::array::from_fn(|count| {
            sum += term;
            term /= (count + 1) as f64;
            (sum * 4_294_967_296.0).min(4_294_967_295.0) as u32
        });
        Self { bounds }
    }

    pub(crate) fn draw(&self, rng: &mut ChaCha8Rng) -> u32 {
        let number = rng.next_u32();
        self.bounds.iter().take_while(|bound| number >= **bound).count() as u32
    }
}

/// A confidence interval and how it was made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
    /// Coverage aimed at, as in 0.95.
    pub level: f64,
    /// Replicates in which the statistic was defined.
    pub replicates: usize,
}

/// The value below which the share `p` of the sorted sample lies, interpolated (Hyndman and Fan type 7).
#[must_use]
pub fn quantile_sorted(sorted: &[f64], p: f64) -> f64 {
    let place = p.clamp(0.0, 1.0) * (sorted.len().saturating_sub(1)) as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

/// Percentile interval of a bootstrap sample.
///
/// # Errors
/// [`Undefined::TooFew`] when fewer than half of the replicates gave a value.
pub fn percentile_interval(sample: &[Measure], level: f64) -> Result<Interval, Undefined> {
    let mut values: Vec<f64> = sample.iter().filter_map(|value| value.ok()).filter(|value| value.is_finite()).collect();
    if values.is_empty() || values.len() * 2 < sample.len() {
        return Err(Undefined::TooFew);
    }
    values.sort_by(f64::total_cmp);
    let tail = (1.0 - level) / 2.0;
    Ok(Interval {
        low: quantile_sorted(&values, tail),
        high: quantile_sorted(&values, 1.0 - tail),
        level,
        replicates: values.len(),
    })
}

/// Poisson bootstrap of any statistic of users: each replicate hands `statistic` one weight per user (0, 1, 2, ...).
///
/// A replicate in which the statistic is undefined (it misses a group) is null, not an error.
pub fn bootstrap_statistic(
    users: usize,
    replicates: usize,
    seed: u64,
    mut statistic: impl FnMut(&[u32]) -> Measure,
) -> Vec<Measure> {
    let (mut rng, poisson) = (generator(seed, "poisson bootstrap"), Poisson::new());
    let mut weights = vec![0_u32; users];
    (0..replicates)
        .map(|_| {
            weights.iter_mut().for_each(|weight| *weight = poisson.draw(&mut rng));
            statistic(&weights)
        })
        .collect()
}

/// Mean with integer weights.
///
/// # Errors
/// [`Undefined::NoObservations`] when all weights are 0.
pub fn weighted_mean(values: &[f64], weights: &[u32]) -> Measure {
    let (mut sum, mut mass) = (0.0, 0_u64);
    for (value, weight) in values.iter().zip(weights) {
        sum += value * f64::from(*weight);
        mass += u64::from(*weight);
    }
    if mass == 0 { Err(Undefined::NoObservations) } else { Ok(sum / mass as f64) }
}

/// Mean over users with its percentile interval by Poisson bootstrap.
///
/// # Errors
/// [`Undefined::NoObservations`] for an empty slice, [`Undefined::NotFinite`], [`Undefined::TooFew`] when most replicates are empty.
pub fn bootstrap_mean(values: &[f64], level: f64, replicates: usize, seed: u64) -> Result<(f64, Interval), Undefined> {
    let centre = mean(values)?;
    let sample = bootstrap_statistic(values.len(), replicates, seed, |weights| weighted_mean(values, weights));
    Ok((centre, percentile_interval(&sample, level)?))
}

/// A mean with its interval, or why there is none.
pub type Estimate = Result<(f64, Interval), Undefined>;

/// The same for many columns over the same users: each replicate draws its weights once, so that the intervals are those of
/// [`bootstrap_mean`] at a fraction of the work.
///
/// # Errors
/// [`Undefined::LengthMismatch`] if the columns differ in length; per column those of [`bootstrap_mean`].
pub fn bootstrap_means(
    columns: &[&[f64]],
    level: f64,
    replicates: usize,
    seed: u64,
) -> Result<Vec<Estimate>, Undefined> {
    let users = columns.first().map_or(0, |column| column.len());
    if columns.iter().any(|column| column.len() != users) {
        return Err(Undefined::LengthMismatch);
    }
    let mut samples: Vec<Vec<Measure>> = vec![Vec::with_capacity(replicates); columns.len()];
    bootstrap_statistic(users, replicates, seed, |weights| {
        for (sample, column) in samples.iter_mut().zip(columns) {
            sample.push(weighted_mean(column, weights));
        }
        Ok(0.0)
    });
    let one = |(column, sample): (&&[f64], &Vec<Measure>)| Ok((mean(column)?, percentile_interval(sample, level)?));
    Ok(columns.iter().zip(&samples).map(one).collect())
}

/// Differences up to this many that are not zero are enumerated instead of drawn.
const EXACT: usize = 14;

/// Two-sided sign-flip randomisation p of paired differences: (1 + #{|d*| ≥ |d|}) / (B + 1), never 0.
///
/// With at most 14 differences that are not zero, all sign patterns are enumerated and the p is exact.
///
/// # Errors
/// [`Undefined::NoObservations`] for an empty slice, [`Undefined::NotFinite`].
pub fn sign_flip_p(differences: &[f64], replicates: usize, seed: u64) -> Measure {
    let observed = (mean(differences)? * differences.len() as f64).abs();
    let moved: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    // Sums in another order differ in the last bits; without the tolerance an equal sum could count as smaller.
    let reached = |sum: f64| sum.abs() >= observed - 1e-12 * moved.iter().map(|d| d.abs()).sum::<f64>();
    if moved.len() <= EXACT {
        let patterns = 1_u32 << moved.len();
        let flipped =
            |pattern: u32| moved.iter().enumerate().map(|(i, d)| if pattern >> i & 1 == 1 { -d } else { *d }).sum();
        let extreme = (0..patterns).filter(|&pattern| reached(flipped(pattern))).count();
        return Ok(extreme as f64 / f64::from(patterns));
    }
    let threshold = observed - 1e-12 * moved.iter().map(|d| d.abs()).sum::<f64>();
    let mut rng = generator(seed, "sign flip");
    let mut extreme = 0_usize;
    for _ in 0..replicates {
        let mut sum = 0.0;
        for block in moved.chunks(64) {
            let mut bits = rng.next_u64();
            for difference in block {
                // The lowest random bit becomes the sign bit.
                sum += f64::from_bits(difference.to_bits() ^ (bits << 63));
                bits >>= 1;
            }
        }
        extreme += usize::from(sum.abs() >= threshold);
    }
    Ok((extreme + 1) as f64 / (replicates + 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poisson_draws_have_mean_and_variance_one() {
        let (mut rng, poisson) = (generator(1, "test"), Poisson::new());
        let draws: Vec<f64> = (0..200_000).map(|_| f64::from(poisson.draw(&mut rng))).collect();
        let centre = mean(&draws).unwrap();
        let variance = draws.iter().map(|d| (d - centre).powi(2)).sum::<f64>() / draws.len() as f64;
        assert!((centre - 1.0).abs() < 0.01 && (variance - 1.0).abs() < 0.02, "{centre} {variance}");
    }

    #[test]
    fn the_interval_covers_the_truth_as_often_as_it_says() {
        // Zero-inflated values like NDCG: 60 % zeros, else uniform. True mean 0.2.
        let mut rng = generator(2, "test");
        let mut draw = || f64::from(rng.next_u32()) / 4_294_967_296.0;
        let covered = (0..300)
            .filter(|round| {
                let values: Vec<f64> = (0..150).map(|_| if draw() < 0.6 { 0.0 } else { draw() }).collect();
                let (_, interval) = bootstrap_mean(&values, 0.95, 400, *round).unwrap();
                interval.low <= 0.2 && 0.2 <= interval.high
            })
            .count();
        assert!((270..=296).contains(&covered), "covered {covered} of 300");
    }

    #[test]
    fn same_seed_same_interval_and_other_seed_another() {
        let values: Vec<f64> = (0..50).map(|i| f64::from(i % 7)).collect();
        let run = |seed| bootstrap_mean(&values, 0.95, 500, seed).unwrap();
        assert_eq!(run(4), run(4));
        assert_ne!(run(4), run(5));
    }

    #[test]
    fn columns_together_have_the_intervals_they_have_alone() {
        let first: Vec<f64> = (0..40).map(|i| f64::from(i % 7) / 7.0).collect();
        let second: Vec<f64> = (0..40).map(|i| f64::from(i % 3)).collect();
        let both = bootstrap_means(&[&first, &second], 0.95, 500, 9).unwrap();
        assert_eq!(both[0], bootstrap_mean(&first, 0.95, 500, 9));
        assert_eq!(both[1], bootstrap_mean(&second, 0.95, 500, 9));
        assert_eq!(bootstrap_means(&[&first, &second[1..]], 0.95, 10, 9), Err(Undefined::LengthMismatch));
    }

    #[test]
    fn drawn_and_enumerated_randomisation_agree() {
        let differences: Vec<f64> =
            (0..15).map(|i| f64::from(i) * 0.03 - 0.1 + if i % 2 == 0 { 0.07 } else { -0.02 }).collect();
        let drawn = sign_flip_p(&differences, 20_000, 3).unwrap();
        let exact = sign_flip_p(&differences[..14], 0, 3).unwrap();
        let drawn14 = {
            // The 15th difference is tiny, so that 14 of them decide and the draw takes the other path.
            let mut more = differences[..14].to_vec();
            more.push(1e-15);
            sign_flip_p(&more, 20_000, 3).unwrap()
        };
        assert!((exact - drawn14).abs() < 0.01, "{exact} {drawn14}");
        assert!(drawn > 0.0 && drawn < 0.05);
        assert_eq!(sign_flip_p(&[0.0, 0.0], 100, 1), Ok(1.0));
        assert!(sign_flip_p(&[], 100, 1).is_err());
    }
}
