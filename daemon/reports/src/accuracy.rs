//! Ranking accuracy of one list against what the user truly engaged with (METRICS.md section 1).
//!
//! `ranked` is a list: the gain of the item on each position, best position first, 0 for an item that is not relevant. `judged` is the
//! truth: the gains of all relevant items of the user, in the list or not. An item is relevant if its gain is above 0.
//!
//! All metrics are of one user, lie in [0, 1] and have no unit. A user without list has `ranked` empty and counts 0; a user without
//! relevant item is undefined and is left out of the mean, which says how many it used ([`crate::mean_of`]). Intervals come from
//! resampling users ([`crate::bootstrap_mean`]), differences of two models from [`crate::compare_paired`].

use serde::{Deserialize, Serialize};

use crate::value::{Measure, Undefined};

/// How a gain enters NDCG.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gain {
    /// The gain itself: the default.
    #[default]
    Linear,
    /// 2^gain − 1, which is a different metric and has another name.
    Exponential,
}

impl Gain {
    /// The gain after the transformation; negative gains count as 0.
    #[must_use]
    pub fn of(self, gain: f64) -> f64 {
        let gain = gain.max(0.0);
        match self {
            Self::Linear => gain,
            Self::Exponential => gain.exp2() - 1.0,
        }
    }
}

/// A metric of one list, so that reports and gates can loop over metrics by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// [`precision`]
    Precision,
    /// [`recall`]
    Recall,
    /// [`f1`]
    F1,
    /// [`hit`]
    Hit,
    /// [`reciprocal_rank`]
    Mrr,
    /// [`average_precision`]
    Map,
    /// [`average_precision_capped`]
    MapCapped,
    /// [`average_recall`]
    Mar,
    /// [`ndcg`] with linear gain.
    Ndcg,
    /// [`ndcg`] with exponential gain.
    NdcgExponential,
}

impl Metric {
    /// All metrics, in the order in which reports print them.
    pub const ALL: [Self; 10] = [
        Self::Ndcg,
        Self::NdcgExponential,
        Self::Recall,
        Self::Precision,
        Self::F1,
        Self::Hit,
        Self::Mrr,
        Self::Map,
        Self::MapCapped,
        Self::Mar,
    ];

    /// The metric of one list at cut-off `k`.
    ///
    /// # Errors
    /// Those of the metric's own function.
    pub fn evaluate(self, ranked: &[f64], judged: &[f64], k: usize) -> Measure {
        match self {
            Self::Precision => precision(ranked, judged, k),
            Self::Recall => recall(ranked, judged, k),
            Self::F1 => f1(ranked, judged, k),
            Self::Hit => hit(ranked, judged, k),
            Self::Mrr => reciprocal_rank(ranked, judged, k),
            Self::Map => average_precision(ranked, judged, k),
            Self::MapCapped => average_precision_capped(ranked, judged, k),
            Self::Mar => average_recall(ranked, judged, k),
            Self::Ndcg => ndcg(ranked, judged, k, Gain::Linear),
            Self::NdcgExponential => ndcg(ranked, judged, k, Gain::Exponential),
        }
    }

    /// Name with the cut-off, as in `NDCG@10`.
    #[must_use]
    pub fn label(self, k: usize) -> String {
        let name = match self {
            Self::Precision => "P",
            Self::Recall => "R",
            Self::F1 => "F1",
            Self::Hit => "Hit",
            Self::Mrr => "MRR",
            Self::Map => "MAP",
            Self::MapCapped => "MAP-capped",
            Self::Mar => "MAR",
            Self::Ndcg => "NDCG",
            Self::NdcgExponential => "NDCG-exp",
        };
        format!("{name}@{k}")
    }

    /// The convention to print beside the number, because libraries disagree (METRICS.md section 9).
    #[must_use]
    pub fn convention(self) -> &'static str {
        match self {
            Self::Precision => "hits / k, also for lists shorter than k",
            Self::Recall => "hits / all relevant items",
            Self::F1 => "per user from P@k and R@k, then mean; 0 when both are 0",
            Self::Hit => "1 when any of the first k is relevant",
            Self::Mrr => "1 / rank of the first hit within k, else 0",
            Self::Map => "sum of P@j at hits / all relevant items (not min(relevant, k))",
            Self::MapCapped => "sum of P@j at hits / min(relevant items, k), as RecBole prints it under the name MAP",
            Self::Mar => "sum of R@j at hits / all relevant items, as Evidently prints it",
            Self::Ndcg => "linear gain, log2 discount, ideal from all judged gains cut at k",
            Self::NdcgExponential => "gain 2^g − 1, log2 discount, ideal from all judged gains cut at k",
        }
    }
}

/// Hits within k, relevant items in all, after the checks that all metrics share.
fn hits(ranked: &[f64], judged: &[f64], k: usize) -> Result<(usize, usize), Undefined> {
    if k == 0 {
        return Err(Undefined::BadParameter);
    }
    if ranked.iter().chain(judged).any(|gain| !gain.is_finite()) {
        return Err(Undefined::NotFinite);
    }
    let relevant = judged.iter().filter(|gain| **gain > 0.0).count();
    if relevant == 0 {
        return Err(Undefined::EmptyTruth);
    }
    Ok((ranked.iter().take(k).filter(|gain| **gain > 0.0).count(), relevant))
}

