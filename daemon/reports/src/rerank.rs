//! Re-ranking for diversity, calibration and fair exposure (METRICS.md section 4, mitigation). All are off unless switched on.
//! Each costs accuracy, and the cost is shown.
//!
//! Every function takes candidates by index with their relevance, and returns the chosen indices in order. Equal gains go to the
//! earlier candidate, so candidates must come in the order of [`crate::ties::order`].

use crate::diversity::calibration_kl;
use crate::value::{Measure, Undefined, same_length};

/// The candidate with the largest gain among those not yet taken; the first of equals.
fn best(n: usize, taken: &[usize], mut gain: impl FnMut(usize) -> Measure) -> Result<Option<(usize, f64)>, Undefined> {
    let mut best: Option<(usize, f64)> = None;
    for index in (0..n).filter(|index| !taken.contains(index)) {
        let value = gain(index)?;
        if best.is_none_or(|(_, top)| value > top) {
            best = Some((index, value));
        }
    }
    Ok(best)
}

fn share(lambda: f64) -> Result<(), Undefined> {
    if (0.0..=1.0).contains(&lambda) { Ok(()) } else { Err(Undefined::BadParameter) }
}

/// Maximal marginal relevance (Carbonell and Goldstein 1998): argmax λ·rel − (1−λ)·max similarity to what is taken.
///
/// # Errors
/// [`Undefined::BadParameter`] for λ outside [0, 1]; errors of `similarity`.
pub fn mmr(
    relevance: &[f64],
    lambda: f64,
    k: usize,
    mut similarity: impl FnMut(usize, usize) -> Measure,
) -> Result<Vec<usize>, Undefined> {
    share(lambda)?;
    let mut taken: Vec<usize> = Vec::with_capacity(k);
    while taken.len() < k {
        let next = best(relevance.len(), &taken, |index| {
            let mut near: Option<f64> = None;
            for &other in &taken {
                let value = similarity(index, other)?;
                near = Some(near.map_or(value, |top| top.max(value)));
            }
            Ok(lambda * relevance[index] - (1.0 - lambda) * near.unwrap_or(0.0))
        })?;
        let Some((index, _)) = next else { break };
        taken.push(index);
    }
    Ok(taken)
}

/// xQuAD (Santos 2010): (1−λ)·rel + λ·Σ_c P(c|u) P(i|c) Π_taken (1−P(j|c)). Returns indices with their gains.
///
/// `aspects` are P(c|u); `covers[i][c]` is P(i|c).
///
/// # Errors
/// [`Undefined::LengthMismatch`], [`Undefined::BadParameter`] for λ outside [0, 1].
pub fn xquad<C: AsRef<[f64]>>(
    relevance: &[f64],
    aspects: &[f64],
    covers: &[C],
    lambda: f64,
    k: usize,
) -> Result<Vec<(usize, f64)>, Undefined> {
    share(lambda)?;
    same_length(relevance.len(), covers.len())?;
    for cover in covers {
        same_length(cover.as_ref().len(), aspects.len())?;
    }
    let mut open = vec![1.0; aspects.len()];
    let (mut taken, mut result) = (Vec::new(), Vec::with_capacity(k));
    while result.len() < k {
        let next = best(relevance.len(), &taken, |index| {
            let parts = aspects.iter().zip(covers[index].as_ref()).zip(&open);
            let news: f64 = parts.map(|((wish, cover), open)| wish * cover * open).sum();
            Ok((1.0 - lambda) * relevance[index] + lambda * news)
        })?;
        let Some((index, gain)) = next else { break };
        open.iter_mut().zip(covers[index].as_ref()).for_each(|(open, cover)| *open *= 1.0 - cover);
        taken.push(index);
        result.push((index, gain));
    }
    Ok(result)
}

/// Calibrated re-ranking (Steck 2018): greedy on (1−λ)·Σ rel − λ·C_KL of the list so far against the history.
///
/// `category[i]` is the category of a candidate, `history` the weight of each category; α is that of [`calibration_kl`].
///
/// # Errors
/// [`Undefined::LengthMismatch`], [`Undefined::BadParameter`]; as [`calibration_kl`].
pub fn calibrated(
    relevance: &[f64],
    category: &[usize],
    history: &[f64],
    events: usize,
    lambda: f64,
    alpha: f64,
    k: usize,
) -> Result<Vec<usize>, Undefined> {
    share(lambda)?;
    same_length(relevance.len(), category.len())?;
    if category.iter().any(|one| *one >= history.len()) {
        return Err(Undefined::BadParameter);
    }
    let mut counts = vec![0.0; history.len()];
    let (mut taken, mut sum): (Vec<usize>, f64) = (Vec::with_capacity(k), 0.0);
    while taken.len() < k {
        let next = best(relevance.len(), &taken, |index| {
            let mut with = counts.clone();
            with[category[index]] += 1.0;
            let distance = calibration_kl(history, &with, events, alpha)?;
            Ok((1.0 - lambda) * (sum + relevance[index]) - lambda * distance)
        })?;
        let Some((index, _)) = next else { break };
        counts[category[index]] += 1.0;
        sum += relevance[index];
        taken.push(index);
    }
    Ok(taken)
}

