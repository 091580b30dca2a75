//! The alpha ledger: divides one error budget over repeated gates (METRICS.md section 2). A daily 5 % gate on identical models would
//! promote by chance four times in ninety days, so each gate gets only a part of the budget.
//!
//! The guarantee is the union bound: over all gates of a ledger the probability of any false promotion is at most the total, however
//! the gates depend on each other. Each period of the configuration has a new ledger.

use serde::{Deserialize, Serialize};

use crate::distributions::{normal_cdf, normal_quantile};

/// The spending function: how the budget is divided over the gates 1, 2, 3, ...
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "function")]
pub enum Spending {
    /// α / (k (k + 1)): unlimited gates, half of the budget on the first.
    Telescoping,
    /// Proportional to 1 / ((k + 1) ln²(k + 1)): unlimited gates, and the thirtieth still gets a usable part. The default.
    Slow,
    /// α / gates each, then nothing (Bonferroni over a period).
    Equal {
        /// Gates in the period.
        gates: u32,
    },
    /// Lan and DeMets 1983, O'Brien–Fleming-like: 2 − 2Φ(z_{α/2} / √t) at information fraction t = k / gates; strict at first.
    ObrienFleming {
        /// Gates in the period.
        gates: u32,
    },
}

/// Σ_{n≥2} 1 / (n ln² n), which normalises [`Spending::Slow`].
const SLOW_SUM: f64 = 2.109_742_801_236_892;

impl Spending {
    /// The one-sided error of gate `k` (from 1) under the budget `total`.
    #[must_use]
    pub fn part(self, k: u32, total: f64) -> f64 {
        if k == 0 {
            return 0.0;
        }
        let number = f64::from(k);
        match self {
            Self::Telescoping => total / (number * (number + 1.0)),
            Self::Slow => total / SLOW_SUM / ((number + 1.0) * (number + 1.0).ln().powi(2)),
            Self::Equal { gates } => {
                if k <= gates {
                    total / f64::from(gates)
                } else {
                    0.0
                }
            }
            Self::ObrienFleming { gates } => {
                let spent = |k: f64| match k {
                    0.0 => 0.0,
                    k => 2.0 * normal_cdf(normal_quantile(total / 2.0) / (k / f64::from(gates)).sqrt()),
                };
                if k <= gates { spent(number) - spent(number - 1.0) } else { 0.0 }
            }
        }
    }
}

/// The budget of one period and what its gates have spent; stored with the gate decisions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlphaLedger {
    /// The budget: the largest chance of any false promotion in the period.
    pub total: f64,
    /// The spending function.
    pub spending: Spending,
    /// Gates held so far.
    pub gates: u32,
    /// Spent so far.
    pub spent: f64,
}

impl Default for AlphaLedger {
    fn default() -> Self {
        Self::new(0.05, Spending::Slow)
    }
}

impl AlphaLedger {
    /// An unspent budget.
    #[must_use]
    pub fn new(total: f64, spending: Spending) -> Self {
        Self { total, spending, gates: 0, spent: 0.0 }
    }

    /// Books the next gate and returns its one-sided alpha; `None` if nothing is left, then the gate must refuse.
    pub fn book(&mut self) -> Option<f64> {
        let part = self.spending.part(self.gates + 1, self.total);
        if part.is_nan() || part <= 0.0 {
            return None;
        }
        self.gates += 1;
        self.spent += part;
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_function_spends_more_than_the_budget() {
        for spending in [
            Spending::Telescoping,
            Spending::Slow,
            Spending::Equal { gates: 40 },
            Spending::ObrienFleming { gates: 40 },
        ] {
            let mut ledger = AlphaLedger::new(0.05, spending);
            let parts: Vec<f64> = std::iter::from_fn(|| ledger.book()).take(100_000).collect();
            assert!(ledger.spent <= 0.05 + 1e-12, "{spending:?} spent {}", ledger.spent);
            assert!(ledger.spent > 0.04, "{spending:?} wastes the budget: {}", ledger.spent);
            assert!(parts.iter().all(|part| *part > 0.0));
        }
        let mut period = AlphaLedger::new(0.05, Spending::Equal { gates: 2 });
        assert_eq!((period.book(), period.book(), period.book()), (Some(0.025), Some(0.025), None));
    }

    #[test]
    fn the_slow_function_leaves_something_for_later() {
        assert!(Spending::Slow.part(30, 0.05) > 1.2 * Spending::Telescoping.part(30, 0.05));
        assert_eq!(Spending::Telescoping.part(1, 0.05), 0.025);
    }
}
