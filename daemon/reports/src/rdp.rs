//! Privacy accounting by Rényi differential privacy of the Poisson-subsampled Gaussian mechanism (METRICS.md section 5; Mironov, Talwar
//! and Zhang 2019). The unit of a guarantee is one user.
//!
//! At integer orders the divergence has a closed form, so an epsilon from them is a safe upper bound. [`rdp_any_order`] evaluates the
//! series for other orders as well, which lowers epsilon slightly. Both lie above the PRV and PLD accountants of other packages.

use serde::{Deserialize, Serialize};

use crate::distributions::normal_cdf;
use crate::value::{Measure, Undefined, finite};

/// One step of the mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampledGaussian {
    /// Probability q with which each user takes part in a step, independently of the others (Poisson sampling), in [0, 1].
    pub sampling: f64,
    /// Noise multiplier σ: standard deviation of the noise over the clipping bound; above 0.
    pub noise: f64,
}

impl SampledGaussian {
    fn checked(self) -> Result<Self, Undefined> {
        let sane = (0.0..=1.0).contains(&self.sampling) && self.noise > 0.0 && self.noise.is_finite();
        if sane { Ok(self) } else { Err(Undefined::BadParameter) }
    }
}

/// ln(e^a + e^b).
fn log_add(a: f64, b: f64) -> f64 {
    let (low, high) = (a.min(b), a.max(b));
    if high == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

/// RDP of one step at an integer order α ≥ 2: ln Σ_k C(α,k) (1−q)^(α−k) q^k e^((k²−k)/2σ²) / (α−1).
///
/// Σ_k C(α,k) (1−q)^(α−k) q^k = 1 is taken out, so that small values keep their relative precision.
///
/// # Errors
/// [`Undefined::BadParameter`] for α < 2, q outside [0, 1] or σ not above 0.
pub fn rdp(step: SampledGaussian, order: u32) -> Measure {
    let SampledGaussian { sampling: q, noise } = step.checked()?;
    if order < 2 {
        return Err(Undefined::BadParameter);
    }
    let alpha = f64::from(order);
    if q == 0.0 {
        return Ok(0.0);
    }
    if q == 1.0 {
        return Ok(alpha / (2.0 * noise * noise));
    }
    let (mut excess, mut log_choose) = (f64::NEG_INFINITY, 0.0);
    for count in 1..=order {
        let k = f64::from(count);
        log_choose += ((alpha - k + 1.0) / k).ln();
        let exponent = k * (k - 1.0) / (2.0 * noise * noise);
        if exponent > 0.0 {
            // ln(e^x − 1) without overflow.
            let grown = exponent + (-(-exponent).exp_m1()).ln();
            excess = log_add(excess, log_choose + (alpha - k) * (-q).ln_1p() + k * q.ln() + grown);
        }
    }
    finite(log_add(0.0, excess) / (alpha - 1.0))
}

/// ln of the upper tail of the standard normal, also where the tail itself underflows.
fn log_upper_tail(x: f64) -> f64 {
    if x < 30.0 {
        return normal_cdf(-x).ln();
    }
    let square = 1.0 / (x * x);
    -x * x / 2.0 - x.ln() - 0.5 * (2.0 * std::f64::consts::PI).ln() + (-square + 3.0 * square * square).ln_1p()
}

/// RDP of one step at any order α > 1 (the series of Mironov et al., section 3.3); equals [`rdp`] at integers.
///
/// # Errors
/// As [`rdp`], [`Undefined::BadParameter`] for an order that is not above 1; [`Undefined::NotFinite`] where the series does not converge.
pub fn rdp_any_order(step: SampledGaussian, order: f64) -> Measure {
    let SampledGaussian { sampling: q, noise } = step.checked()?;
    if !(order > 1.0 && order.is_finite()) {
        return Err(Undefined::BadParameter);
    }
    if q == 1.0 {
        return Ok(order / (2.0 * noise * noise));
    }
    if order.fract() == 0.0 && order < f64::from(u32::MAX) {
        return rdp(step, order as u32);
    }
    if q == 0.0 {
        return Ok(0.0);
    }
    let turn = noise * noise * (1.0 / q - 1.0).ln() + 0.5;
    // Magnitudes of the positive and of the negative terms.
    let (mut plus, mut minus) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
    let (mut log_choose, mut positive) = (0.0_f64, true);
    for count in 0..10_000_u32 {
        let i = f64::from(count);
        let j = order - i;
        let growth = |k: f64| (k * k - k) / (2.0 * noise * noise);
        let low = log_choose + i * q.ln() + j * (-q).ln_1p() + growth(i) + log_upper_tail((i - turn) / noise);
        let high = log_choose + j * q.ln() + i * (-q).ln_1p() + growth(j) + log_upper_tail((turn - j) / noise);
        let term = log_add(low, high);
        if positive {
            plus = log_add(plus, term);
        } else {
            minus = log_add(minus, term);
        }
        if term < -30.0 && i > order {
            let log_a = plus + (-(minus - plus).exp()).ln_1p();
            return finite(log_a / (order - 1.0)).map(|value| value.max(0.0));
        }
        let factor = j / (i + 1.0);
        positive ^= factor < 0.0;
        log_choose += factor.abs().ln();
    }
    Err(Undefined::NotFinite)
}

/// Epsilon of a total RDP at one order (Balle et al. 2020): rdp + ln(1 − 1/α) − ln(δ α) / (α − 1), at least 0.
///
/// # Errors
/// [`Undefined::BadParameter`] for an order not above 1 or δ outside (0, 1); [`Undefined::NotFinite`].
pub fn epsilon(rdp: f64, order: f64, delta: f64) -> Measure {
    if !(order > 1.0 && delta > 0.0 && delta < 1.0 && rdp >= 0.0) {
        return Err(Undefined::BadParameter);
    }
    finite((rdp + (-1.0 / order).ln_1p() - (delta * order).ln() / (order - 1.0)).max(0.0))
}

/// The classic conversion (Mironov 2017): rdp + ln(1/δ) / (α − 1); never below [`epsilon`].
///
/// # Errors
/// As [`epsilon`].
pub fn epsilon_classic(rdp: f64, order: f64, delta: f64) -> Measure {
    if !(order > 1.0 && delta > 0.0 && delta < 1.0 && rdp >= 0.0) {
        return Err(Undefined::BadParameter);
    }
    finite(rdp - delta.ln() / (order - 1.0))
}

/// The integer orders of an [`Accountant`]: all up to 64, then coarser, for little noise spent over many steps.
fn orders() -> impl Iterator<Item = u32> {
    (2..=64).chain([72, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 1024])
}

/// Adds up the RDP of all that was released about a user: every training run, every restart, every metric and count. Restarting a model
/// gives nothing back. It is stored with the budget and continued.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accountant {
    orders: Vec<u32>,
    spent: Vec<f64>,
}

