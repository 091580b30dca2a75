//! Rounds the numbers of a table of users at random, so that two tables do not tell what one user changed between them (METRICS.md
//! section 5: block differencing).
//!
//! Rounding to the nearest ten shows a single user now and then: 15 becomes 14, so 20 becomes 10, and nothing else moves. Here a number
//! goes up or down by chance and is right on average (unbiased random rounding; Hundepool et al. 2012, section 5.4.3). The draws follow
//! from a secret seed and all sizes of the table. Equal tables are rounded alike, so nothing can be averaged out. When one user changes
//! groups, all cells are drawn anew, also those that did not change, so a cell that moves by one step proves nothing.

use crate::resample::Interval;

/// Step of sizes.
const SIZE_STEP: usize = 10;
/// Steps of means, ascending.
const MEAN_STEPS: [f64; 10] = [0.001, 0.002, 0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05];
/// Parts of an interval's width that a value between its ends is told in.
const PARTS: f64 = 10.0;
/// Finest step of any number.
const FINEST: f64 = 1e-5;

/// The draws of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableDraws([u8; 32]);

/// The size of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellSize<'a> {
    /// Name of the cell.
    pub cell: &'a str,
    /// Users in it.
    pub users: usize,
}

impl TableDraws {
    /// The draws of a table: the same for the same secret `seed`, name and sizes.
    #[must_use]
    pub fn of<'a>(seed: u64, table: &str, sizes: impl IntoIterator<Item = CellSize<'a>>) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        add_text(&mut hasher, table);
        for CellSize { cell, users } in sizes {
            add_text(&mut hasher, cell);
            hasher.update(&(users as u64).to_le_bytes());
        }
        Self(*hasher.finalize().as_bytes())
    }

    /// The draws that also follow from values: for means, which change with them.
    #[must_use]
    pub fn with_values(&self, values: impl IntoIterator<Item = f64>) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        for value in values {
            hasher.update(&value.to_le_bytes());
        }
        Self(*hasher.finalize().as_bytes())
    }

    /// A number that follows from the draws and a name.
    #[must_use]
    pub fn number(&self, cell: &str) -> u64 {
        let hash = blake3::keyed_hash(&self.0, cell.as_bytes());
        hash.as_bytes().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// Uniform below `bound`, 0 for none. The bias is below bound / 2^64.
    #[must_use]
    pub fn below(&self, cell: &str, bound: usize) -> usize {
        if bound == 0 { 0 } else { (self.number(cell) % bound as u64) as usize }
    }

    /// Rounds a number of users to one of the two tens next to it; a multiple of ten stays.
    #[must_use]
    pub fn size(&self, cell: &str, users: usize) -> usize {
        (users + self.below(cell, SIZE_STEP)) / SIZE_STEP * SIZE_STEP
    }

    /// Rounds a value to one of the two multiples of `step` next to it.
    #[must_use]
    pub fn value(&self, cell: &str, value: f64, step: f64) -> f64 {
        // 53 bits, as many as the mantissa holds.
        let unit = (self.number(cell) >> 11) as f64 / (1_u64 << 53) as f64;
        // The tolerance keeps a value that stands on a step where it is.
        tidy((value / step + unit.clamp(1e-9, 1.0 - 1e-9)).floor() * step)
    }
}

/// Length first, so that no text runs into the next.
fn add_text(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
}

/// The step in which the mean of `users` values between 0 and 1 is told: the finest that one user moves by no more than once. It is far
/// below the interval's width, which falls with the root of the size only.
#[must_use]
pub fn mean_step(users: usize) -> f64 {
    let most = 1.0 / users.saturating_sub(1).max(1) as f64;
    MEAN_STEPS.into_iter().find(|step| *step >= most).unwrap_or(0.1)
}

