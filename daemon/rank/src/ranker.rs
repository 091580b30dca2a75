//! The ranker: candidates of the sources, ordered by small networks over the features. It has three heads: for all items, for
//! novel items and for cold ones.
use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::blend::BlendWeights;
use crate::candidates::{self, COLD_BLEND};
use crate::error::RankError;
use crate::features::{FEATURES, WIDTH, are_current_features, features};
use crate::head::{Head, HeadKind};
use crate::mode::{Mode, PerMode};
use crate::recommend::{blend_items, blend_list, top_k};
use crate::request::{Candidates, RankRequest, RankedItem};
use crate::sequence::{AttachedSequence, SequenceScorer};
use crate::snapshot::{Recipient, Snapshot};
use crate::source_scores::SourceScores;
use crate::user_state::UserState;

/// A trained ranker. Stored as JSON of some tens of kilobytes, which calls the heads `any`, `unseen` and `cold`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ranker {
    /// Blend that picks the candidates and orders the items below them.
    pub blend: BlendWeights,
    /// Names of the features it was trained on; it refuses to score by others than [`FEATURES`](crate::FEATURES).
    pub features: Vec<String>,
    #[serde(rename = "any")]
    pub(crate) all: Head,
    #[serde(rename = "unseen")]
    pub(crate) novel: Head,
    /// `None` where too few users bought new items in the windows, items have neither texts nor categories, or the selection
    /// dropped it.
    #[serde(default)]
    pub(crate) cold: Option<Head>,
    /// The sequence model that it was trained with. It has a file of its own and is attached when the ranker is read.
    #[serde(skip)]
    pub(crate) sequence: AttachedSequence,
}

/// Natural logarithm of the sum of the exponentials.
fn log_sum_exp(scores: &[f32]) -> f32 {
    let most = scores.iter().copied().fold(f32::MIN, f32::max);
    most + scores.iter().map(|s| (s - most).exp()).sum::<f32>().ln()
}

impl Ranker {
    /// A ranker of these heads, trained on the present features, without further parts.
    pub(crate) fn new(blend: BlendWeights, heads: PerMode<Head>, cold: Option<Head>) -> Self {
        let features = FEATURES.iter().map(|f| f.name.to_owned()).collect();
        let PerMode { all, novel } = heads;
        Self { blend, features, all, novel, cold, sequence: AttachedSequence::default() }
    }

    /// The list of a user or session from what was known at `at`: candidates in the order of the networks, then further items in
    /// the order of the blend.
    ///
    /// # Errors
    /// As [`recommend`](crate::recommend()); [`RankError::Shape`] when the ranker was trained on other features.
    pub fn recommend(
        &self,
        s: &Snapshot,
        whom: Recipient<'_>,
        at: i64,
        r: &RankRequest<'_>,
    ) -> Result<Vec<RankedItem>, RankError> {
        self.check(s, at)?;
        let s = &*self.beside(s);
        let user = s.user_state(whom, at);
        Ok(self.rank(s, &user, &mut SourceScores::new(s, &user, whom), r))
    }

    /// The same ranker with a sequence model, in the item numbers of the log that it will read; or without one.
    #[must_use]
    pub fn with_sequence(mut self, model: Option<Arc<dyn SequenceScorer>>) -> Self {
        self.sequence = AttachedSequence(model);
        self
    }

    /// Whether the heads for all and for novel items have trees, in this order.
    #[must_use]
    pub const fn has_trees(&self) -> [bool; 2] {
        [self.all.trees.is_some(), self.novel.trees.is_some()]
    }

    /// The same ranker with the trees of these heads only (all, novel).
    #[must_use]
    pub fn with_trees_of(mut self, [all, novel]: [bool; 2]) -> Self {
        self.all.trees = self.all.trees.filter(|_| all);
        self.novel.trees = self.novel.trees.filter(|_| novel);
        self
    }

