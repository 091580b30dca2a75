//! Arms: the single methods a shop could pick instead of Mercer, each with a small grid of settings, and the weighted sum of three
//! of them. An arm is tuned on a window before the one it is judged on; nothing of the learned ranker is in here.
use std::sync::Arc;

use rayon::prelude::*;

use crate::blend::BlendWeights;
use crate::catalogue::Catalogue;
use crate::ease::EaseOptions;
use crate::error::RankError;
use crate::evaluate::{Truth, ndcg, ndcg_of_best};
use crate::ials::IalsOptions;
use crate::log::Log;
use crate::memory::{Memory, MemoryOptions};
use crate::recommend::{Candidates, For, Mode, Request, Scored, Snapshot, best};
use crate::shopper::Shopper;
use crate::sources::{Columns, Source};

/// Weight of the 30-day popularity that fills a list up where the method has nothing to say.
const FILL: f32 = 1e-3;
/// Items per arm and shopper that the search for weights looks at.
const DEPTH: usize = 100;
/// Items that EASE as an arm is restricted to, the most bought: a grid of six fits must end in minutes on two cores.
const EASE_ITEMS: usize = 4_000;
/// Weights tried for the second and third method of a sum; the first has 1.
const WEIGHTS: [f32; 6] = [0.05, 0.15, 0.3, 0.6, 1.0, 2.0];

/// A single method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arm {
    /// The most bought of the last 30 days.
    Popularity,
    /// The shopper's own purchases, decayed; filled up with popularity.
    OwnRepeats,
    /// Item-item co-occurrence: cosine with time decay and shrinkage, each item with itself among them.
    ItemKnn,
    /// Closed-form item-item regression.
    Ease,
    /// Implicit matrix factorisation.
    Ials,
}

/// All single methods, cheapest first.
pub const ARMS: [Arm; 5] = [Arm::Popularity, Arm::OwnRepeats, Arm::ItemKnn, Arm::Ease, Arm::Ials];

/// One setting of an arm.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmOptions {
    /// What is fitted.
    pub memory: MemoryOptions,
    /// The setting in words.
    pub label: String,
}

impl Arm {
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

    /// The source that it is made of.
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

    /// The settings that are tried, in a fixed order; one alone means that there is nothing to tune. Half-lives are multiples of
    /// the window: a shop where people come twice a year forgets more slowly.
    #[must_use]
    pub fn grid(self, window_days: i64) -> Vec<ArmOptions> {
        let windows = |number: f64| number * window_days as f64;
        let plain = MemoryOptions::light;
        let one = |memory, label: &str| ArmOptions { memory, label: label.to_owned() };
        match self {
            Self::Popularity => vec![one(plain(), "shoppers' purchases of 30 days")],
            Self::OwnRepeats => vec![one(plain(), "half-lives 90 and 700 days, filled with popularity")],
            Self::ItemKnn => [0.5, 1.0, 2.0]
                .map(windows)
                .into_iter()
                .flat_map(|half_life| [2.0, 10.0, 30.0].map(|shrink| (half_life, shrink)))
                .map(|(half_life, shrink)| {
                    let memory = MemoryOptions { half_life, shrink, keep_items: 500, ..plain() };
                    one(memory, &format!("half-life {half_life} d, shrinkage {shrink}"))
                })
                .collect(),
            Self::Ease => [2.0, 6.0]
                .map(windows)
                .into_iter()
                .flat_map(|half_life| [0.5, 2.0, 10.0].map(|ridge| (half_life, ridge)))
                .map(|(half_life, ridge)| {
                    let ease = Some(EaseOptions { ridge, max_items: EASE_ITEMS, ..EaseOptions::default() });
                    let memory = MemoryOptions { half_life, ease, ..plain() };
                    one(memory, &format!("half-life {half_life} d, ridge {ridge} times the mean diagonal"))
                })
                .collect(),
            Self::Ials => [(2.0, 64, 2.0), (2.0, 64, 5.0), (6.0, 64, 5.0), (2.0, 128, 5.0), (6.0, 128, 5.0)]
                .into_iter()
                .flat_map(|(half_life, dim, alpha)| [0.01, 0.03].map(|lambda| (half_life, dim, alpha, lambda)))
                .map(|(half_life, dim, alpha, lambda)| {
                    let half_life = windows(half_life);
                    let ials = Some(IalsOptions { dim, alpha, lambda, ..IalsOptions::default() });
                    let memory = MemoryOptions { half_life, ials, ..plain() };
                    one(memory, &format!("half-life {half_life} d, rank {dim}, alpha {alpha}, lambda {lambda}"))
                })
                .collect(),
        }
    }
}

/// An arm in one setting, fitted up to a moment.
#[derive(Debug, Clone)]
pub struct FittedArm {
    /// The method.
    pub arm: Arm,
    /// Its setting.
    pub options: ArmOptions,
    snapshot: Snapshot,
    /// For co-occurrence, the tie of each item with itself, `|x_i|^2 / (|x_i|^2 + shrinkage)`: it makes it a method for repeats.
    itself: Vec<f32>,
}

