//! FA*IR (Zehlike et al. 2017): how many protected candidates each prefix of a list must hold, tested exactly (METRICS.md section 4).
//!
//! The reference library leaves out position k (METRICS.md section 9.1): its fail probability is too small. Here the fail probability
//! is the exact one of all k prefixes together, by dynamic programme.

use serde::{Deserialize, Serialize};

use crate::proportions::wilson;
use crate::resample::Interval;
use crate::value::{Undefined, Value};

/// Sums of probabilities are equal up to this.
const EQUAL: f64 = 1e-12;

/// The smallest number of protected candidates that each prefix must hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrefixTable {
    /// m(1), m(2), ..., m(k).
    pub minimum: Vec<usize>,
    /// The target share of protected candidates.
    pub share: f64,
    /// The level of each prefix test: α, or α_c of an adjusted table.
    pub prefix_alpha: f64,
    /// Probability that a list drawn fairly, each place protected with probability `share`, fails the table.
    pub fail_probability: f64,
}

/// Distribution function of Binomial(i, p) for i = 0..=k: `rows[i][m]` is P(X ≤ m).
struct BinomialTable {
    rows: Vec<Vec<f64>>,
}

impl BinomialTable {
    fn new(k: usize, p: f64) -> Self {
        let mut mass = vec![1.0];
        let mut rows = Vec::with_capacity(k + 1);
        for size in 0..=k {
            let sums = mass.iter().scan(0.0, |sum, one| {
                *sum += one;
                Some(*sum)
            });
            rows.push(sums.collect());
            let mut next = vec![0.0; size + 2];
            for (hits, one) in mass.iter().enumerate() {
                next[hits] += one * (1.0 - p);
                next[hits + 1] += one * p;
            }
            mass = next;
        }
        Self { rows }
    }

    /// The smallest m with P(X ≤ m) ≥ α, per prefix.
    fn minimum(&self, alpha: f64) -> Vec<usize> {
        let least = |row: &Vec<f64>| row.iter().position(|sum| *sum >= alpha - EQUAL).unwrap_or(row.len() - 1);
        self.rows[1..].iter().map(least).collect()
    }
}

/// Probability that a list whose places are protected with probability `share` each fails in some prefix, exactly.
///
/// # Errors
/// [`Undefined::BadParameter`] for a share outside (0, 1).
pub fn fail_probability(minimum: &[usize], share: f64) -> Result<f64, Undefined> {
    check(share)?;
    // mass[m]: probability that all prefixes so far passed and hold m protected.
    let (mut mass, mut failed) = (vec![1.0], 0.0);
    for &least in minimum {
        let mut next = vec![0.0; mass.len() + 1];
        for (hits, one) in mass.iter().enumerate() {
            next[hits] += one * (1.0 - share);
            next[hits + 1] += one * share;
        }
        let short = least.min(next.len());
        failed += next[..short].iter().sum::<f64>();
        next[..short].fill(0.0);
        mass = next;
    }
    Ok(failed.min(1.0))
}

fn check(probability: f64) -> Result<(), Undefined> {
    if probability > 0.0 && probability < 1.0 { Ok(()) } else { Err(Undefined::BadParameter) }
}

impl PrefixTable {
    fn at(binomial: &BinomialTable, share: f64, alpha: f64) -> Result<Self, Undefined> {
        let minimum = binomial.minimum(alpha);
        let fail_probability = fail_probability(&minimum, share)?;
        Ok(Self { minimum, share, prefix_alpha: alpha, fail_probability })
    }

    /// The table for k places with level `alpha` for each prefix. A fair list fails it more often than `alpha`, since k prefixes are
    /// tested.
    ///
    /// # Errors
    /// [`Undefined::ListTooShort`] for k = 0, [`Undefined::BadParameter`] for a share or level outside (0, 1).
    pub fn unadjusted(k: usize, share: f64, alpha: f64) -> Result<Self, Undefined> {
        check(share)?;
        check(alpha)?;
        if k == 0 {
            return Err(Undefined::ListTooShort);
        }
        Self::at(&BinomialTable::new(k, share), share, alpha)
    }

