//! The learned ranker: candidates from the sources, ordered by a small network over the features. Three heads: any item, unseen items,
//! and items that nobody has bought yet.
use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::blend::BlendWeights;
use crate::error::RankError;
use crate::features::{WIDTH, features};
use crate::mlp::Mlp;
use crate::recommend::{Candidates, For, Mode, Request, Scored, Snapshot, best, blend, blended};
use crate::sequence::{Attached, SequenceModel};
use crate::shopper::Shopper;
use crate::sources::{Columns, Source};
use crate::trees::{Trees, standardised};

/// Own items among the candidates at most.
pub(crate) const OWN: usize = 250;
/// Other items among the candidates.
pub(crate) const OTHER: usize = 100;
/// Candidates of the head for unseen items.
pub(crate) const UNSEEN: usize = 150;
/// Candidates of the head for cold items: their texts alone choose them, so there are more.
pub(crate) const COLD: usize = 300;
/// What chooses them.
const COLD_BLEND: [(Source, f32); 2] = [(Source::Content, 1.0), (Source::Category, 0.3)];

/// Mean and deviation of each feature over the training rows, and the features that some rows lack: each has a flag for that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scale {
    mean: Vec<f32>,
    inverse: Vec<f32>,
    flagged: Vec<usize>,
}

/// A feature that fewer rows than this share lack, or that fewer have, gets no flag: there is nothing to learn from it.
const RARE: f64 = 1e-4;

impl Scale {
    /// From the rows; what stands in `hidden` columns is 0 to whoever reads by this scale.
    pub(crate) fn fit<'a>(rows: impl Iterator<Item = &'a [f32]>, hidden: &[usize]) -> Self {
        let mut shown = [true; WIDTH];
        hidden.iter().for_each(|&f| shown[f] = false);
        let mut sums = vec![(0f64, 0f64, 0f64); WIDTH];
        let mut all = 0f64;
        for row in rows {
            all += 1.0;
            for ((s, &x), shown) in sums.iter_mut().zip(row).zip(shown) {
                if shown && x.is_finite() {
                    *s = (s.0 + 1.0, s.1 + f64::from(x), s.2 + f64::from(x) * f64::from(x));
                }
            }
        }
        let mean: Vec<f32> = sums.iter().map(|s| (s.1 / s.0.max(1.0)) as f32).collect();
        let inverse = sums
            .iter()
            .map(|s| {
                let n = s.0.max(1.0);
                let sd = (s.2 / n - (s.1 / n).powi(2)).max(0.0).sqrt();
                if sd > 1e-6 { (1.0 / sd) as f32 } else { 0.0 }
            })
            .collect();
        let share = |s: &(f64, f64, f64)| s.0 / all.max(1.0);
        let flagged = (0..WIDTH).filter(|&f| (RARE..=1.0 - RARE).contains(&share(&sums[f]))).collect();
        Self { mean, inverse, flagged }
    }

    /// Columns of what [`apply`](Self::apply) gives.
    pub(crate) fn width(&self) -> usize {
        WIDTH + self.flagged.len()
    }

    /// Standardised rows, clipped at 4; what is missing becomes 0, the mean, and 1 in its flag behind the features.
    pub(crate) fn apply(&self, x: &[f32]) -> Vec<f32> {
        let mut out = Vec::with_capacity(x.len() / WIDTH * self.width());
        for row in x.chunks_exact(WIDTH) {
            let scaled = row.iter().zip(&self.mean).zip(&self.inverse);
            out.extend(scaled.map(|((v, m), s)| if v.is_finite() { ((v - m) * s).clamp(-4.0, 4.0) } else { 0.0 }));
            out.extend(self.flagged.iter().map(|&f| f32::from(u8::from(!row[f].is_finite()))));
        }
        out
    }
}

/// One head: a scale and the networks whose scores are averaged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) scale: Scale,
    pub(crate) nets: Vec<Mlp>,
    /// Trees beside the networks, where they pay.
    #[serde(default)]
    pub(crate) trees: Option<Trees>,
}

impl Head {
    fn score(&self, x: &[f32]) -> Vec<f32> {
        let mut out = vec![0f32; x.len() / WIDTH];
        let scaled = self.scale.apply(x);
        for net in &self.nets {
            for (a, b) in out.iter_mut().zip(net.score(&scaled)) {
                *a += b / self.nets.len() as f32;
            }
        }
        if let Some(trees) = &self.trees {
            let mut beside = trees.score(x);
            standardised(&mut beside);
            standardised(&mut out);
            out.iter_mut().zip(beside).for_each(|(a, b)| *a += b);
        }
        out
    }
}

