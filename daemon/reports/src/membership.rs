//! Membership inference: how well a score tells the users that a model was trained on from others (METRICS.md section 5; Carlini et al.,
//! arXiv 2112.03570). Reported as the true positive rate at a low false positive rate, because an attacker who is sure about a few people is
//! worse than one who is slightly right about all; an area under the curve near .5 can hide that.

use crate::classification::auc;
use crate::proportions::wilson;
use crate::resample::{bootstrap_statistic, percentile_interval};
use crate::value::{Measure, Undefined};

/// Bootstrap replicates.
const REPLICATES: usize = 2_000;

/// Scores of an attack, one per user; higher says "was trained on".
#[derive(Clone, Copy, Debug)]
pub struct AttackScores<'a> {
    /// Of users in the training data.
    pub members: &'a [f64],
    /// Of users from the same population that were held out of it.
    pub others: &'a [f64],
}

/// What an attack achieves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttackResult {
    /// Share of members that are recognised at the false positive rate asked for.
    pub tpr: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Probability that a member scores above another user; .5 is chance.
    pub auc: f64,
}

/// True positive rate at exactly this false positive rate: the ROC curve between its points, that is with ties decided by lot. Scores that
/// tell nothing give `fpr` itself.
///
/// # Errors
/// [`Undefined::NoObservations`] without members, [`Undefined::TooFew`] with fewer than `1 / fpr` other users (the rate could not be told
/// from 0), [`Undefined::BadParameter`] for a rate outside (0, 1), [`Undefined::NotFinite`].
pub fn tpr_at_fpr(scores: AttackScores<'_>, fpr: f64) -> Measure {
    let ones = |n: usize| vec![1u32; n];
    let sorted = Sorted::new(scores, fpr)?;
    sorted.tpr(&ones(scores.members.len() + scores.others.len()), fpr)
}

/// The rate with an interval at `level`: the wider of the bootstrap over users of both groups, which counts the uncertainty of the threshold,
/// and Wilson's interval, which is not empty where no member or every member is recognised.
///
/// # Errors
/// As [`tpr_at_fpr`].
pub fn attack(scores: AttackScores<'_>, fpr: f64, level: f64, seed: u64) -> Result<AttackResult, Undefined> {
    let (members, others) = (scores.members.len(), scores.others.len());
    let sorted = Sorted::new(scores, fpr)?;
    let tpr = sorted.tpr(&vec![1; members + others], fpr)?;
    let sample = bootstrap_statistic(members + others, REPLICATES, seed, |weights| sorted.tpr(weights, fpr));
    let resampled = percentile_interval(&sample, level)?;
    let (low, high) = wilson((tpr * members as f64).round() as u64, members as u64, level)?;
    let labels: Vec<bool> = (0..members + others).map(|n| n < members).collect();
    let all = [scores.members, scores.others].concat();
    Ok(AttackResult { tpr, low: low.min(resampled.low), high: high.max(resampled.high), auc: auc(&labels, &all)? })
}

/// Users by descending score; members have the numbers before those of the others.
struct Sorted {
    order: Vec<(f64, usize)>,
    members: usize,
}

impl Sorted {
    fn new(AttackScores { members, others }: AttackScores<'_>, fpr: f64) -> Result<Self, Undefined> {
        if !(fpr > 0.0 && fpr < 1.0) {
            return Err(Undefined::BadParameter);
        }
        if members.is_empty() {
            return Err(Undefined::NoObservations);
        }
        if (others.len() as f64) * fpr < 1.0 - 1e-9 {
            return Err(Undefined::TooFew);
        }
        let mut order: Vec<(f64, usize)> = members.iter().chain(others).copied().zip(0..).collect();
        if order.iter().any(|(score, _)| !score.is_finite()) {
            return Err(Undefined::NotFinite);
        }
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        Ok(Self { order, members: members.len() })
    }

