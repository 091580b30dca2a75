//! Lists of the prequential experiment and their NDCG: the same shoppers, candidates and histories for every arm of a window.

use std::sync::Arc;

use mercer_rank::evaluate::{GroundTruth, ground_truth, ndcg};
use mercer_rank::{
    BlendWeights, Candidates, CollaborativeIndex, Log, Mode, RankRequest, RankedItem, Recipient, ScoringPolicy,
    Snapshot, Source, Vectors, recommend,
};
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::evaluation::prequential::arms::ARMS;
use crate::reports::window_lists::mean;
use crate::runs::context::RunExit;
use crate::runs::context::failed;
use crate::state::shop::ShopState;

/// Length of the lists.
const K: usize = 10;
/// Modes with their words.
pub(crate) const MODES: [(Mode, &str); 2] = [(Mode::All, "repeat"), (Mode::Novel, "new")];
/// Shoppers of a window at most, thinned evenly.
const MOST: usize = 2_000;

/// A window with everything that was known at its beginning.
pub(crate) struct Window<'a> {
    pub(crate) at: i64,
    view: &'a ShopState,
    log: &'a Log,
    index: Arc<CollaborativeIndex>,
    /// Ground truth by mode.
    pub(crate) truth: [Vec<GroundTruth>; 2],
}

impl Window<'_> {
    fn snapshot(&self, vectors: Option<&Vectors>) -> Snapshot {
        let mut catalogue = self.view.rank.catalogue.clone();
        catalogue.set_vectors(vectors.cloned());
        Snapshot { log: self.log.clone(), catalogue, index: Arc::clone(&self.index) }
    }

    fn evaluate(&self, snapshot: &Snapshot, weights: &BlendWeights, mode: usize) -> Result<Vec<f64>, RunExit> {
        let request = RankRequest { mode: MODES[mode].0, candidates: Candidates::All, ..RankRequest::new(K) };
        let truth = &self.truth[mode];
        let users: Vec<u32> = truth.iter().map(|entry| entry.user).collect();
        let made = ScoringPolicy::blend(weights)
            .lists(snapshot, &users, self.at, &request, &|| false)
            .map_err(|e| failed(&e))?;
        Ok(made.iter().zip(truth).map(|(list, entry)| list_ndcg(list, entry)).collect())
    }

    /// NDCG of lists by an encoder's vectors alone.
    pub(crate) fn content(&self, vectors: &Vectors, mode: usize) -> Result<Vec<f64>, RunExit> {
        self.evaluate(&self.snapshot(Some(vectors)), &BlendWeights::only(Source::Content), mode)
    }

    /// NDCG of lists by a method without vectors.
    pub(crate) fn blend(&self, weights: &BlendWeights, mode: usize) -> Result<Vec<f64>, RunExit> {
        self.evaluate(&self.snapshot(None), weights, mode)
    }
}

/// NDCG of a list.
fn list_ndcg(list: &[RankedItem], entry: &GroundTruth) -> f64 {
    ndcg(&list.iter().map(|scored| scored.item).collect::<Vec<_>>(), &entry.items, K)
}

/// All windows of the experiment.
pub(crate) struct Stage<'a> {
    windows: Vec<Window<'a>>,
    /// Moment of the first interaction with each item. Items without one are in every index.
    first_seen: FxHashMap<u32, i64>,
}

impl<'a> Stage<'a> {
    pub(crate) fn new(view: &'a ShopState, log: &'a Log, width: i64, indexes: &[Arc<CollaborativeIndex>]) -> Self {
        let windows = indexes
            .iter()
            .map(|index| {
                let at = index.at();
                let truth = MODES.map(|(mode, _)| {
                    let all = ground_truth(log, index, at + width, mode, Candidates::All);
                    let step = all.len().div_ceil(MOST).max(1);
                    all.into_iter().step_by(step).collect()
                });
                Window { at, view, log, index: Arc::clone(index), truth }
            })
            .collect();
        let mut first_seen: FxHashMap<u32, i64> = FxHashMap::default();
        for event in (0..log.users() as u32).flat_map(|user| log.events(user)) {
            if let Some(item) = event.item {
                let first = first_seen.entry(item).or_insert(event.at);
                *first = event.at.min(*first);
            }
        }
        Self { windows, first_seen }
    }

