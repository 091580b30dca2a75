//! Calibration error with an interval that can hold the truth (METRICS.md section 1).
//!
//! The plug-in ECE is a sum of absolute values, so it is above 0 for a perfectly calibrated model, and it grows again in every bootstrap
//! replicate: a percentile interval of it often lies wholly above the value it belongs to. Here the bias is estimated and removed, and
//! shown. Bins are made once, on all rows. Users are resampled, so that the rows of one user count as one observation.
//!
//! * `ece`: the plug-in value, as other tools print it.
//! * `debiased`: Σ (n_b / n) (|d_b| − bias_b), where d_b is accuracy − confidence of bin b, s_b its standard error over users, and bias_b
//!   what normal noise of s_b adds to the absolute value of a true gap √max(0, d_b² − s_b²) (the mean of a folded normal).
//! * the interval: the spread of Σ (n_b / n) sign(d_b) d*_b over replicates about its own mean, laid around `debiased`, cut at 0 and 1.
//!   With fixed signs the sum is linear, so that its spread is that of the gaps and nothing is folded up at 0. The lower end is 0 where
//!   `ece` does not exceed `chance_high`, that is, where perfect calibration is not refuted.
//! * `chance`: what a perfectly calibrated model would show with these rows, Σ (n_b / n) |d*_b − d_b| over replicates (consistency
//!   resampling, Bröcker and Smith 2007, with users as clusters), and its quantile `chance_high`.

use crate::classification::{Binning, Labelled, calibration};
use crate::distributions::normal_cdf;
use crate::resample::{Interval, bootstrap_statistic, quantile_sorted};
use crate::value::{Measure, Undefined, mean, same_length, standard_deviation};

/// Calibration error of probabilities over users. All values are differences of probabilities, in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CalibrationError {
    /// The plug-in expected calibration error.
    pub ece: f64,
    /// The largest |accuracy − confidence| of a bin. It is biased upward more than `ece`, so it has no interval.
    pub mce: f64,
    /// ECE without what chance adds; at most `ece`.
    pub debiased: f64,
    /// Interval of the calibration error; it holds `debiased`, and not always `ece`.
    pub interval: Interval,
    /// Mean ECE of a perfectly calibrated model with these rows.
    pub chance: f64,
    /// The value that ECE of a perfectly calibrated model exceeds in a share 1 − level of logs like this.
    pub chance_high: f64,
    /// Whether perfect calibration is refuted: `ece` exceeds `chance_high`.
    pub above_chance: bool,
    /// Predicted over observed positives, always printed beside.
    pub ratio: Measure,
}

/// Sum of label − probability and number of rows, of one user in one bin.
#[derive(Clone, Copy)]
struct Cell {
    bin: usize,
    gap: f64,
    rows: f64,
}

/// The rows of users in bins.
struct Binned {
    users: Vec<Vec<Cell>>,
    bins: usize,
}

impl Binned {
    fn of(users: &[Labelled<'_>], binning: Binning) -> Self {
        let mut all: Vec<f64> = users.iter().flat_map(|user| user.scores.iter().copied()).collect();
        all.sort_by(f64::total_cmp);
        let (Binning::EqualWidth(bins) | Binning::EqualMass(bins)) = binning;
        let bin_of = |p: f64| match binning {
            Binning::EqualWidth(_) => ((p * bins as f64) as usize).min(bins - 1),
            Binning::EqualMass(_) => all.partition_point(|other| *other < p) * bins / all.len(),
        };
        let cells = |user: &Labelled<'_>| {
            let mut cells: Vec<Cell> = Vec::new();
            for (label, p) in user.labels.iter().zip(user.scores) {
                let (bin, gap) = (bin_of(*p), f64::from(u8::from(*label)) - p);
                match cells.iter_mut().find(|cell| cell.bin == bin) {
                    Some(cell) => (cell.gap, cell.rows) = (cell.gap + gap, cell.rows + 1.0),
                    None => cells.push(Cell { bin, gap, rows: 1.0 }),
                }
            }
            cells
        };
        Self { users: users.iter().map(cells).collect(), bins }
    }

    /// Accuracy − confidence and rows of every bin under user weights; the gap of an empty bin is undefined.
    fn gaps(&self, weights: &[u32]) -> Vec<(Measure, f64)> {
        let mut sums = vec![(0.0_f64, 0.0_f64); self.bins];
        for (cells, weight) in self.users.iter().zip(weights) {
            let weight = f64::from(*weight);
            for cell in cells {
                let sum = &mut sums[cell.bin];
                *sum = (sum.0 + weight * cell.gap, sum.1 + weight * cell.rows);
            }
        }
        let gap =
            |(gap, rows): (f64, f64)| (if rows > 0.0 { Ok(gap / rows) } else { Err(Undefined::NoObservations) }, rows);
        sums.into_iter().map(gap).collect()
    }
}