/// P@k: hits among the first k, divided by k even when the list is shorter.
///
/// # Errors
/// [`Undefined::EmptyTruth`] without a relevant item, [`Undefined::BadParameter`] at k = 0, [`Undefined::NotFinite`].
pub fn precision(ranked: &[f64], judged: &[f64], k: usize) -> Measure {
    let (found, _) = hits(ranked, judged, k)?;
    Ok(found as f64 / k as f64)
}

/// R@k: hits among the first k, divided by all relevant items.
///
/// # Errors
/// As [`precision`].
pub fn recall(ranked: &[f64], judged: &[f64], k: usize) -> Measure {
    let (found, relevant) = hits(ranked, judged, k)?;
    Ok(found as f64 / relevant as f64)
}

/// F1@k of one user: 2 P R / (P + R), 0 when both are 0. The mean over users is the mean of these, not F1 of the means.
///
/// # Errors
/// As [`precision`].
pub fn f1(ranked: &[f64], judged: &[f64], k: usize) -> Measure {
    f_beta(ranked, judged, k, 1.0)
}

/// F-beta@k of one user: (1 + β²) P R / (β² P + R), 0 when both are 0. β above 1 weighs recall more (van Rijsbergen 1979).
///
/// # Errors
/// As [`precision`]; [`Undefined::BadParameter`] for a β that is not above 0.
pub fn f_beta(ranked: &[f64], judged: &[f64], k: usize, beta: f64) -> Measure {
    if !(beta > 0.0 && beta.is_finite()) {
        return Err(Undefined::BadParameter);
    }
    let (p, r) = (precision(ranked, judged, k)?, recall(ranked, judged, k)?);
    let square = beta * beta;
    Ok(if p + r > 0.0 { (1.0 + square) * p * r / (square * p + r) } else { 0.0 })
}

/// Hit@k: 1 when a relevant item is among the first k, else 0.
///
/// # Errors
/// As [`precision`].
pub fn hit(ranked: &[f64], judged: &[f64], k: usize) -> Measure {
    let (found, _) = hits(ranked, judged, k)?;
    Ok(if found > 0 { 1.0 } else { 0.0 })
}

/// Reciprocal rank of the first hit within k, else 0. Its mean over users is MRR@k.
///
/// # Errors
/// As [`precision`].
pub fn reciprocal_rank(ranked: &[f64], judged: &[f64], k: usize) -> Measure {
    hits(ranked, judged, k)?;
    let first = ranked.iter().take(k).position(|gain| *gain > 0.0);
    Ok(first.map_or(0.0, |position| 1.0 / (position + 1) as f64))
}

/// Σ P@j over the hits within k.
fn precision_at_hits(ranked: &[f64], k: usize) -> f64 {
    let (mut found, mut sum) = (0_usize, 0.0);
    for (position, gain) in ranked.iter().take(k).enumerate() {
        if *gain > 0.0 {
            found += 1;
            sum += found as f64 / (position + 1) as f64;
        }
    }
    sum
}

/// Average precision at k: Σ P@j over the hits within k, divided by all relevant items (trec_eval, ranx). A user with more relevant
/// items than k cannot reach 1. Its mean over users is MAP@k.
///
/// # Errors
/// As [`precision`].
pub fn average_precision(ranked: &[f64], judged: &[f64], k: usize) -> Measure {
    let (_, relevant) = hits(ranked, judged, k)?;
    Ok(precision_at_hits(ranked, k) / relevant as f64)
}

/// Average precision at k divided by min(relevant items, k), which RecBole prints as MAP (`evaluator/metrics.py`). It is another metric
/// with another name: never below [`average_precision`], and 1 when the first k are all relevant.
///
/// # Errors
/// As [`precision`].
pub fn average_precision_capped(ranked: &[f64], judged: &[f64], k: usize) -> Measure {
    let (_, relevant) = hits(ranked, judged, k)?;
    Ok(precision_at_hits(ranked, k) / relevant.min(k) as f64)
}

/// Average recall at k: Σ R@j over the hits within k, divided by all relevant items (Evidently `mar_k`). With h hits of R relevant items
/// it is h (h + 1) / (2 R²), so it does not read the ranks of the hits, and its maximum is (R + 1) / (2 R), not 1.
///
/// # Errors
/// As [`precision`].
pub fn average_recall(ranked: &[f64], judged: &[f64], k: usize) -> Measure {
    let (found, relevant) = hits(ranked, judged, k)?;
    let sum = (1..=found).map(|hit| hit as f64 / relevant as f64).sum::<f64>();
    Ok(sum / relevant as f64)
}

/// The discount of a position: 1 / log2(position + 2), position from 0.
#[must_use]
pub fn discount(position: usize) -> f64 {
    1.0 / (position as f64 + 2.0).log2()
}

/// Discounted cumulative gain of the ideal order: all judged gains sorted, then cut at k.
pub(crate) fn ideal_dcg(judged: &[f64], k: usize, gain: Gain) -> f64 {
    let mut best: Vec<f64> = judged.iter().map(|value| gain.of(*value)).collect();
    best.sort_by(|left, right| right.total_cmp(left));
    best.iter().take(k).enumerate().map(|(position, value)| value * discount(position)).sum()
}

/// NDCG@k (Järvelin and Kekäläinen 2002) with log2 discount; the ideal is built from all judged gains.
///
/// # Errors
/// As [`precision`].
pub fn ndcg(ranked: &[f64], judged: &[f64], k: usize, gain: Gain) -> Measure {
    hits(ranked, judged, k)?;
    let dcg: f64 = ranked.iter().take(k).enumerate().map(|(i, value)| gain.of(*value) * discount(i)).sum();
    Ok(dcg / ideal_dcg(judged, k, gain))
}
