//! Intervals of the prequential experiment (METRICS.md section 7). Users return in several windows and neighbouring windows are
//! similar, so both are resampled: users get Poisson weights, windows are drawn in circular blocks, and an observation is weighted by
//! the product. This is the product-reweighted bootstrap of Owen and Eckles 2012 with the blocks of Politis and Romano 1992.

use crate::resample::{Interval, Poisson, below, generator, percentile_interval};
use crate::value::{Measure, Undefined};

/// The value of one user in one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// Dense number of the user.
    pub user: u32,
    /// Number of the window, from 0 in the order of time.
    pub window: u32,
    /// The value: a metric, or a paired difference.
    pub value: f64,
}

/// Weighted mean over windows of the weighted mean over users; a window without weight is skipped.
fn mean_of_windows(seen: &[Observation], windows: usize, user: &[u32], window: &[u32]) -> Measure {
    let mut sums = vec![(0.0_f64, 0.0_f64); windows];
    for one in seen {
        let weight = f64::from(user[one.user as usize]);
        let slot = &mut sums[one.window as usize];
        *slot = (slot.0 + weight * one.value, slot.1 + weight);
    }
    let (mut sum, mut mass) = (0.0, 0.0);
    for ((total, weight), draws) in sums.iter().zip(window) {
        if *weight > 0.0 && *draws > 0 {
            sum += f64::from(*draws) * total / weight;
            mass += f64::from(*draws);
        }
    }
    if mass > 0.0 { Ok(sum / mass) } else { Err(Undefined::NoObservations) }
}

/// Mean over windows of the mean over users, each window counting once, with its interval by user and window block.
///
/// # Errors
/// [`Undefined::NoObservations`], [`Undefined::NotFinite`], [`Undefined::BadParameter`] for a block longer than the windows or of no
/// length, [`Undefined::TooFew`] below two windows.
pub fn bootstrap_windows(
    seen: &[Observation],
    block: usize,
    level: f64,
    replicates: usize,
    seed: u64,
) -> Result<(f64, Interval), Undefined> {
    if seen.is_empty() {
        return Err(Undefined::NoObservations);
    }
    if seen.iter().any(|one| !one.value.is_finite()) {
        return Err(Undefined::NotFinite);
    }
    let windows = seen.iter().map(|one| one.window as usize + 1).max().unwrap_or(0);
    let users = seen.iter().map(|one| one.user as usize + 1).max().unwrap_or(0);
    if windows < 2 {
        return Err(Undefined::TooFew);
    }
    if block == 0 || block > windows {
        return Err(Undefined::BadParameter);
    }
    let centre = mean_of_windows(seen, windows, &vec![1; users], &vec![1; windows])?;
    let (mut rng, poisson) = (generator(seed, "user by window bootstrap"), Poisson::new());
    let mut weights = vec![0_u32; users];
    let sample: Vec<Measure> = (0..replicates)
        .map(|_| {
            weights.iter_mut().for_each(|weight| *weight = poisson.draw(&mut rng));
            let mut draws = vec![0_u32; windows];
            let mut drawn = 0;
            while drawn < windows {
                let start = below(&mut rng, windows as u32) as usize;
                for step in 0..block.min(windows - drawn) {
                    draws[(start + step) % windows] += 1;
                }
                drawn += block.min(windows - drawn);
            }
            mean_of_windows(seen, windows, &weights, &draws)
        })
        .collect();
    Ok((centre, percentile_interval(&sample, level)?))
}

#[cfg(test)]
mod tests {
    use rand::Rng as _;

    use super::*;

    /// `users` shoppers in each of `windows` windows; the value is the sum of an effect of each.
    fn grid(users: u32, windows: u32, value: impl Fn(u32, u32) -> f64) -> Vec<Observation> {
        (0..windows)
            .flat_map(|window| (0..users).map(move |user| (user, window)))
            .map(|(user, window)| Observation { user, window, value: value(user, window) })
            .collect()
    }