impl Default for Accountant {
    fn default() -> Self {
        Self::new()
    }
}

/// An epsilon and the order that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    /// Epsilon for the δ asked about.
    pub epsilon: f64,
    /// The Rényi order at which the bound is lowest.
    pub order: u32,
}

impl Accountant {
    /// Nothing spent.
    #[must_use]
    pub fn new() -> Self {
        let orders: Vec<u32> = orders().collect();
        Self { spent: vec![0.0; orders.len()], orders }
    }

    /// Adds so many steps of a mechanism.
    ///
    /// # Errors
    /// As [`rdp`]; nothing is added then.
    pub fn add(&mut self, step: SampledGaussian, steps: u64) -> Result<(), Undefined> {
        let each: Vec<f64> = self.orders.iter().map(|order| rdp(step, *order)).collect::<Result<_, _>>()?;
        for (spent, one) in self.spent.iter_mut().zip(each) {
            *spent += steps as f64 * one;
        }
        Ok(())
    }

    /// Adds a release of pure epsilon, as of a Laplace count: its RDP is at most min(ε, α ε² / 2) (Bun and Steinke 2016, proposition 3.3).
    ///
    /// # Errors
    /// [`Undefined::BadParameter`] for a negative or infinite epsilon.
    pub fn add_pure(&mut self, epsilon: f64) -> Result<(), Undefined> {
        if !(epsilon >= 0.0 && epsilon.is_finite()) {
            return Err(Undefined::BadParameter);
        }
        for (spent, order) in self.spent.iter_mut().zip(&self.orders) {
            *spent += epsilon.min(f64::from(*order) * epsilon * epsilon / 2.0);
        }
        Ok(())
    }

    /// Epsilon spent so far at δ, over the best order; 0 when nothing was spent.
    ///
    /// # Errors
    /// [`Undefined::BadParameter`] for δ outside (0, 1).
    pub fn epsilon(&self, delta: f64) -> Result<Spent, Undefined> {
        let mut best: Option<Spent> = None;
        for (order, spent) in self.orders.iter().zip(&self.spent) {
            let epsilon = if *spent == 0.0 { 0.0 } else { epsilon(*spent, f64::from(*order), delta)? };
            if best.is_none_or(|best| epsilon < best.epsilon) {
                best = Some(Spent { epsilon, order: *order });
            }
        }
        if !(delta > 0.0 && delta < 1.0) {
            return Err(Undefined::BadParameter);
        }
        best.ok_or(Undefined::NoObservations)
    }

    /// The most further steps of a mechanism after which epsilon at δ is still at most `limit`; the hard stop of a budget.
    ///
    /// # Errors
    /// As [`Accountant::add`] and [`Accountant::epsilon`].
    pub fn steps_left(&self, step: SampledGaussian, delta: f64, limit: f64) -> Result<u64, Undefined> {
        let fits = |steps: u64| {
            let mut after = self.clone();
            after.add(step, steps)?;
            Ok::<bool, Undefined>(after.epsilon(delta)?.epsilon <= limit)
        };
        const MOST: u64 = 1 << 40;
        if !fits(0)? || !fits(1)? {
            return Ok(0);
        }
        let (mut low, mut high) = (1, MOST);
        if fits(high)? {
            return Ok(MOST);
        }
        while high - low > 1 {
            let middle = u64::midpoint(low, high);
            if fits(middle)? { low = middle } else { high = middle }
        }
        Ok(low)
    }
}