/// DetGreedy (Geyik 2019): at each rank k the best of the groups below ⌊k p⌋, else the best of those below ⌈k p⌉.
///
/// `target` are the wanted shares of the groups. A group that has run out is passed over.
///
/// # Errors
/// [`Undefined::LengthMismatch`], [`Undefined::BadParameter`] for an unknown group or shares that do not sum to 1.
pub fn det_greedy(scores: &[f64], group: &[usize], target: &[f64], k: usize) -> Result<Vec<usize>, Undefined> {
    same_length(scores.len(), group.len())?;
    if group.iter().any(|one| *one >= target.len()) || (target.iter().sum::<f64>() - 1.0).abs() > 1e-9 {
        return Err(Undefined::BadParameter);
    }
    let mut counts = vec![0_usize; target.len()];
    let mut taken: Vec<usize> = Vec::with_capacity(k);
    while taken.len() < k {
        let rank = (taken.len() + 1) as f64;
        // k·p of 0.3 and 10 must be 3, not a hair above or below.
        let floor = |g: usize| (rank * target[g] + 1e-9).floor() as usize;
        let ceiling = |g: usize| (rank * target[g] - 1e-9).ceil() as usize;
        let among = |fits: &dyn Fn(usize) -> bool| {
            let gain = |index: usize| Ok(if fits(group[index]) { scores[index] } else { f64::NEG_INFINITY });
            best(scores.len(), &taken, gain).map(|found| found.filter(|(index, _)| fits(group[*index])))
        };
        let below = among(&|g| counts[g] < floor(g))?;
        let next = match below {
            Some(found) => Some(found),
            None => match among(&|g| counts[g] < ceiling(g))? {
                Some(found) => Some(found),
                None => among(&|_| true)?,
            },
        };
        let Some((index, _)) = next else { break };
        counts[group[index]] += 1;
        taken.push(index);
    }
    Ok(taken)
}

/// What [`dpp`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct DppList {
    /// Chosen candidates in order.
    pub list: Vec<usize>,
    /// How many of them the determinant chose; the rest was back-filled by quality.
    pub by_determinant: usize,
    /// Σ ln d² over the chosen ones: the log determinant, when no window is set.
    pub log_det: f64,
}

/// Stop of the determinant: what is left lies in the span of what was taken.
const EXHAUSTED: f64 = 1e-10;

/// Greedy MAP of a determinantal point process with kernel L = q S q (Chen 2018), then back-fill by quality.
///
/// With a `window` of w, a candidate is compared with the w − 1 items before it only, so long lists do not run out of directions.
///
/// # Errors
/// [`Undefined::BadParameter`] for a window below 2 or a quality that is not positive; errors of `similarity`.
pub fn dpp(
    quality: &[f64],
    k: usize,
    window: Option<usize>,
    mut similarity: impl FnMut(usize, usize) -> Measure,
) -> Result<DppList, Undefined> {
    if window.is_some_and(|window| window < 2) || quality.iter().any(|q| !q.is_finite() || *q <= 0.0) {
        return Err(Undefined::BadParameter);
    }
    let n = quality.len();
    let mut kernel = vec![0.0; n * n];
    for row in 0..n {
        for column in 0..n {
            kernel[row * n + column] = quality[row] * similarity(row, column)? * quality[column];
        }
    }
    let (mut list, mut log_det): (Vec<usize>, f64) = (Vec::with_capacity(k), 0.0);
    while list.len() < k {
        let seen = &list[list.len() - list.len().min(window.map_or(usize::MAX, |window| window - 1))..];
        let next = best(n, &list, |index| Ok(conditional(&kernel, n, seen, index)))?;
        let Some((index, left)) = next.filter(|(_, left)| *left >= EXHAUSTED) else { break };
        log_det += left.ln();
        list.push(index);
    }
    let by_determinant = list.len();
    while list.len() < k {
        let Some((index, _)) = best(n, &list, |index| Ok(quality[index]))? else { break };
        list.push(index);
    }
    Ok(DppList { list, by_determinant, log_det })
}

/// d² of `index` given `seen`: what its kernel entry keeps after projection on the items seen (Cholesky, row by row).
fn conditional(kernel: &[f64], n: usize, seen: &[usize], index: usize) -> f64 {
    let mut rows: Vec<Vec<f64>> = Vec::with_capacity(seen.len() + 1);
    let mut left = 0.0;
    for &item in seen.iter().chain([&index]) {
        let mut row: Vec<f64> = Vec::with_capacity(rows.len() + 1);
        for (place, before) in rows.iter().enumerate() {
            let dot: f64 = row.iter().zip(before).map(|(a, b)| a * b).sum();
            row.push((kernel[item * n + seen[place]] - dot) / before[place].max(EXHAUSTED.sqrt()));
        }
        left = kernel[item * n + item] - row.iter().map(|c| c * c).sum::<f64>();
        row.push(left.max(0.0).sqrt());
        rows.push(row);
    }
    left
}