    pub(crate) fn windows(&self) -> &[Window<'a>] {
        &self.windows
    }

    /// NDCG of the warm-up's encoder with the index and the histories of the first window's start: the arm that
    /// measures staleness. Items bought since are left out of novel lists, as in every other arm.
    pub(crate) fn stale(&self, window: &Window<'_>, vectors: &Vectors, mode: usize) -> Result<Vec<f64>, RunExit> {
        let Some(first) = self.windows.first() else { return Ok(Vec::new()) };
        let snapshot = first.snapshot(Some(vectors));
        let weights = BlendWeights::only(Source::Content);
        let known = |item: u32| self.first_seen.get(&item).is_none_or(|seen| *seen <= first.at);
        let target = first.index.summary().target;
        let one = |entry: &GroundTruth| {
            let since = window.log.between(entry.user, first.at, window.at);
            let mut had: Vec<u32> = match MODES[mode].0 {
                Mode::Novel => since.iter().filter(|e| e.kind == target).filter_map(|e| e.item).collect(),
                _ => Vec::new(),
            };
            had.sort_unstable();
            had.dedup();
            let request =
                RankRequest { mode: MODES[mode].0, exclude: &had, allow: Some(&known), ..RankRequest::new(K) };
            let list = recommend(&snapshot, &weights, Recipient::User(entry.user), first.at, &request)
                .map_err(|e| failed(&e))?;
            Ok(list_ndcg(&list, entry))
        };
        window.truth[mode].par_iter().map(one).collect()
    }
}

/// NDCG of every arm, mode, window and shopper; several seeds are averaged shopper by shopper.
pub(crate) struct Seen {
    /// By arm, mode and window: the sum over seeds, a value a shopper.
    sums: Vec<Vec<Vec<Vec<f64>>>>,
    users: Vec<Vec<Vec<u32>>>,
    seeds: f64,
}

fn place(arm: &str) -> usize {
    ARMS.iter().position(|(name, _)| *name == arm).unwrap_or(0)
}

impl Seen {
    pub(crate) fn new(stage: &Stage<'_>, seeds: usize) -> Self {
        let by_mode = |mode: usize| stage.windows.iter().map(move |window| &window.truth[mode]);
        let empty = |mode| by_mode(mode).map(|truth| vec![0.0; truth.len()]).collect::<Vec<_>>();
        let users = |mode| by_mode(mode).map(|truth| truth.iter().map(|entry| entry.user).collect()).collect();
        Self {
            sums: ARMS.iter().map(|_| (0..MODES.len()).map(empty).collect()).collect(),
            users: (0..MODES.len()).map(users).collect(),
            seeds: seeds.max(1) as f64,
        }
    }

    pub(crate) fn add(&mut self, arm: &str, mode: usize, window: usize, values: &[f64]) {
        let sums = &mut self.sums[place(arm)][mode][window];
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    }

    /// Mean over the shoppers of a window.
    pub(crate) fn mean_of(&self, arm: &str, mode: usize, window: usize) -> f64 {
        mean(&self.sums[place(arm)][mode][window]) / self.seeds
    }

    /// Mean over the windows that have users.
    pub(crate) fn mean(&self, arm: &str, mode: usize) -> f64 {
        let filled = |window: &usize| !self.users[mode][*window].is_empty();
        let windows: Vec<usize> = (0..self.users[mode].len()).filter(filled).collect();
        mean(&windows.iter().map(|window| self.mean_of(arm, mode, *window)).collect::<Vec<_>>())
    }

    /// Paired differences, a value a shopper and window.
    pub(crate) fn differences(&self, first: &str, second: &str, mode: usize) -> Vec<mercer_reports::Observation> {
        let (a, b) = (&self.sums[place(first)][mode], &self.sums[place(second)][mode]);
        let mut out = Vec::new();
        for (window, users) in self.users[mode].iter().enumerate() {
            for (row, user) in users.iter().enumerate() {
                let value = (a[window][row] - b[window][row]) / self.seeds;
                out.push(mercer_reports::Observation { user: *user, window: window as u32, value });
            }
        }
        out
    }
}