/// A trained ranker; serialises to a few tens of kilobytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ranker {
    /// Blend that picks candidates and fills the list below them.
    pub blend: BlendWeights,
    /// Names of the features it was trained on; a ranker with others than [`FEATURES`](crate::FEATURES) is refused.
    pub features: Vec<String>,
    pub(crate) any: Head,
    pub(crate) unseen: Head,
    /// None where too few shoppers took new items in the windows, the items have neither texts nor categories, or it does not pay.
    #[serde(default)]
    pub(crate) cold: Option<Head>,
    /// The sequence model that it was trained beside; kept apart from it and attached again when it is read.
    #[serde(skip)]
    pub(crate) sequence: Attached,
}

/// What a list is asked for; each has its candidates and its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// Any item.
    Any,
    /// Items that the shopper never had.
    Unseen,
    /// Items that nobody has bought yet.
    Cold,
}

/// All questions, in the order of the heads.
pub(crate) const QUESTIONS: [Question; 3] = [Question::Any, Question::Unseen, Question::Cold];

impl Question {
    pub(crate) const fn of(mode: Mode, candidates: Candidates) -> Self {
        match (candidates, mode) {
            (Candidates::Cold, _) => Self::Cold,
            (_, Mode::New) => Self::Unseen,
            _ => Self::Any,
        }
    }

    /// The request that training answers.
    pub(crate) fn asked(self, blend: &BlendWeights) -> Request<'_> {
        let (mode, candidates) = match self {
            Self::Any => (Mode::All, Candidates::Warm),
            Self::Unseen => (Mode::New, Candidates::Warm),
            Self::Cold => (Mode::All, Candidates::Cold),
        };
        Request { mode, candidates, ..Request::new(10, blend) }
    }
}

/// Candidates of a shopper, best of the sources first; the same in training and serving.
pub(crate) fn candidates(
    s: &Snapshot,
    shopper: &Shopper,
    columns: &mut Columns<'_>,
    eligible: &[u32],
    question: Question,
    weights: &BlendWeights,
) -> Vec<u32> {
    let unseen = |i: &u32| shopper.own(*i).is_none();
    let only = match question {
        Question::Any => None,
        Question::Unseen => Some((weights.unseen.as_slice(), UNSEEN)),
        Question::Cold => Some((COLD_BLEND.as_slice(), COLD)),
    };
    if let Some((weights, most)) = only {
        return blend(s, columns, eligible, weights, most).into_iter().map(|x| x.item).collect();
    }
    let own: Vec<(f32, u32)> = {
        let column = columns.get(Source::Own);
        eligible.iter().filter(|i| !unseen(i)).map(|&i| (column[i as usize], i)).collect()
    };
    let mut out: Vec<u32> = best(s, own, OWN).into_iter().map(|x| x.1).collect();
    let other: Vec<u32> = eligible.iter().copied().filter(unseen).collect();
    out.extend(blend(s, columns, &other, &weights.unseen, OTHER).into_iter().map(|x| x.item));
    out
}

/// Natural logarithm of the sum of the exponentials.
fn log_sum_exp(scores: &[f32]) -> f32 {
    let most = scores.iter().copied().fold(f32::MIN, f32::max);
    most + scores.iter().map(|s| (s - most).exp()).sum::<f32>().ln()
}

impl Ranker {
    /// Recommends from what was known at `at`: the candidates in the network's order, then the blend's. `r.weights` is not read.
    ///
    /// # Errors
    /// As [`recommend`](crate::recommend()); [`RankError::Shape`] when the ranker was trained on other features.
    pub fn recommend(&self, s: &Snapshot, whom: For<'_>, at: i64, r: &Request<'_>) -> Result<Vec<Scored>, RankError> {
        self.check(s, at)?;
        let s = &*self.beside(s);
        let shopper = s.shopper(whom, at);
        Ok(self.ranked(s, &shopper, &mut Columns::new(s, &shopper, whom), r))
    }

    /// The same ranker with the sequence model that it was trained beside, in the numbers of the log that it will read; or without.
    #[must_use]
    pub fn with_sequence(mut self, model: Option<Arc<dyn SequenceModel>>) -> Self {
        self.sequence = Attached(model);
        self
    }

    /// Whether trees stand beside the networks: of the head for any item, and of that for unseen ones.
    #[must_use]
    pub const fn has_trees(&self) -> [bool; 2] {
        [self.any.trees.is_some(), self.unseen.trees.is_some()]
    }

    /// The same ranker with the trees of these heads alone (any item, unseen items).
    #[must_use]
    pub fn with_trees_of(mut self, [any, unseen]: [bool; 2]) -> Self {
        self.any.trees = self.any.trees.filter(|_| any);
        self.unseen.trees = self.unseen.trees.filter(|_| unseen);
        self
    }

    /// Items that a list is chosen from at most; below them it goes on in the blend's order.
    #[must_use]
    pub const fn candidates(mode: Mode, candidates: Candidates) -> usize {
        match Question::of(mode, candidates) {
            Question::Any => OWN + OTHER,
            Question::Unseen => UNSEEN,
            Question::Cold => COLD,
        }
    }