    /// Names of the optional parts that it has.
    #[must_use]
    pub fn parts(&self) -> Vec<&'static str> {
        let parts = [
            ("sequence", self.sequence.0.is_some()),
            ("trees for all", self.all.trees.is_some()),
            ("trees for novel", self.novel.trees.is_some()),
            ("cold", self.cold.is_some()),
        ];
        parts.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect()
    }

    /// Number of candidates that a list is chosen from at most; further items follow in the order of the blend.
    #[must_use]
    pub const fn candidates(mode: Mode, candidates: Candidates) -> usize {
        candidates::count(mode, candidates)
    }

    /// Whether there is a head for cold items.
    #[must_use]
    pub const fn has_cold(&self) -> bool {
        self.cold.is_some()
    }

    /// The same ranker without the head for cold items: a blend of text and category orders them.
    #[must_use]
    pub fn without_cold(mut self) -> Self {
        self.cold = None;
        self
    }

    /// The sequence model.
    pub fn sequence(&self) -> Option<&Arc<dyn SequenceScorer>> {
        self.sequence.0.as_ref()
    }

    /// A snapshot with this ranker's sequence model among the sources.
    pub(crate) fn beside<'a>(&self, s: &'a Snapshot) -> Cow<'a, Snapshot> {
        match &self.sequence.0 {
            Some(model) => Cow::Owned(s.with_sequence(Arc::clone(model))),
            None => Cow::Borrowed(s),
        }
    }

    /// Checks that this ranker can score a snapshot at a moment.
    ///
    /// # Errors
    /// As [`recommend`](Self::recommend).
    pub(crate) fn check(&self, s: &Snapshot, at: i64) -> Result<(), RankError> {
        if !are_current_features(&self.features) {
            return Err(RankError::Shape {
                what: "features of the ranker",
                expected: WIDTH,
                found: self.features.len(),
            });
        }
        s.check(at)
    }

    fn head(&self, kind: HeadKind) -> Option<&Head> {
        match kind {
            HeadKind::All => Some(&self.all),
            HeadKind::Novel => Some(&self.novel),
            HeadKind::Cold => self.cold.as_ref(),
        }
    }

    /// [`recommend`](Self::recommend) from source scores that were computed before.
    pub(crate) fn rank(
        &self,
        s: &Snapshot,
        user: &UserState,
        scores: &mut SourceScores<'_>,
        r: &RankRequest<'_>,
    ) -> Vec<RankedItem> {
        let kind = HeadKind::for_request(r.mode, r.candidates);
        let Some(head) = self.head(kind).filter(|_| !user.purchases.is_empty()) else {
            return blend_list(s, user, scores, &self.blend, r);
        };
        scores.leave_out(r.ablation);
        let eligible = s.eligible(user, r);
        let weights = match kind {
            HeadKind::All => self.blend.all.as_slice(),
            HeadKind::Novel => self.blend.novel.as_slice(),
            HeadKind::Cold => COLD_BLEND.as_slice(),
        };
        let items = candidates::pick(s, user, scores, &eligible, kind, &self.blend);
        let of_head = head.score(&features(s, user, scores, &items));
        let normaliser = log_sum_exp(&of_head);
        let ranked = top_k(s, of_head.into_iter().zip(items.iter().copied()).collect(), r.k, r.ablation);
        let lowest = ranked.last().map_or(0.0, |x| x.0);
        // The networks are not additive: a score has no parts. Items below the candidates are placed under the last of them.
        let mut out: Vec<RankedItem> = ranked
            .iter()
            .map(|&(score, item)| RankedItem { item, score, parts: Vec::new(), log_softmax: Some(score - normaliser) })
            .collect();
        if out.len() < r.k {
            let filled = blend_items(s, scores, &eligible, weights, r.k + items.len());
            let below = filled.iter().filter(|x| !items.contains(&x.item)).take(r.k - out.len());
            // Close together: a re-ranker that scales scores to 0 to 1 must not find all candidates at 1.
            out.extend(below.enumerate().map(|(n, x)| RankedItem {
                item: x.item,
                score: lowest - 1.0 - n as f32 / r.k as f32,
                parts: Vec::new(),
                log_softmax: None,
            }));
        }
        out
    }
}