    /// The rate with these weights, one per user.
    fn tpr(&self, weights: &[u32], fpr: f64) -> Measure {
        let weight = |user: usize| f64::from(weights[user]);
        let total: [f64; 2] = self.order.iter().fold([0.0; 2], |mut sum, (_, user)| {
            sum[usize::from(*user < self.members)] += weight(*user);
            sum
        });
        if total.contains(&0.0) {
            return Err(Undefined::NoObservations);
        }
        let most = fpr * total[0];
        let (mut wrong, mut right) = (0.0, 0.0);
        for tied in self.order.chunk_by(|a, b| a.0 == b.0) {
            let of = |member: bool| -> f64 {
                tied.iter().filter(|(_, user)| (*user < self.members) == member).map(|(_, user)| weight(*user)).sum()
            };
            let (more_wrong, more_right) = (of(false), of(true));
            if wrong + more_wrong > most + 1e-9 {
                return Ok((right + more_right * (most - wrong) / more_wrong) / total[1]);
            }
            (wrong, right) = (wrong + more_wrong, right + more_right);
        }
        Ok(right / total[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(members: &[f64], others: &[f64]) -> Measure {
        tpr_at_fpr(AttackScores { members, others }, 0.01)
    }

    /// A spread-out sequence of numbers in [0, 1).
    fn scattered(n: usize, start: f64) -> Vec<f64> {
        (0..n).map(|i| (start + i as f64 * 0.618_033_988_749_894_9).fract()).collect()
    }

    #[test]
    fn scores_that_tell_nothing_give_the_false_positive_rate() {
        assert!((rate(&[0.0; 50], &[0.0; 200]).unwrap() - 0.01).abs() < 1e-12, "all tied");
        let found = rate(&scattered(10_000, 0.1), &scattered(10_000, 0.37)).unwrap();
        assert!((found - 0.01).abs() < 0.002, "{found}");
        let found =
            attack(AttackScores { members: &scattered(2_000, 0.1), others: &scattered(2_000, 0.37) }, 0.01, 0.95, 1)
                .unwrap();
        assert!(found.low <= 0.01 && found.high >= 0.01 && found.high < 0.03, "{found:?}");
        assert!((found.auc - 0.5).abs() < 0.02);
    }

    #[test]
    fn a_few_certain_members_show_although_the_area_hardly_moves() {
        let mut members = scattered(1_000, 0.1);
        members[..100].fill(2.0);
        let found = attack(AttackScores { members: &members, others: &scattered(1_000, 0.37) }, 0.01, 0.95, 1).unwrap();
        assert!(found.tpr > 0.1 && found.low > 0.08 && found.auc < 0.56, "{found:?}");
    }

    #[test]
    fn the_threshold_lets_exactly_the_allowed_share_pass() {
        // The best of 100 others may pass: members above the second best count.
        let mut others: Vec<f64> = (0..98).map(|_| 0.0).collect();
        others.extend([5.0, 3.0]);
        assert_eq!(rate(&[6.0, 4.0, 3.0, 1.0], &others), Ok(0.5));
        assert_eq!(rate(&[6.0; 3], &others), Ok(1.0));
        assert_eq!(rate(&[-1.0; 3], &others), Ok(0.0));
        let found = attack(AttackScores { members: &[-1.0; 30], others: &others }, 0.01, 0.95, 1).unwrap();
        assert!(found.low == 0.0 && found.high > 0.05, "an empty interval would claim certainty: {found:?}");
    }

    #[test]
    fn what_cannot_be_said_is_undefined() {
        assert_eq!(rate(&[1.0], &[0.0; 99]), Err(Undefined::TooFew));
        assert!(rate(&[1.0], &[0.0; 100]).is_ok());
        assert_eq!(rate(&[], &[0.0; 100]), Err(Undefined::NoObservations));
        assert_eq!(rate(&[f64::NAN], &[0.0; 100]), Err(Undefined::NotFinite));
        let scores = AttackScores { members: &[1.0], others: &[0.0; 100] };
        assert_eq!(tpr_at_fpr(scores, 0.0), Err(Undefined::BadParameter));
    }
}