    /// A number in [-1, 1) from two others.
    fn noise(a: u32, b: u32) -> f64 {
        let mut rng = generator(u64::from(a) << 32 | u64::from(b), "test");
        f64::from(rng.next_u32()) / 2_147_483_648.0 - 1.0
    }

    #[test]
    fn what_does_not_vary_has_no_width() {
        let (mean, interval) = bootstrap_windows(&grid(20, 8, |_, _| 0.25), 2, 0.95, 200, 1).unwrap();
        assert_eq!((mean, interval.low, interval.high), (0.25, 0.25, 0.25));
    }

    #[test]
    fn windows_count_once_however_many_came() {
        let mut seen = grid(10, 2, |_, window| f64::from(window));
        seen.retain(|one| one.window == 0 || one.user == 0);
        assert_eq!(bootstrap_windows(&seen, 1, 0.95, 100, 1).unwrap().0, 0.5);
    }

    #[test]
    fn an_effect_of_windows_widens_what_shoppers_alone_would_give() {
        // Two hundred shoppers, all moved alike by their window: only the eight windows say anything.
        let seen = grid(200, 8, |user, window| noise(999, window) + 0.01 * noise(user, window));
        let (_, both) = bootstrap_windows(&seen, 1, 0.95, 1_000, 3).unwrap();
        let values: Vec<f64> = seen.iter().map(|one| one.value).collect();
        let (_, alone) = crate::bootstrap_mean(&values, 0.95, 1_000, 3).unwrap();
        assert!(both.high - both.low > 3.0 * (alone.high - alone.low), "{both:?} {alone:?}");
        // And the other way round: a few shoppers who differ, seen in every window.
        let seen = grid(6, 40, |user, window| noise(user, 999) + 0.01 * noise(user, window));
        let (_, both) = bootstrap_windows(&seen, 1, 0.95, 1_000, 3).unwrap();
        let values: Vec<f64> = seen.iter().map(|one| one.value).collect();
        let (_, alone) = crate::bootstrap_mean(&values, 0.95, 1_000, 3).unwrap();
        assert!(both.high - both.low > 3.0 * (alone.high - alone.low), "{both:?} {alone:?}");
    }

    #[test]
    fn intervals_hold_the_truth_about_as_often_as_they_say() {
        let mut held = 0;
        for trial in 0..200 {
            let seen = grid(40, 12, |user, window| {
                noise(trial * 1_000 + user, 7)
                    + noise(trial * 1_000 + window, 8)
                    + noise(trial * 100_000 + user * 50 + window, 9)
            });
            let (_, interval) = bootstrap_windows(&seen, 1, 0.95, 300, u64::from(trial)).unwrap();
            held += u32::from(interval.low <= 0.0 && 0.0 <= interval.high);
        }
        // Twelve windows are few for a percentile interval: somewhat under the nominal 190, never far over.
        assert!((170..=200).contains(&held), "{held} of 200");
    }

    #[test]
    fn a_seed_repeats_and_nonsense_is_refused() {
        let seen = grid(30, 8, noise);
        assert_eq!(bootstrap_windows(&seen, 2, 0.95, 300, 5), bootstrap_windows(&seen, 2, 0.95, 300, 5));
        assert_ne!(bootstrap_windows(&seen, 2, 0.95, 300, 5), bootstrap_windows(&seen, 2, 0.95, 300, 6));
        assert_eq!(bootstrap_windows(&seen, 9, 0.95, 300, 5), Err(Undefined::BadParameter));
        assert_eq!(bootstrap_windows(&seen, 0, 0.95, 300, 5), Err(Undefined::BadParameter));
        assert_eq!(bootstrap_windows(&[], 1, 0.95, 300, 5), Err(Undefined::NoObservations));
        assert_eq!(bootstrap_windows(&grid(3, 1, noise), 1, 0.95, 300, 5), Err(Undefined::TooFew));
    }
}