/// The step in which a value of any unit is told: 1, 2 or 5 times a power of ten, at most a tenth of the width of its interval.
#[must_use]
pub fn interval_step(low: f64, high: f64) -> f64 {
    let most = ((high - low) / PARTS).max(FINEST);
    if !most.is_finite() {
        return FINEST;
    }
    let power = 10.0_f64.powi(most.log10().floor() as i32);
    let steps = [5.0, 2.0, 1.0].map(|times| times * power);
    steps.into_iter().find(|step| *step <= most * (1.0 + 1e-9)).unwrap_or(power)
}

/// Bounds moved outward to multiples of `step`.
#[must_use]
pub fn outward(interval: Interval, step: f64) -> Interval {
    // The tolerance keeps a bound that stands on a step where it is.
    let low = tidy((interval.low / step + 1e-9).floor() * step);
    let high = tidy((interval.high / step - 1e-9).ceil() * step);
    Interval { low, high, ..interval }
}

/// Removes the last digits that a multiple of a decimal step has in binary, and the sign of zero.
pub(crate) fn tidy(value: f64) -> f64 {
    (value * 1e6).round() / 1e6 + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(seed: u64, users: usize) -> TableDraws {
        TableDraws::of(seed, "gender", [CellSize { cell: "f", users }, CellSize { cell: "m", users: 141 }])
    }

    #[test]
    fn a_size_becomes_one_of_the_two_tens_beside_it_and_is_right_on_average() {
        let drawn: Vec<usize> = (0..2_000).map(|seed| draws(seed, 3).size("f", 143)).collect();
        assert!(drawn.iter().all(|size| [140, 150].contains(size)));
        // Binomial(2000, .3): 600 with a standard deviation of 20.
        let up = drawn.iter().filter(|size| **size == 150).count();
        assert!((510..690).contains(&up), "{up}");
        assert!((0..200).all(|seed| draws(seed, 3).size("f", 140) == 140));
    }

    #[test]
    fn equal_tables_are_rounded_alike_and_one_user_draws_every_cell_anew() {
        assert_eq!(draws(1, 60), draws(1, 60));
        // The cell that did not change moves as well, in some of the tables.
        let moved = (0..200).filter(|seed| draws(*seed, 60).size("m", 141) != draws(*seed, 59).size("m", 141)).count();
        assert!(moved > 10, "{moved}");
    }

    #[test]
    fn one_user_moves_no_size_by_more_than_a_step() {
        for users in 10..200 {
            for seed in 0..50 {
                let (one, other) = (draws(seed, users).size("f", users), draws(seed, users + 1).size("f", users + 1));
                assert!(one.abs_diff(other) <= 10, "{users}: {one} and {other}");
            }
        }
    }

    #[test]
    fn means_are_told_in_steps_that_one_user_does_not_exceed() {
        for users in 28..3_000 {
            assert!(mean_step(users) >= 1.0 / (users - 1) as f64, "{users}");
        }
        assert_eq!([30, 100, 101, 201, 5_000].map(mean_step), [0.04, 0.015, 0.01, 0.005, 0.001]);
        let drawn: Vec<f64> = (0..2_000).map(|seed| draws(seed, 3).value("f", 0.2468, 0.01)).collect();
        assert!(drawn.iter().all(|value| [0.24, 0.25].contains(value)));
        let mean = drawn.iter().sum::<f64>() / 2_000.0;
        assert!((mean - 0.2468).abs() < 0.0005, "{mean}");
        assert!((0..200).all(|seed| draws(seed, 3).value("f", 0.25, 0.01) == 0.25));
    }

    #[test]
    fn other_values_are_told_in_a_tenth_of_their_interval() {
        assert_eq!([interval_step(1.0, 1.3), interval_step(0.0, 0.5), interval_step(10.0, 260.0)], [0.02, 0.05, 20.0]);
        assert!((interval_step(2.0, 2.0) - 1e-5).abs() < 1e-12 && interval_step(0.0, f64::INFINITY) > 0.0);
    }
}
