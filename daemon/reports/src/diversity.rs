//! Diversity of lists over a catalogue: coverage, concentration, long tail, diversity within lists by the reference encoder, calibration
//! (METRICS.md section 3).
//!
//! Metrics of the catalogue (coverage, Gini, entropy, HHI, tail share) are one number for all lists of a fixed set of users and a fixed
//! period; coverage and aggregate diversity grow with both, so they are compared only at equal numbers of users. Their intervals
//! resample users and recount ([`crate::bootstrap_statistic`]); a difference of two models resamples the same users in both. Metrics of
//! one list (ILD, calibration) are means over users with [`crate::bootstrap_mean`].
//!
//! Items are indices below `catalogue`, the number of eligible items at the time of the lists. [`ild`] takes vectors
//! of the frozen reference encoder, never of the model under test: fine-tuning would change the measure.

use crate::exposure::Attention;
use crate::value::{Measure, Undefined, finite};

/// How often each eligible item stands in the lists (each cut at k), zeros included.
///
/// # Errors
/// [`Undefined::BadParameter`] for an item outside the catalogue.
pub fn counts<L: AsRef<[u32]>>(lists: &[L], k: usize, catalogue: usize) -> Result<Vec<f64>, Undefined> {
    exposure_counts(lists, k, catalogue, Attention::Uniform)
}

/// Exposure of each eligible item: the sum of `attention` over the ranks on which it stands, zeros included.
///
/// # Errors
/// [`Undefined::BadParameter`] for an item outside the catalogue.
pub fn exposure_counts<L: AsRef<[u32]>>(
    lists: &[L],
    k: usize,
    catalogue: usize,
    attention: Attention,
) -> Result<Vec<f64>, Undefined> {
    let mut counts = vec![0.0; catalogue];
    for list in lists {
        for (position, &item) in list.as_ref().iter().take(k).enumerate() {
            *counts.get_mut(item as usize).ok_or(Undefined::BadParameter)? += attention.at(position);
        }
    }
    Ok(counts)
}

/// Aggregate diversity: the number of different items shown.
#[must_use]
pub fn aggregate_diversity(counts: &[f64]) -> usize {
    counts.iter().filter(|count| **count > 0.0).count()
}

/// Coverage: shown items over the eligible catalogue (not over the trained items).
///
/// # Errors
/// [`Undefined::ZeroDenominator`] for an empty catalogue.
pub fn coverage(counts: &[f64]) -> Measure {
    if counts.is_empty() {
        return Err(Undefined::ZeroDenominator);
    }
    Ok(aggregate_diversity(counts) as f64 / counts.len() as f64)
}

fn total(counts: &[f64]) -> Measure {
    if counts.iter().any(|count| !count.is_finite() || *count < 0.0) {
        return Err(Undefined::NotFinite);
    }
    let total: f64 = counts.iter().sum();
    if total > 0.0 { Ok(total) } else { Err(Undefined::NoObservations) }
}

/// Gini coefficient Σ(2i−n−1)c_(i) / (nΣc) with zeros included; 0 is equal, lower is more equal.
///
/// # Errors
/// [`Undefined::NoObservations`] when nothing was shown, [`Undefined::NotFinite`] for negative or infinite counts.
pub fn gini(counts: &[f64]) -> Measure {
    let total = total(counts)?;
    let mut sorted = counts.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let weighted: f64 = sorted.iter().enumerate().map(|(i, c)| (2.0 * (i as f64 + 1.0) - n - 1.0) * c).sum();
    finite(weighted / (n * total))
}

/// Shannon entropy in nats of the share of each item.
///
/// # Errors
/// As [`gini`].
pub fn entropy(counts: &[f64]) -> Measure {
    let total = total(counts)?;
    let term = |count: &f64| {
        if *count > 0.0 { -(count / total) * (count / total).ln() } else { 0.0 }
    };
    // An order that does not depend on the catalogue, so that renumbering items changes no bit.
    let mut sorted = counts.to_vec();
    sorted.sort_by(f64::total_cmp);
    finite(sorted.iter().map(term).sum())
}

/// Effective items: exp(H), the number of equally shown items with the same entropy.
///
/// # Errors
/// As [`gini`].
pub fn effective_items(counts: &[f64]) -> Measure {
    entropy(counts).map(f64::exp)
}

