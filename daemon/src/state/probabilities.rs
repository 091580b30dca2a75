//! Calibration: turns a ranker's scores into probabilities. Each head has its own, fitted on lists later than the ranker's training data.

use mercer_rank::RankedItem;
use mercer_reports::calibrate::Calibrator;
use mercer_shared::wire::{Candidates, Mode};
use serde::{Deserialize, Serialize};

/// Maps an item's share of a list's softmax to the probability that the user takes it within a window, given that the user comes. Stored files
/// call the heads `any` and `unseen`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Probabilities {
    /// Of the head for all items.
    #[serde(rename = "any")]
    pub all: Option<Calibrator>,
    /// Of the head for novel items.
    #[serde(rename = "unseen")]
    pub novel: Option<Calibrator>,
}

impl Probabilities {
    /// The probability of an item of an unfiltered list (shares are of all candidates). `None` where the
    /// ranker did not order the item, or nothing was fitted.
    #[must_use]
    pub fn of(&self, mode: Mode, candidates: Candidates, item: &RankedItem) -> Option<f64> {
        let calibrator = match (candidates, mode) {
            (Candidates::Cold, _) => None,
            (_, Mode::New) => self.novel.as_ref(),
            (_, Mode::Repeat) => self.all.as_ref(),
        };
        Some(calibrator?.apply(f64::from(item.log_softmax?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_head_has_its_own_and_what_was_not_ranked_has_none() {
        let platt = |intercept| Some(Calibrator::Platt { slope: 1.0, intercept });
        let both = Probabilities { all: platt(0.0), novel: platt(-1.0) };
        let item = |log_softmax| RankedItem { item: 0, score: 3.0, parts: Vec::new(), log_softmax };
        let of = |mode, candidates, share| both.of(mode, candidates, &item(share));
        assert_eq!(of(Mode::Repeat, Candidates::All, Some(0.0)), Some(0.5));
        assert!(of(Mode::New, Candidates::Warm, Some(0.0)).is_some_and(|p| (p - 0.268_941).abs() < 1e-6));
        assert_eq!(of(Mode::New, Candidates::Cold, Some(0.0)), None);
        assert_eq!(of(Mode::New, Candidates::All, None), None);
        assert_eq!(Probabilities::default().of(Mode::New, Candidates::All, &item(Some(0.0))), None);
    }
}