impl FittedArm {
    /// Fits what the arm reads from events at or before `at`, and nothing else.
    #[must_use]
    pub fn fit(arm: Arm, options: &ArmOptions, log: &Log, catalogue: &Catalogue, at: i64) -> Self {
        let memory = Memory::fit_for(log, catalogue, at, &options.memory, &[arm.source()]);
        let itself = if arm == Arm::ItemKnn {
            let squares = crate::cooccur::norms(&memory.by_item).into_iter().map(|norm| norm * norm);
            squares.map(|square| (square / (square + options.memory.shrink)) as f32).collect()
        } else {
            Vec::new()
        };
        let snapshot = Snapshot { log: log.clone(), catalogue: catalogue.clone(), memory: Arc::new(memory) };
        Self { arm, options: options.clone(), snapshot, itself }
    }

    /// Log, catalogue and memory as of the fit.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// For EASE: items in the model and items that were bought; the two differ where the catalogue was too large.
    #[must_use]
    pub fn covers(&self) -> Option<(usize, usize)> {
        self.snapshot.memory.ease.as_ref().map(|ease| ease.covers())
    }

    /// Scores of the eligible items between 0 and about 1: the method's over its largest, and a little popularity.
    fn scores(&self, shopper: &Shopper, whom: For<'_>, eligible: &[u32]) -> Vec<f32> {
        let s = &self.snapshot;
        let mut columns = Columns::new(s, shopper, whom);
        let mut own = columns.get(self.arm.source()).to_vec();
        if !self.itself.is_empty() {
            for &(i, w) in &shopper.profile {
                own[i as usize] += w * self.itself.get(i as usize).copied().unwrap_or(0.0);
            }
        }
        let largest = |column: &[f32]| eligible.iter().fold(0f32, |most, &i| most.max(column[i as usize]));
        let over = |most: f32, weight: f32| if most > 0.0 { weight / most } else { 0.0 };
        let scale = over(largest(&own), 1.0);
        let mut out: Vec<f32> = eligible.iter().map(|&i| scale * own[i as usize]).collect();
        if self.arm != Arm::Popularity {
            let popular = columns.get(Source::Popular30);
            let scale = over(largest(popular), FILL);
            out.iter_mut().zip(eligible).for_each(|(slot, &i)| *slot += scale * popular[i as usize]);
        }
        out
    }

    /// A list as of `at`, best first; `r.weights` is not read.
    ///
    /// # Errors
    /// [`RankError::FromTheFuture`] when the arm was fitted later than `at`.
    pub fn recommend(&self, whom: For<'_>, at: i64, r: &Request<'_>) -> Result<Vec<Scored>, RankError> {
        sum(&[(self, 1.0)], whom, at, r)
    }

    /// Mean NDCG at `k` over the shoppers of a window that begins where the arm's knowledge ends.
    ///
    /// # Errors
    /// As [`recommend`](Self::recommend).
    pub fn worth(&self, truth: &[Truth], mode: Mode, k: usize) -> Result<f64, RankError> {
        let weights = BlendWeights::popularity();
        let r = Request { mode, candidates: Candidates::Warm, ..Request::new(k, &weights) };
        let at = self.snapshot.memory.at();
        let each: Vec<f64> = truth
            .par_iter()
            .map(|t| {
                let list: Vec<u32> = self.recommend(For::User(t.user), at, &r)?.into_iter().map(|x| x.item).collect();
                Ok(ndcg(&list, &t.items, k))
            })
            .collect::<Result<_, RankError>>()?;
        Ok(each.iter().sum::<f64>() / each.len().max(1) as f64)
    }
}

/// The best items by a weighted sum of arms; all must have been fitted to the same moment and catalogue.
fn sum(parts: &[(&FittedArm, f32)], whom: For<'_>, at: i64, r: &Request<'_>) -> Result<Vec<Scored>, RankError> {
    let mut order: Vec<(f32, u32)> = Vec::new();
    for (part, weight) in parts {
        part.snapshot.check(at)?;
        let shopper = part.snapshot.shopper(whom, at);
        if order.is_empty() {
            order = part.snapshot.eligible(&shopper, r).into_iter().map(|i| (0.0, i)).collect();
        }
        let eligible: Vec<u32> = order.iter().map(|x| x.1).collect();
        for (slot, score) in order.iter_mut().zip(part.scores(&shopper, whom, &eligible)) {
            slot.0 += weight * score;
        }
    }
    let Some((first, _)) = parts.first() else { return Ok(Vec::new()) };
    let list = best(&first.snapshot, order, r.k).into_iter();
    Ok(list.map(|(score, item)| Scored { item, score, parts: Vec::new(), share: None }).collect())
}

