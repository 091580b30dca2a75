//! Metrics of probabilities against outcomes: AUC, loss and calibration (METRICS.md section 1).

use crate::value::{Measure, Undefined, same_length};

/// Probabilities are clipped to [this, 1 − this] before a logarithm, so one confident error cannot cost 36.
pub const CLIP: f64 = 1e-7;

fn checked(labels: &[bool], scores: &[f64]) -> Result<(), Undefined> {
    same_length(labels.len(), scores.len())?;
    if labels.is_empty() {
        return Err(Undefined::NoObservations);
    }
    if scores.iter().any(|score| !score.is_finite()) {
        return Err(Undefined::NotFinite);
    }
    Ok(())
}

/// Area under the ROC curve: concordant pairs plus half the ties, over positives × negatives.
///
/// # Errors
/// [`Undefined::OneClass`] when all labels agree, and the shared checks (length, emptiness, finiteness).
pub fn auc(labels: &[bool], scores: &[f64]) -> Measure {
    checked(labels, scores)?;
    let positives = labels.iter().filter(|label| **label).count();
    let negatives = labels.len() - positives;
    if positives == 0 || negatives == 0 {
        return Err(Undefined::OneClass);
    }
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by(|&left, &right| scores[left].total_cmp(&scores[right]));
    // Twice the number of concordant pairs stays an integer, so ties cost no rounding.
    let (mut below, mut twice, mut start) = (0_u128, 0_u128, 0);
    while start < order.len() {
        let end = start + order[start..].iter().take_while(|&&i| scores[i] == scores[order[start]]).count();
        let up = order[start..end].iter().filter(|&&i| labels[i]).count() as u128;
        let down = (end - start) as u128 - up;
        twice += up * (2 * below + down);
        below += down;
        start = end;
    }
    Ok(twice as f64 / (2.0 * positives as f64 * negatives as f64))
}

/// Weight of a user in GAUC. The choice is printed with the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GaucWeight {
    /// Number of impressions: the default.
    Impressions,
    /// Number of positives (RecBole).
    Positives,
}

/// AUC per user, averaged with weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gauc {
    /// Σ w AUC / Σ w over users with both classes.
    pub value: f64,
    /// Share of users left out because they have only one class.
    pub skipped: f64,
}

/// Labels and scores of the same rows.
#[derive(Clone, Copy, Debug)]
pub struct Labelled<'a> {
    /// Whether each row is positive.
    pub labels: &'a [bool],
    /// Score of each row.
    pub scores: &'a [f64],
}

/// GAUC over users.
///
/// # Errors
/// [`Undefined::OneClass`] when no user has both classes; other errors of [`auc`].
pub fn gauc(users: &[Labelled<'_>], weight: GaucWeight) -> Result<Gauc, Undefined> {
    let (mut sum, mut total, mut skipped) = (0.0, 0.0, 0_usize);
    for Labelled { labels, scores } in users {
        match auc(labels, scores) {
            Ok(value) => {
                let mass = match weight {
                    GaucWeight::Impressions => labels.len(),
                    GaucWeight::Positives => labels.iter().filter(|label| **label).count(),
                } as f64;
                sum += mass * value;
                total += mass;
            }
            Err(Undefined::OneClass | Undefined::NoObservations) => skipped += 1,
            Err(other) => return Err(other),
        }
    }
    if total == 0.0 {
        return Err(Undefined::OneClass);
    }
    Ok(Gauc { value: sum / total, skipped: skipped as f64 / users.len() as f64 })
}

/// Mean negative log-likelihood, probabilities clipped to [`CLIP`].
///
/// # Errors
/// Length, emptiness, finiteness.
pub fn log_loss(labels: &[bool], probabilities: &[f64]) -> Measure {
    checked(labels, probabilities)?;
    let loss = |(label, p): (&bool, &f64)| {
        let p = p.clamp(CLIP, 1.0 - CLIP);
        if *label { -p.ln() } else { -(1.0 - p).ln() }
    };
    Ok(labels.iter().zip(probabilities).map(loss).sum::<f64>() / labels.len() as f64)
}

/// Mean squared error of probabilities.
///
/// # Errors
/// Length, emptiness, finiteness.
pub fn brier(labels: &[bool], probabilities: &[f64]) -> Measure {
    checked(labels, probabilities)?;
    let square = |(label, p): (&bool, &f64)| (p - f64::from(u8::from(*label))).powi(2);
    Ok(labels.iter().zip(probabilities).map(square).sum::<f64>() / labels.len() as f64)
}

/// Outcomes of the rule "positive from this probability on".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confusion {
    /// Positives that the rule calls positive.
    pub true_positives: usize,
    /// Negatives that the rule calls positive.
    pub false_positives: usize,
    /// Positives that the rule calls negative.
    pub false_negatives: usize,
    /// Negatives that the rule calls negative.
    pub true_negatives: usize,
}