    /// Whether there is a head for cold items.
    #[must_use]
    pub const fn has_cold(&self) -> bool {
        self.cold.is_some()
    }

    /// The same ranker without a head for cold items: a blend of text and category orders them.
    #[must_use]
    pub fn without_cold(mut self) -> Self {
        self.cold = None;
        self
    }

    /// The sequence model beside it.
    pub fn sequence(&self) -> Option<&Arc<dyn SequenceModel>> {
        self.sequence.0.as_ref()
    }

    /// A snapshot with this ranker's sequence model among the sources.
    pub(crate) fn beside<'a>(&self, s: &'a Snapshot) -> Cow<'a, Snapshot> {
        match &self.sequence.0 {
            Some(model) => Cow::Owned(s.with_sequence(Arc::clone(model))),
            None => Cow::Borrowed(s),
        }
    }

    /// Whether this ranker can answer about a moment from a snapshot.
    pub(crate) fn check(&self, s: &Snapshot, at: i64) -> Result<(), RankError> {
        if !crate::features::are_current(&self.features) {
            return Err(RankError::Shape {
                what: "features of the ranker",
                expected: WIDTH,
                found: self.features.len(),
            });
        }
        s.check(at)
    }

    fn head(&self, question: Question) -> Option<&Head> {
        match question {
            Question::Any => Some(&self.any),
            Question::Unseen => Some(&self.unseen),
            Question::Cold => self.cold.as_ref(),
        }
    }

    /// The list of a shopper whose columns stand ready.
    pub(crate) fn ranked(
        &self,
        s: &Snapshot,
        shopper: &Shopper,
        columns: &mut Columns<'_>,
        r: &Request<'_>,
    ) -> Vec<Scored> {
        let r = Request { weights: &self.blend, ..*r };
        let question = Question::of(r.mode, r.candidates);
        let Some(head) = self.head(question).filter(|_| !shopper.owned.is_empty()) else {
            return blended(s, shopper, columns, &r);
        };
        let eligible = s.eligible(shopper, &r);
        let weights = match question {
            Question::Any => self.blend.any.as_slice(),
            Question::Unseen => self.blend.unseen.as_slice(),
            Question::Cold => COLD_BLEND.as_slice(),
        };
        let items = candidates(s, shopper, columns, &eligible, question, &self.blend);
        let scores = head.score(&features(&s.memory, &s.catalogue, shopper, columns, &items));
        let all = log_sum_exp(&scores);
        let ranked = best(s, scores.into_iter().zip(items.iter().copied()).collect(), r.k);
        let lowest = ranked.last().map_or(0.0, |x| x.0);
        // Every item keeps the blend's parts as its reasons; those below the candidates are placed under the last of them.
        let filled = blend(s, columns, &eligible, weights, r.k + items.len());
        let parts = |item: u32| filled.iter().find(|x| x.item == item).map_or_else(Vec::new, |x| x.parts.clone());
        let mut out: Vec<Scored> = ranked
            .iter()
            .map(|&(score, item)| Scored { item, score, parts: parts(item), share: Some(score - all) })
            .collect();
        for (n, x) in filled.iter().filter(|x| !items.contains(&x.item)).take(r.k - out.len()).enumerate() {
            out.push(Scored { score: lowest - 1.0 - n as f32, ..x.clone() });
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_the_mean_and_flagged() {
        let mut rows = [vec![1.0f32; WIDTH], vec![3.0; WIDTH], vec![2.0; WIDTH]];
        rows[2][5] = f32::NAN;
        rows.iter_mut().for_each(|row| row[6] = f32::NAN);
        let scale = Scale::fit(rows.iter().map(Vec::as_slice), &[]);
        // The seventh is missing everywhere: nothing can be learned from its flag.
        assert_eq!(scale.width(), WIDTH + 1);
        let flat: Vec<f32> = rows.concat();
        let x = scale.apply(&flat);
        let row = |r: usize| &x[r * scale.width()..(r + 1) * scale.width()];
        assert_eq!((row(2)[5], row(2)[6], row(2)[WIDTH]), (0.0, 0.0, 1.0));
        assert_eq!((row(0)[5], row(0)[WIDTH]), (-1.0, 0.0));
        assert!(x.iter().all(|v| v.is_finite()));
        // What is hidden is 0 and has no flag.
        let hidden = Scale::fit(rows.iter().map(Vec::as_slice), &[0, 5]);
        assert_eq!(hidden.width(), WIDTH);
        let x = hidden.apply(&flat);
        assert!(x.chunks_exact(WIDTH).all(|row| row[0] == 0.0 && row[5] == 0.0) && x[1] < 0.0);
    }
}