    /// The table with the largest level α_c at which a fair list fails with probability at most `alpha`.
    ///
    /// The table changes only where α_c passes a value of the distribution function, so those values are searched, by bisection.
    /// Where several prefixes would be raised by passing the same value, they are raised one by one, the longest first, as long as
    /// the fail probability allows: for (10, .5, .1) prefix 7 is raised at .0625 and prefix 4 is not.
    ///
    /// # Errors
    /// As [`PrefixTable::unadjusted`].
    pub fn adjusted(k: usize, share: f64, alpha: f64) -> Result<Self, Undefined> {
        check(share)?;
        check(alpha)?;
        if k == 0 {
            return Err(Undefined::ListTooShort);
        }
        let binomial = BinomialTable::new(k, share);
        let mut levels: Vec<f64> =
            binomial.rows[1..].iter().flat_map(|row| row.iter().copied().filter(|sum| *sum < 1.0 - EQUAL)).collect();
        levels.sort_by(f64::total_cmp);
        levels.dedup_by(|left, right| (*left - *right).abs() <= EQUAL);
        // The fail probability never falls as the level rises: bisect for the last level that still fits.
        let (mut fits, mut exceeds) = (0, levels.len());
        while fits < exceeds {
            let middle = usize::midpoint(fits, exceeds);
            if Self::at(&binomial, share, levels[middle])?.fail_probability <= alpha + EQUAL {
                fits = middle + 1;
            } else {
                exceeds = middle;
            }
        }
        // At the smallest level nothing is demanded and no list fails, so one level always fits.
        let level = levels[fits.saturating_sub(1)];
        let mut table = Self::at(&binomial, share, level)?;
        for prefix in (0..k).rev() {
            if (binomial.rows[prefix + 1][table.minimum[prefix]] - level).abs() > EQUAL {
                continue;
            }
            table.minimum[prefix] += 1;
            let fails = fail_probability(&table.minimum, share)?;
            if fails <= alpha + EQUAL {
                table.fail_probability = fails;
            } else {
                table.minimum[prefix] -= 1;
            }
        }
        Ok(table)
    }

    /// Whether every prefix of a list holds enough protected candidates. A list longer than the table is tested on its first k places.
    #[must_use]
    pub fn passes(&self, protected_by_rank: &[bool]) -> bool {
        let mut held = 0;
        protected_by_rank.iter().zip(&self.minimum).all(|(protected, least)| {
            held += usize::from(*protected);
            held >= *least
        })
    }
}

/// Share of lists that pass, with Wilson's interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PassRate {
    /// The share.
    pub value: Value,
    /// Its interval.
    pub interval: Option<Interval>,
    /// Lists tested.
    pub n_used: usize,
    /// Lists given; empty ones are not tested.
    pub n_total: usize,
}

/// Tests lists, each given as whether the candidate on each rank is protected. One list per user.
#[must_use]
pub fn pass_rate<L: AsRef<[bool]>>(lists: &[L], table: &PrefixTable, level: f64) -> PassRate {
    let tested: Vec<bool> =
        lists.iter().map(AsRef::as_ref).filter(|list| !list.is_empty()).map(|list| table.passes(list)).collect();
    let (hits, trials) = (tested.iter().filter(|passed| **passed).count(), tested.len());
    let value = if trials == 0 { Err(Undefined::NoObservations) } else { Ok(hits as f64 / trials as f64) };
    let bounds = wilson(hits as u64, trials as u64, level).ok();
    PassRate {
        value: value.into(),
        interval: bounds.map(|(low, high)| Interval { low, high, level, replicates: 0 }),
        n_used: trials,
        n_total: lists.len(),
    }
}
