//! Baselines: the single methods that a shop could use instead of Mercer, each with a small grid of settings. A baseline is tuned on
//! a window before the one it is evaluated on, and reads nothing of the ranker.
use std::sync::Arc;

use rayon::prelude::*;

use crate::collaborative_index::{CollaborativeIndex, IndexOptions};
use crate::dataset::Dataset;
use crate::ease::EaseOptions;
use crate::error::RankError;
use crate::evaluate::{GroundTruth, mean, ndcg};
use crate::ials::IalsOptions;
use crate::mode::Mode;
use crate::neighbour_lists::norms;
use crate::recommend::top_k;
use crate::request::{Candidates, RankRequest, RankedItem};
use crate::snapshot::{Recipient, Snapshot};
use crate::source::Source;
use crate::source_scores::SourceScores;
use crate::user_state::UserState;

/// Weight of the 30-day popularity, which orders the items that the method gives no score.
const POPULARITY: f32 = 1e-3;
/// Items that EASE as a baseline is restricted to, the most bought: a grid of six fits must end in minutes on two cores.
const EASE_ITEMS: usize = 4_000;

/// A setting of iALS that the grid tries with two values of lambda.
#[derive(Clone, Copy)]
struct IalsSetting {
    /// Windows.
    half_life: f64,
    dim: usize,
    alpha: f64,
}

const IALS_GRID: [IalsSetting; 5] = [
    IalsSetting { half_life: 2.0, dim: 64, alpha: 2.0 },
    IalsSetting { half_life: 2.0, dim: 64, alpha: 5.0 },
    IalsSetting { half_life: 6.0, dim: 64, alpha: 5.0 },
    IalsSetting { half_life: 2.0, dim: 128, alpha: 5.0 },
    IalsSetting { half_life: 6.0, dim: 128, alpha: 5.0 },
];

/// A baseline method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Baseline {
    /// The most bought of the last 30 days.
    Popularity,
    /// The user's own purchases, decayed; then popularity.
    OwnRepeats,
    /// Item-item co-occurrence: cosine with time decay and shrinkage, the item itself included.
    ItemKnn,
    /// Closed-form item-item regression.
    Ease,
    /// Implicit matrix factorisation.
    Ials,
}

/// All baselines, cheapest first.
pub const BASELINES: [Baseline; 5] =
    [Baseline::Popularity, Baseline::OwnRepeats, Baseline::ItemKnn, Baseline::Ease, Baseline::Ials];

/// One setting of a baseline.
#[derive(Debug, Clone, PartialEq)]
pub struct BaselineOptions {
    /// How the collaborative index is fitted.
    pub index: IndexOptions,
    /// The setting in words.
    pub label: String,
}

impl Baseline {
    /// The name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Popularity => "popularity 30 d",
            Self::OwnRepeats => "own repeats",
            Self::ItemKnn => "ItemKNN",
            Self::Ease => "EASE",
            Self::Ials => "iALS",
        }
    }

    /// The source that it scores by.
    #[must_use]
    pub const fn source(self) -> Source {
        match self {
            Self::Popularity => Source::Popular30,
            Self::OwnRepeats => Source::Own,
            Self::ItemKnn => Source::Knn,
            Self::Ease => Source::Ease,
            Self::Ials => Source::Ials,
        }
    }

    /// The settings that are tried, in a fixed order. Half-lives are multiples of the window: where users come twice a year,
    /// interest decays more slowly.
    #[must_use]
    pub fn grid(self, window_days: i64) -> Vec<BaselineOptions> {
        let windows = |number: f64| number * window_days as f64;
        let plain = IndexOptions::light;
        let one = |index, label: &str| BaselineOptions { index, label: label.to_owned() };
        match self {
            Self::Popularity => vec![one(plain(), "shoppers' purchases of 30 days")],
            Self::OwnRepeats => vec![one(plain(), "half-lives 90 and 700 days, filled with popularity")],
            Self::ItemKnn => [0.5, 1.0, 2.0]
                .map(windows)
                .into_iter()
                .flat_map(|half_life| [2.0, 10.0, 30.0].map(|shrink| (half_life, shrink)))
                .map(|(half_life, shrink)| {
                    let index = IndexOptions { half_life, shrink, keep_items: 500, ..plain() };
                    one(index, &format!("half-life {half_life} d, shrinkage {shrink}"))
                })
                .collect(),
            Self::Ease => [2.0, 6.0]
                .map(windows)
                .into_iter()
                .flat_map(|half_life| [0.5, 2.0, 10.0].map(|ridge| (half_life, ridge)))
                .map(|(half_life, ridge)| {
                    let ease = Some(EaseOptions { ridge, max_items: EASE_ITEMS, ..EaseOptions::default() });
                    let index = IndexOptions { half_life, ease, ..plain() };
                    one(index, &format!("half-life {half_life} d, ridge {ridge} times the mean diagonal"))
                })
                .collect(),
            Self::Ials => IALS_GRID
                .into_iter()
                .flat_map(|setting| [0.01, 0.03].map(|lambda| (setting, lambda)))
                .map(|(IalsSetting { half_life, dim, alpha }, lambda)| {
                    let half_life = windows(half_life);
                    let ials = Some(IalsOptions { dim, alpha, lambda, ..IalsOptions::default() });
                    let index = IndexOptions { half_life, ials, ..plain() };
                    one(index, &format!("half-life {half_life} d, rank {dim}, alpha {alpha}, lambda {lambda}"))
                })
                .collect(),
        }
    }
}