impl Confusion {
    /// Share of what was called positive that is; undefined when nothing was.
    ///
    /// # Errors
    /// [`Undefined::ZeroDenominator`].
    pub fn precision(self) -> Measure {
        share(self.true_positives, self.true_positives + self.false_positives)
    }

    /// Share of the positives that were found.
    ///
    /// # Errors
    /// [`Undefined::ZeroDenominator`] without a positive.
    pub fn recall(self) -> Measure {
        share(self.true_positives, self.true_positives + self.false_negatives)
    }

    /// Harmonic mean of both, 0 when nothing was found.
    ///
    /// # Errors
    /// [`Undefined::ZeroDenominator`] where there is neither a positive nor anything called so.
    pub fn f1(self) -> Measure {
        share(2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives)
    }
}

fn share(part: usize, whole: usize) -> Measure {
    if whole == 0 { Err(Undefined::ZeroDenominator) } else { Ok(part as f64 / whole as f64) }
}

/// Counts the outcomes of the rule "positive from `threshold` on".
///
/// # Errors
/// Length, emptiness, finiteness.
pub fn confusion(labels: &[bool], probabilities: &[f64], threshold: f64) -> Result<Confusion, Undefined> {
    checked(labels, probabilities)?;
    let mut counts = Confusion::default();
    for (label, p) in labels.iter().zip(probabilities) {
        *match (*label, *p >= threshold) {
            (true, true) => &mut counts.true_positives,
            (false, true) => &mut counts.false_positives,
            (true, false) => &mut counts.false_negatives,
            (false, false) => &mut counts.true_negatives,
        } += 1;
    }
    Ok(counts)
}

/// The probability from which on calling a row positive gives the best F1; of equal ones the highest. To be chosen on rows that are not
/// the ones reported.
///
/// # Errors
/// [`Undefined::OneClass`] without a positive; length, emptiness, finiteness.
pub fn best_f1_threshold(labels: &[bool], probabilities: &[f64]) -> Measure {
    checked(labels, probabilities)?;
    let positives = labels.iter().filter(|label| **label).count();
    if positives == 0 {
        return Err(Undefined::OneClass);
    }
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by(|&left, &right| probabilities[right].total_cmp(&probabilities[left]));
    let (mut found, mut called, mut best) = (0, 0, (0.0, f64::INFINITY));
    for ties in order.chunk_by(|&left, &right| probabilities[left] == probabilities[right]) {
        called += ties.len();
        found += ties.iter().filter(|&&i| labels[i]).count();
        let f1 = 2.0 * found as f64 / (called + positives) as f64;
        if f1 > best.0 {
            best = (f1, probabilities[ties[0]]);
        }
    }
    Ok(best.1)
}

/// How probabilities are put into bins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binning {
    /// Bins [l, u) of equal width, the last closed. The report uses 10.
    EqualWidth(usize),
    /// Bins of equal count in order of probability; equal probabilities stay together. The report uses 15.
    EqualMass(usize),
}

/// Expected and maximum calibration error, and the ratio Σp / Σy that is always printed beside them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// Σ (n_b / n) |accuracy − confidence|.
    pub ece: f64,
    /// The largest |accuracy − confidence| of a bin that is not empty.
    pub mce: f64,
    /// Predicted over observed positives; undefined without a positive.
    pub ratio: Measure,
}