/// A weighted sum of up to three arms.
#[derive(Debug, Clone)]
pub struct Blended {
    /// The arms with their weights, the first of weight 1.
    pub parts: Vec<(Arm, f32)>,
    /// Mean NDCG at the window the weights were chosen on.
    pub worth: f64,
}

/// One shopper's items with the scores of every arm.
struct Pool {
    /// `items x arms`, row-major.
    scores: Vec<f32>,
    items: Vec<u32>,
    ties: Vec<u64>,
    truth: Vec<u32>,
}

impl Pool {
    fn of(arms: &[FittedArm], truth: &Truth, r: &Request<'_>) -> Option<Self> {
        let first = arms.first()?;
        let at = first.snapshot.memory.at();
        let whom = For::User(truth.user);
        let eligible = first.snapshot.eligible(&first.snapshot.shopper(whom, at), r);
        let mut columns = Vec::new();
        let mut picked: Vec<usize> = Vec::new();
        for arm in arms {
            let column = arm.scores(&arm.snapshot.shopper(whom, at), whom, &eligible);
            let mut places: Vec<usize> = (0..eligible.len()).collect();
            let by = |a: &usize, b: &usize| column[*b].total_cmp(&column[*a]).then(a.cmp(b));
            if places.len() > DEPTH {
                places.select_nth_unstable_by(DEPTH, by);
                places.truncate(DEPTH);
            }
            picked.extend(places);
            columns.push(column);
        }
        picked.sort_unstable();
        picked.dedup();
        Some(Self {
            scores: picked.iter().flat_map(|&p| columns.iter().map(move |column| column[p])).collect(),
            ties: picked.iter().map(|&p| first.snapshot.catalogue.tie(eligible[p])).collect(),
            items: picked.iter().map(|&p| eligible[p]).collect(),
            truth: truth.items.clone(),
        })
    }

    fn ndcg(&self, arms: usize, weights: &[(usize, f32)], k: usize) -> f64 {
        let score = |row: &[f32]| weights.iter().map(|&(arm, weight)| weight * row[arm]).sum::<f32>();
        let order = self
            .scores
            .chunks_exact(arms)
            .zip(self.ties.iter().zip(&self.items))
            .map(|(row, (&tie, &item))| (score(row), tie, item))
            .collect();
        ndcg_of_best(order, &self.truth, k)
    }
}

impl Blended {
    /// Chooses up to three of the fitted arms and their weights by NDCG at `k` on a window: every pair and triple, with each of
    /// the weights 0.05, 0.15, 0.3, 0.6, 1 and 2 relative to the first.
    #[must_use]
    pub fn choose(arms: &[FittedArm], truth: &[Truth], mode: Mode, k: usize) -> Self {
        let weights = BlendWeights::popularity();
        let r = Request { mode, candidates: Candidates::Warm, ..Request::new(k, &weights) };
        let pools: Vec<Pool> = truth.par_iter().filter_map(|t| Pool::of(arms, t, &r)).collect();
        let mut tried: Vec<Vec<(usize, f32)>> = Vec::new();
        for a in 0..arms.len() {
            tried.push(vec![(a, 1.0)]);
            for b in a + 1..arms.len() {
                for wb in WEIGHTS {
                    tried.push(vec![(a, 1.0), (b, wb)]);
                    for c in b + 1..arms.len() {
                        tried.extend(WEIGHTS.map(|wc| vec![(a, 1.0), (b, wb), (c, wc)]));
                    }
                }
            }
        }
        let worth = |weights: &[(usize, f32)]| {
            let each: Vec<f64> = pools.iter().map(|pool| pool.ndcg(arms.len(), weights, k)).collect();
            each.iter().sum::<f64>() / each.len().max(1) as f64
        };
        let scored: Vec<f64> = tried.par_iter().map(|weights| worth(weights)).collect();
        // Of equally good sums the first, which has the fewest and cheapest arms, is kept.
        let best = (0..tried.len()).fold(None, |best: Option<usize>, n| match best {
            Some(b) if scored[b] >= scored[n] => Some(b),
            _ => Some(n),
        });
        let Some(best) = best else { return Self { parts: Vec::new(), worth: 0.0 } };
        Self { parts: tried[best].iter().map(|&(n, w)| (arms[n].arm, w)).collect(), worth: scored[best] }
    }

    /// A list of the sum as of `at`, from arms that were fitted to one moment; arms that the sum does not name are not read.
    ///
    /// # Errors
    /// As [`FittedArm::recommend`].
    pub fn recommend(
        &self,
        arms: &[FittedArm],
        whom: For<'_>,
        at: i64,
        r: &Request<'_>,
    ) -> Result<Vec<Scored>, RankError> {
        let parts: Vec<(&FittedArm, f32)> = self
            .parts
            .iter()
            .filter_map(|(arm, weight)| Some((arms.iter().find(|fitted| fitted.arm == *arm)?, *weight)))
            .collect();
        sum(&parts, whom, at, r)
    }
}