/// Herfindahl–Hirschman index Σp² over sellers or brands, plain and normalised (HHI−1/n)/(1−1/n).
///
/// # Errors
/// As [`gini`]; the normalised index alone is [`Undefined::ZeroDenominator`] for a single seller.
pub fn hhi(counts: &[f64]) -> Result<(f64, Measure), Undefined> {
    let total = total(counts)?;
    let index: f64 = counts.iter().map(|count| (count / total).powi(2)).sum();
    let even = 1.0 / counts.len() as f64;
    let normalised = if counts.len() < 2 { Err(Undefined::ZeroDenominator) } else { Ok((index - even) / (1.0 - even)) };
    Ok((index, normalised))
}

/// Share of the largest seller or brand, shown beside [`hhi`].
///
/// # Errors
/// As [`gini`].
pub fn top_share(counts: &[f64]) -> Measure {
    let total = total(counts)?;
    Ok(counts.iter().copied().fold(0.0, f64::max) / total)
}

/// How far each item belongs to the long tail: 0 for the short head, the smallest set of items that covers `head` (0.8) of the
/// interactions, 1 for the rest including items without any.
///
/// Where equally popular items compete for the last places of the head, each gets the same fraction, which is the expectation over
/// all orders, so the catalogue order cannot matter.
///
/// # Errors
/// As [`gini`]; [`Undefined::BadParameter`] for a head share outside (0, 1].
pub fn tail_membership(popularity: &[f64], head: f64) -> Result<Vec<f64>, Undefined> {
    if !(head > 0.0 && head <= 1.0) {
        return Err(Undefined::BadParameter);
    }
    let goal = head * total(popularity)?;
    let mut order: Vec<usize> = (0..popularity.len()).collect();
    order.sort_by(|&left, &right| popularity[right].total_cmp(&popularity[left]));
    let mut tail = vec![1.0; popularity.len()];
    let (mut covered, mut start) = (0.0, 0);
    while start < order.len() {
        let level = popularity[order[start]];
        let missing = goal - covered;
        // The tolerance keeps a set that covers exactly the share from growing by one through rounding.
        if level <= 0.0 || missing <= 1e-9 * goal {
            break;
        }
        let end = start + order[start..].iter().take_while(|&&item| popularity[item] == level).count();
        let equal = (end - start) as f64;
        let needed = ((missing / level) - 1e-9).ceil().min(equal);
        for &item in &order[start..end] {
            tail[item] = 1.0 - needed / equal;
        }
        covered += needed * level;
        start = end;
    }
    Ok(tail)
}

/// Share of exposure that goes to the tail.
///
/// # Errors
/// [`Undefined::LengthMismatch`]; as [`gini`].
pub fn tail_share(exposure: &[f64], tail: &[f64]) -> Measure {
    crate::value::same_length(exposure.len(), tail.len())?;
    let total = total(exposure)?;
    Ok(exposure.iter().zip(tail).map(|(seen, member)| seen * member).sum::<f64>() / total)
}

/// Cosine of two vectors of one length.
///
/// # Errors
/// [`Undefined::LengthMismatch`], [`Undefined::ZeroVector`], [`Undefined::NotFinite`].
pub fn cosine(left: &[f32], right: &[f32]) -> Measure {
    crate::value::same_length(left.len(), right.len())?;
    let (mut dot, mut a, mut b) = (0.0_f64, 0.0_f64, 0.0_f64);
    for (x, y) in left.iter().zip(right) {
        let (x, y) = (f64::from(*x), f64::from(*y));
        dot += x * y;
        a += x * x;
        b += y * y;
    }
    if a == 0.0 || b == 0.0 {
        return Err(Undefined::ZeroVector);
    }
    finite(dot / (a.sqrt() * b.sqrt()))
}

/// Intra-list diversity: the mean over pairs of 1 − similarity.
///
/// # Errors
/// [`Undefined::ListTooShort`] below two items; errors of `similarity`.
pub fn ild_by(list: &[u32], mut similarity: impl FnMut(u32, u32) -> Measure) -> Measure {
    if list.len() < 2 {
        return Err(Undefined::ListTooShort);
    }
    let (mut sum, mut pairs) = (0.0, 0_usize);
    for (place, &left) in list.iter().enumerate() {
        for &right in &list[place + 1..] {
            sum += 1.0 - similarity(left, right)?;
            pairs += 1;
        }
    }
    Ok(sum / pairs as f64)
}