/// Calibration of probabilities against outcomes.
///
/// # Errors
/// [`Undefined::BadParameter`] for no bins or a probability outside [0, 1]; length, emptiness, finiteness.
pub fn calibration(labels: &[bool], probabilities: &[f64], binning: Binning) -> Result<Calibration, Undefined> {
    checked(labels, probabilities)?;
    let (Binning::EqualWidth(bins) | Binning::EqualMass(bins)) = binning;
    if bins == 0 || probabilities.iter().any(|p| !(0.0..=1.0).contains(p)) {
        return Err(Undefined::BadParameter);
    }
    let n = labels.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&left, &right| probabilities[left].total_cmp(&probabilities[right]));
    let bin_of = |place: usize| match binning {
        Binning::EqualWidth(_) => ((probabilities[order[place]] * bins as f64) as usize).min(bins - 1),
        Binning::EqualMass(_) => {
            // Equal probabilities share the bin of the first of them, so the input order cannot matter.
            let value = probabilities[order[place]];
            order.partition_point(|&index| probabilities[index] < value) * bins / n
        }
    };
    let (mut ece, mut mce, mut start) = (0.0, 0.0_f64, 0);
    while start < n {
        let bin = bin_of(start);
        let end = start + (start..n).take_while(|&place| bin_of(place) == bin).count();
        let mass = (end - start) as f64;
        let confidence = order[start..end].iter().map(|&i| probabilities[i]).sum::<f64>() / mass;
        let accuracy = order[start..end].iter().filter(|&&i| labels[i]).count() as f64 / mass;
        let gap = (accuracy - confidence).abs();
        ece += mass / n as f64 * gap;
        mce = mce.max(gap);
        start = end;
    }
    let positives = labels.iter().filter(|label| **label).count();
    let ratio = match positives {
        0 => Err(Undefined::ZeroDenominator),
        _ => Ok(probabilities.iter().sum::<f64>() / positives as f64),
    };
    Ok(Calibration { ece, mce, ratio })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(text: &str) -> Vec<bool> {
        text.chars().map(|c| c == '1').collect()
    }

    fn close(left: f64, right: f64) {
        assert!((left - right).abs() < 1e-6, "{left} is not {right}");
    }

    #[test]
    fn tv_r3_gauc() {
        let labels = [bits("1001"), bits("10"), bits("11"), bits("100")];
        let scores = [vec![0.9, 0.8, 0.2, 0.1], vec![0.3, 0.3], vec![0.9, 0.1], vec![0.9, 0.2, 0.1]];
        let users: Vec<Labelled<'_>> =
            labels.iter().zip(&scores).map(|(labels, scores)| Labelled { labels, scores }).collect();
        assert_eq!(auc(&labels[0], &scores[0]), Ok(0.5));
        assert_eq!(auc(&labels[1], &scores[1]), Ok(0.5));
        assert_eq!(auc(&labels[2], &scores[2]), Err(Undefined::OneClass));
        assert_eq!(auc(&labels[3], &scores[3]), Ok(1.0));
        let by_impressions = gauc(&users, GaucWeight::Impressions).unwrap();
        close(by_impressions.value, 0.666_667);
        close(by_impressions.skipped, 0.25);
        close(gauc(&users, GaucWeight::Positives).unwrap().value, 0.625);
    }

    #[test]
    fn tv_r4_probabilities() {
        let y = bits("1101001000");
        let p = [0.95, 0.85, 0.65, 0.65, 0.45, 0.35, 0.25, 0.15, 0.05, 0.02];
        close(auc(&y, &p).unwrap(), 0.854_167);
        close(log_loss(&y, &p).unwrap(), 0.434_335);
        close(brier(&y, &p).unwrap(), 0.148_290);
        let five = calibration(&y, &p, Binning::EqualWidth(5)).unwrap();
        close(five.ece, 0.157);
        close(five.mce, 0.45);
        close(five.ratio.unwrap(), 1.0925);
        close(calibration(&y, &p, Binning::EqualWidth(10)).unwrap().ece, 0.227);
    }

    #[test]
    fn thresholds_and_what_they_make() {
        // The rows of R4; the two of .65 stay together.
        let y = bits("1101001000");
        let p = [0.95, 0.85, 0.65, 0.65, 0.45, 0.35, 0.25, 0.15, 0.05, 0.02];
        assert_eq!(best_f1_threshold(&y, &p), Ok(0.65));
        let at = confusion(&y, &p, 0.65).unwrap();
        assert_eq!((at.true_positives, at.false_positives, at.false_negatives, at.true_negatives), (3, 1, 1, 5));
        assert_eq!((at.precision(), at.recall(), at.f1()), (Ok(0.75), Ok(0.75), Ok(0.75)));
        let none = confusion(&y, &p, 2.0).unwrap();
        assert_eq!((none.precision(), none.recall(), none.f1()), (Err(Undefined::ZeroDenominator), Ok(0.0), Ok(0.0)));
        assert_eq!(best_f1_threshold(&bits("00"), &[0.1, 0.2]), Err(Undefined::OneClass));
        // Every other threshold is no better.
        let best = at.f1().unwrap();
        assert!(p.iter().all(|t| confusion(&y, &p, *t).unwrap().f1().unwrap() <= best));
    }

    #[test]
    fn equal_mass_keeps_ties_together_in_any_order() {
        let p = [0.5, 0.5, 0.5, 0.5, 0.9, 0.1];
        let y = bits("101010");
        let turned: Vec<f64> = p.iter().rev().copied().collect();
        let turned_y: Vec<bool> = y.iter().rev().copied().collect();
        let one = calibration(&y, &p, Binning::EqualMass(3)).unwrap();
        let two = calibration(&turned_y, &turned, Binning::EqualMass(3)).unwrap();
        close(one.ece, two.ece);
        assert!(calibration(&y, &[1.5; 6], Binning::EqualMass(3)).is_err());
        assert!(log_loss(&bits("1"), &[0.0]).unwrap() < 17.0);
        assert_eq!(brier(&bits("1"), &[]), Err(Undefined::LengthMismatch));
    }
}