/// Mean of |X| for normal X with this mean (at least 0) and standard deviation.
fn folded_mean(centre: f64, sd: f64) -> f64 {
    if sd <= 0.0 {
        return centre;
    }
    let z = centre / sd;
    let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    centre * (2.0 * normal_cdf(z) - 1.0) + 2.0 * sd * density
}

/// How the interval is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resampling {
    /// Coverage aimed at, as in 0.95.
    pub level: f64,
    /// Replicates.
    pub replicates: usize,
    /// Seed.
    pub seed: u64,
}

/// Calibration error over users with its interval; the report prints it for 15 bins of equal mass and for 10 of equal width.
///
/// # Errors
/// Those of [`calibration`]; [`Undefined::TooFew`] below two users or replicates, [`Undefined::BadParameter`] for a level outside (0, 1).
pub fn calibration_error(
    users: &[Labelled<'_>],
    binning: Binning,
    resampling: Resampling,
) -> Result<CalibrationError, Undefined> {
    let Resampling { level, replicates, seed } = resampling;
    if !(level > 0.0 && level < 1.0) {
        return Err(Undefined::BadParameter);
    }
    for user in users {
        same_length(user.labels.len(), user.scores.len())?;
    }
    let labels: Vec<bool> = users.iter().flat_map(|user| user.labels.iter().copied()).collect();
    let scores: Vec<f64> = users.iter().flat_map(|user| user.scores.iter().copied()).collect();
    let plain = calibration(&labels, &scores, binning)?;
    if users.len() < 2 || replicates < 2 {
        return Err(Undefined::TooFew);
    }
    let binned = Binned::of(users, binning);
    let observed = binned.gaps(&vec![1; users.len()]);
    let rows: f64 = observed.iter().map(|(_, rows)| rows).sum();

    let mut drawn: Vec<Vec<f64>> = vec![Vec::with_capacity(replicates); binned.bins];
    let mut null = Vec::with_capacity(replicates);
    let sample = bootstrap_statistic(users.len(), replicates, seed, |weights| {
        let (mut signed, mut chance, mut total) = (0.0, 0.0, 0.0);
        for (bin, (gap, mass)) in binned.gaps(weights).into_iter().enumerate() {
            let (Ok(gap), Ok(centre)) = (gap, observed[bin].0) else { continue };
            drawn[bin].push(gap);
            signed += mass * gap * centre.signum();
            chance += mass * (gap - centre).abs();
            total += mass;
        }
        if total == 0.0 {
            return Err(Undefined::NoObservations);
        }
        null.push(chance / total);
        Ok(signed / total)
    });
    let mut values: Vec<f64> = sample.into_iter().filter_map(Result::ok).collect();
    if values.len() < 2 {
        return Err(Undefined::TooFew);
    }
    let mut debiased = 0.0;
    for (bin, (gap, mass)) in observed.iter().enumerate() {
        let Ok(gap) = gap else { continue };
        let error = standard_deviation(&drawn[bin]).unwrap_or(0.0);
        let likely = (gap * gap - error * error).max(0.0).sqrt();
        debiased += mass / rows * (gap.abs() - (folded_mean(likely, error) - likely));
    }
    let debiased = debiased.clamp(0.0, plain.ece);
    values.sort_by(f64::total_cmp);
    null.sort_by(f64::total_cmp);
    let (centre, tail) = (mean(&values)?, (1.0 - level) / 2.0);
    let chance_high = quantile_sorted(&null, level);
    let above_chance = plain.ece > chance_high;
    let low = if above_chance { (debiased + quantile_sorted(&values, tail) - centre).max(0.0) } else { 0.0 };
    let high = (debiased + quantile_sorted(&values, 1.0 - tail) - centre).clamp(debiased, 1.0);
    Ok(CalibrationError {
        ece: plain.ece,
        mce: plain.mce,
        debiased,
        interval: Interval { low: low.min(debiased), high, level, replicates: values.len() },
        chance: mean(&null)?,
        chance_high,
        above_chance,
        ratio: plain.ratio,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resample::generator;
    use rand::RngExt as _;

    const BINNING: Binning = Binning::EqualMass(15);

    fn resampling(seed: u64) -> Resampling {
        Resampling { level: 0.95, replicates: 200, seed }
    }

    /// Users with ten rows each; the true probability is the predicted one times `scale`.
    fn log(seed: u64, users: usize, scale: f64) -> Vec<(Vec<bool>, Vec<f64>)> {
        let mut rng = generator(seed, "calibration error");
        let mut row = || {
            let p = 0.1 + 0.6 * rng.random::<f64>();
            (rng.random::<f64>() < p * scale, p)
        };
        (0..users).map(|_| (0..10).map(|_| row()).unzip()).collect()
    }

    fn measured(log: &[(Vec<bool>, Vec<f64>)], seed: u64) -> CalibrationError {
        let users: Vec<Labelled<'_>> = log.iter().map(|(labels, scores)| Labelled { labels, scores }).collect();
        calibration_error(&users, BINNING, resampling(seed)).unwrap()
    }

    #[test]
    fn a_calibrated_model_is_not_accused_and_its_interval_holds_zero() {
        let (mut held, mut lower) = (0, 0);
        for seed in 0..100 {
            let found = measured(&log(seed, 60, 1.0), seed);
            held += usize::from(found.interval.low == 0.0);
            lower += usize::from(found.debiased < 0.6 * found.ece);
            assert!(found.interval.low <= found.debiased && found.debiased <= found.interval.high, "{found:?}");
        }
        assert!(held >= 90, "the interval held 0 in {held} of 100");
        assert!(lower >= 90, "chance explained most of ECE in {lower} of 100");
    }

    #[test]
    fn the_interval_holds_the_true_error_of_a_miscalibrated_model() {
        // The true error is 0.25 p on average over p, 0.25 × 0.4.
        let truth = 0.1;
        let (mut held, mut above) = (0, 0);
        for seed in 0..100 {
            let found = measured(&log(1_000 + seed, 150, 0.75), seed);
            held += usize::from(found.interval.low <= truth && truth <= found.interval.high);
            above += usize::from(found.above_chance);
        }
        assert!((90..=99).contains(&held), "the interval held the truth in {held} of 100");
        assert_eq!(above, 100);
    }

    #[test]
    fn the_percentile_interval_of_the_plug_in_misses_a_calibrated_model() {
        // What this module replaces: the interval of a biased statistic never holds the true error, 0.
        let rows = log(7, 60, 1.0);
        let (labels, scores): (Vec<bool>, Vec<f64>) =
            rows.iter().flat_map(|(labels, scores)| labels.iter().copied().zip(scores.iter().copied())).unzip();
        let sample = bootstrap_statistic(labels.len(), 200, 7, |weights| {
            let pick = |i: usize| std::iter::repeat_n((labels[i], scores[i]), weights[i] as usize);
            let (l, s): (Vec<bool>, Vec<f64>) = (0..labels.len()).flat_map(pick).unzip();
            Ok(calibration(&l, &s, BINNING)?.ece)
        });
        let plain = crate::resample::percentile_interval(&sample, 0.95).unwrap();
        let found = measured(&rows, 7);
        assert!(plain.low > 0.0 && found.interval.low == 0.0, "{plain:?} {found:?}");
        assert!(plain.low > found.debiased, "{plain:?} {found:?}");
    }

    #[test]
    fn users_that_answer_alike_widen_the_interval_and_nonsense_is_refused() {
        let alone = log(3, 100, 0.8);
        let together: Vec<(Vec<bool>, Vec<f64>)> = alone
            .chunks(5)
            .map(|users| {
                let rows = users.iter().flat_map(|(l, s)| l.iter().copied().zip(s.iter().copied()));
                rows.unzip()
            })
            .collect();
        let (one, two) = (measured(&alone, 1), measured(&together, 1));
        assert!((one.ece - two.ece).abs() < 1e-12, "the same rows");
        assert_eq!(one, measured(&alone, 1), "a seed repeats");
        let user = Labelled { labels: &[true], scores: &[0.5] };
        assert_eq!(calibration_error(&[user], BINNING, resampling(1)), Err(Undefined::TooFew));
        assert_eq!(calibration_error(&[], BINNING, resampling(1)), Err(Undefined::NoObservations));
        let short = Labelled { labels: &[], scores: &[0.5] };
        assert_eq!(calibration_error(&[short, user], BINNING, resampling(1)), Err(Undefined::LengthMismatch));
        let level = Resampling { level: 1.0, ..resampling(1) };
        assert_eq!(calibration_error(&[user, user], BINNING, level), Err(Undefined::BadParameter));
    }
}