/// A baseline in one setting, fitted up to a moment.
#[derive(Debug, Clone)]
pub struct FittedBaseline {
    /// The method.
    pub baseline: Baseline,
    /// Its setting.
    pub options: BaselineOptions,
    snapshot: Snapshot,
    /// For co-occurrence, the similarity of each item with itself, `|x_i|^2 / (|x_i|^2 + shrinkage)`: it lets the method repeat items.
    self_similarity: Vec<f32>,
}

impl FittedBaseline {
    /// Fits what the baseline reads from events at or before `at`, and nothing else.
    #[must_use]
    pub fn fit(baseline: Baseline, options: &BaselineOptions, data: Dataset<'_>, at: i64) -> Self {
        let index = CollaborativeIndex::fit_for(data, at, &options.index, &[baseline.source()]);
        let self_similarity = if baseline == Baseline::ItemKnn {
            let squares = norms(&index.by_item).into_iter().map(|norm| norm * norm);
            squares.map(|square| (square / (square + options.index.shrink)) as f32).collect()
        } else {
            Vec::new()
        };
        let snapshot = Snapshot { log: data.log.clone(), catalogue: data.catalogue.clone(), index: Arc::new(index) };
        Self { baseline, options: options.clone(), snapshot, self_similarity }
    }

    /// Log, catalogue and index as of the fit.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// For EASE: items in the model and items that were bought. The first is smaller where the catalogue was too large.
    #[must_use]
    pub fn covers(&self) -> Option<(usize, usize)> {
        self.snapshot.index.ease.as_ref().map(|ease| ease.covers())
    }

    /// Scores of the eligible items between 0 and about 1: the method's over its largest, and a little popularity.
    pub(crate) fn scores(&self, user: &UserState, whom: Recipient<'_>, eligible: &[u32]) -> Vec<f32> {
        let mut source_scores = SourceScores::new(&self.snapshot, user, whom);
        let mut column = source_scores.get(self.baseline.source()).to_vec();
        if !self.self_similarity.is_empty() {
            for &(i, w) in &user.profile {
                column[i as usize] += w * self.self_similarity.get(i as usize).copied().unwrap_or(0.0);
            }
        }
        let largest = |column: &[f32]| eligible.iter().fold(0f32, |most, &i| most.max(column[i as usize]));
        let over = |most: f32, weight: f32| if most > 0.0 { weight / most } else { 0.0 };
        let scale = over(largest(&column), 1.0);
        let mut out: Vec<f32> = eligible.iter().map(|&i| scale * column[i as usize]).collect();
        if self.baseline != Baseline::Popularity {
            let popular = source_scores.get(Source::Popular30);
            let scale = over(largest(popular), POPULARITY);
            out.iter_mut().zip(eligible).for_each(|(slot, &i)| *slot += scale * popular[i as usize]);
        }
        out
    }

    /// A list as of `at`, best first.
    ///
    /// # Errors
    /// [`RankError::FromTheFuture`] when the baseline was fitted later than `at`.
    pub fn recommend(&self, whom: Recipient<'_>, at: i64, r: &RankRequest<'_>) -> Result<Vec<RankedItem>, RankError> {
        weighted_list(&[(self, 1.0)], whom, at, r)
    }

    /// Mean NDCG at `k` over the users of the window that begins at the baseline's moment.
    ///
    /// # Errors
    /// As [`recommend`](Self::recommend).
    pub fn mean_ndcg(&self, truth: &[GroundTruth], mode: Mode, k: usize) -> Result<f64, RankError> {
        let r = RankRequest { mode, candidates: Candidates::Warm, ..RankRequest::new(k) };
        let at = self.snapshot.index.at();
        let of_user = |t: &GroundTruth| {
            let list = self.recommend(Recipient::User(t.user), at, &r)?;
            let items: Vec<u32> = list.into_iter().map(|x| x.item).collect();
            Ok(ndcg(&items, &t.items, k))
        };
        Ok(mean(&truth.par_iter().map(of_user).collect::<Result<Vec<_>, RankError>>()?))
    }
}

/// A list by the weighted sum of baselines that were fitted to the same moment and catalogue.
///
/// # Errors
/// As [`FittedBaseline::recommend`].
pub(crate) fn weighted_list(
    parts: &[(&FittedBaseline, f32)],
    whom: Recipient<'_>,
    at: i64,
    r: &RankRequest<'_>,
) -> Result<Vec<RankedItem>, RankError> {
    let mut scored: Vec<(f32, u32)> = Vec::new();
    for (part, weight) in parts {
        part.snapshot.check(at)?;
        let user = part.snapshot.user_state(whom, at);
        if scored.is_empty() {
            scored = part.snapshot.eligible(&user, r).into_iter().map(|i| (0.0, i)).collect();
        }
        let eligible: Vec<u32> = scored.iter().map(|x| x.1).collect();
        for (slot, score) in scored.iter_mut().zip(part.scores(&user, whom, &eligible)) {
            slot.0 += weight * score;
        }
    }
    let Some((first, _)) = parts.first() else { return Ok(Vec::new()) };
    let list = top_k(&first.snapshot, scored, r.k, r.ablation).into_iter();
    Ok(list.map(|(score, item)| RankedItem { item, score, parts: Vec::new(), log_softmax: None }).collect())
}
