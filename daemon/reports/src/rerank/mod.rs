//! Re-ranking for diversity, calibration and fair exposure (METRICS.md section 4, mitigation). All methods are off unless switched on.
//! Each costs accuracy, and the cost is shown.
//!
//! [`rerank`] runs any method on one [`Candidates`] and returns a [`Reranked`] list of candidate indices. Candidates may come in any
//! order: equal gains go to the higher score, then to the smaller tie key, so the order of the input never shows in the list.
//! A list of k out of n candidates with vectors of dimension d takes O(n·k·d) at worst, and far less where scores differ, because gains
//! only fall and MMR and DPP look at a candidate again only when it leads.

mod aspects;
mod candidates;
mod debias;
mod determinant;
mod exposure;
mod marginal;
mod ordered;
mod shares;
mod vectors;

pub use candidates::{Candidates, RerankError, Reranked};
pub use debias::{CappedWeights, LOG_Q_FLOOR, WEIGHT_CAP, group_weights, inverse_propensity_weights, log_q, pda};
pub use exposure::{ExposureBounds, ExposureLedger};
pub use vectors::UnitVectors;

use crate::attention::Attention;
use crate::fair_prefix::PrefixTable;
use ordered::Ordered;

/// A method with its parameters.
#[derive(Clone, Copy, Debug)]
pub enum Method<'a> {
    /// Maximal marginal relevance (Carbonell and Goldstein 1998): argmax λ·score − (1−λ)·max cosine to what is listed.
    Mmr {
        /// Weight of the score, in [0, 1].
        lambda: f64,
    },
    /// Greedy MAP of a determinantal point process with kernel q S q (Chen 2018), then back-fill by score.
    Dpp {
        /// q = exp(sharpness × score), or q = score (which must be positive then).
        sharpness: Option<f64>,
        /// Compare with the window − 1 items before only, so long lists do not run out of directions.
        window: Option<usize>,
    },
    /// xQuAD (Santos 2010): (1−λ)·score + λ·Σ_c P(c|user) P(i|c) Π_listed (1−P(j|c)).
    Xquad {
        /// Weight of the aspects, in [0, 1].
        lambda: f64,
        /// P(c|user) per aspect.
        aspects: &'a [f64],
        /// P(i|c), row by row; where absent, a candidate covers the aspect of its group fully and no other.
        covers: Option<&'a [f64]>,
    },
    /// Calibrated re-ranking (Steck 2018): greedy on (1−λ)·Σ score − λ·C_KL of the list so far against the history.
    Calibrated {
        /// Weight of calibration, in [0, 1].
        lambda: f64,
        /// The user's history: weight per group.
        history: &'a [f64],
        /// Events it was made of, at least 5.
        events: usize,
        /// Smoothing of C_KL, 0.01 by default.
        alpha: f64,
    },
    /// DetGreedy (Geyik 2019): at each rank k the best of the groups below ⌊k p⌋, else the best of those below ⌈k p⌉.
    DetGreedy {
        /// Wanted share of each group; they sum to 1.
        shares: &'a [f64],
    },
    /// FA*IR (Zehlike 2017): by score, but each prefix holds at least m(i) candidates of the protected group.
    FairPrefix {
        /// The table, made once per placement.
        table: &'a PrefixTable,
        /// The protected group.
        protected: usize,
    },
    /// Floors and caps of exposure over a rolling window: what a group lacks or has too much is added to its scores.
    Exposure {
        /// The bounds.
        bounds: &'a ExposureBounds,
        /// What the groups got so far.
        ledger: &'a ExposureLedger,
        /// Attention per rank.
        model: Attention,
    },
}

/// Re-ranks: the best k of the candidates by `method`.
///
/// # Errors
/// [`RerankError`] when candidates or parameters do not fit; nothing depends on the data beyond that. No candidates or k = 0 give an
/// empty list.
pub fn rerank(candidates: &Candidates<'_>, method: Method<'_>, k: usize) -> Result<Reranked, RerankError> {
    let ordered = Ordered::new(candidates)?;
    let list = match method {
        Method::Mmr { lambda } => marginal::mmr(&ordered, lambda, k),
        Method::Dpp { sharpness, window } => determinant::dpp(&ordered, sharpness, window, k),
        Method::Xquad { lambda, aspects, covers } => aspects::xquad(&ordered, lambda, aspects, covers, k),
        Method::Calibrated { lambda, history, events, alpha } => {
            aspects::calibrated(&ordered, &aspects::Taste { lambda, history, events, alpha }, k)
        }
        Method::DetGreedy { shares } => shares::det_greedy(&ordered, shares, k),
        Method::FairPrefix { table, protected } => shares::fair_prefix(&ordered, table, protected, k),
        Method::Exposure { bounds, ledger, model } => exposure::amortised(&ordered, bounds, ledger, model, k),
    }?;
    Ok(ordered.restore(list))
}

/// Scores stretched to [0, 1], so that they can be weighed against similarities and shares; equal scores all become 1.
#[must_use]
pub fn unit_scale(scores: &[f64]) -> Vec<f64> {
    let low = scores.iter().copied().fold(f64::INFINITY, f64::min);
    let high = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let width = high - low;
    scores.iter().map(|score| if width > 0.0 { (score - low) / width } else { 1.0 }).collect()
}