/// ILD of the vectors of one list, made by the reference encoder.
///
/// # Errors
/// As [`ild_by`] and [`cosine`].
pub fn ild<V: AsRef<[f32]>>(vectors: &[V]) -> Measure {
    let places: Vec<u32> = (0..vectors.len() as u32).collect();
    ild_by(&places, |left, right| cosine(vectors[left as usize].as_ref(), vectors[right as usize].as_ref()))
}

/// The reference of [`ild`]: the mean of 1 − cosine over all pairs of the catalogue, which is what lists of random items have in
/// expectation. A list far below it is monotonous for this shop; the number alone says nothing, since it depends on the encoder.
///
/// All pairs are covered exactly and in linear time: with unit vectors the sum of cosines over ordered pairs is |Σ v|² − n.
///
/// # Errors
/// [`Undefined::ListTooShort`] below two items; [`Undefined::LengthMismatch`], [`Undefined::ZeroVector`], [`Undefined::NotFinite`].
pub fn catalogue_ild<V: AsRef<[f32]>>(vectors: &[V]) -> Measure {
    if vectors.len() < 2 {
        return Err(Undefined::ListTooShort);
    }
    let mut sum = vec![0.0_f64; vectors[0].as_ref().len()];
    for vector in vectors.iter().map(AsRef::as_ref) {
        crate::value::same_length(vector.len(), sum.len())?;
        let norm = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        if norm == 0.0 {
            return Err(Undefined::ZeroVector);
        }
        for (total, x) in sum.iter_mut().zip(vector) {
            *total += f64::from(*x) / norm;
        }
    }
    let n = vectors.len() as f64;
    let cosines = sum.iter().map(|x| x * x).sum::<f64>() - n;
    finite(1.0 - cosines / (n * (n - 1.0)))
}

/// Personalisation (inter-list diversity): the mean over pairs of users of 1 − |A ∩ B| / √(|A| |B|), the cosine of their lists as sets;
/// 0 when all get the same list, 1 when no two share an item. Evidently's `PersonalizationMetric` divides by k instead, which is the
/// same for lists of k items. Lists are cut at k; empty ones are left out. All pairs are covered in time linear in the items shown.
///
/// # Errors
/// [`Undefined::TooFew`] below two lists that are not empty.
pub fn personalisation<L: AsRef<[u32]>>(lists: &[L], k: usize) -> Measure {
    use std::collections::BTreeMap;
    // Per item the sum of 1 / √|L| and of its squares over the users who see it: half of the difference is the sum over pairs.
    let mut weights: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
    let mut users = 0_usize;
    for list in lists {
        let mut items: Vec<u32> = list.as_ref().iter().take(k).copied().collect();
        items.sort_unstable();
        items.dedup();
        users += usize::from(!items.is_empty());
        let weight = 1.0 / (items.len() as f64).sqrt();
        for item in items {
            let sums = weights.entry(item).or_default();
            *sums = (sums.0 + weight, sums.1 + weight * weight);
        }
    }
    if users < 2 {
        return Err(Undefined::TooFew);
    }
    let shared: f64 = weights.values().map(|(sum, squares)| (sum * sum - squares) / 2.0).sum();
    finite(1.0 - shared / (users * (users - 1)) as f64 * 2.0)
}

/// Fewest events from which a shopper's taste distribution is made.
pub const CALIBRATION_EVENTS: usize = 5;

/// Miscalibration C_KL (Steck 2018): Σ p ln(p / q̃), q̃ = (1−α) q + α p, in nats; 0 when the list mirrors the history.
///
/// `history` and `list` are weights over the same categories; they are normalised here. α is 0.01 by default.
///
/// # Errors
/// [`Undefined::NoHistory`] below five events, [`Undefined::LengthMismatch`], as [`gini`] for weights;
/// [`Undefined::BadParameter`] for α outside (0, 1).
pub fn calibration_kl(history: &[f64], list: &[f64], events: usize, alpha: f64) -> Measure {
    crate::value::same_length(history.len(), list.len())?;
    if events < CALIBRATION_EVENTS {
        return Err(Undefined::NoHistory);
    }
    if !(alpha > 0.0 && alpha < 1.0) {
        return Err(Undefined::BadParameter);
    }
    let (p_total, q_total) = (total(history)?, total(list)?);
    let term = |(p, q): (&f64, &f64)| {
        let (p, q) = (p / p_total, q / q_total);
        if p > 0.0 { p * (p / ((1.0 - alpha) * q + alpha * p)).ln() } else { 0.0 }
    };
    finite(history.iter().zip(list).map(term).sum())
}
