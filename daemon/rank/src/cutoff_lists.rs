//! Training lists by cut-off. A cut-off's lists depend only on the log up to it and on the window behind it, so a training that
//! goes one window further makes the few new ones and keeps the others.
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::batch::for_each_user;
use crate::blend::BlendWeights;
use crate::candidates;
use crate::collaborative_index::{CollaborativeIndex, IndexOptions};
use crate::cutoff_options::{ProgressHook, RankerTrainOptions, TrainProgress, cutoffs};
use crate::dataset::Dataset;
use crate::error::RankError;
use crate::evaluate::ground_truth;
use crate::features::features;
use crate::head::{HEADS, HeadKind};
use crate::log::{DAY_MS, Log};
use crate::mlp::List;
use crate::sequence::SequenceScorerHistory;
use crate::snapshot::Snapshot;

/// Lists of a training's cut-offs, kept for the next training on the same log and catalogue.
#[derive(Debug, Default)]
pub struct CutoffLists {
    /// What all of them were made with.
    recipe: Option<Recipe>,
    /// Lists of each head (all, novel, cold) by cut-off.
    by_cutoff: BTreeMap<i64, [Vec<List>; 3]>,
}

/// What the lists of a cut-off depend on besides the log.
#[derive(Debug, Clone, PartialEq)]
struct Recipe {
    window_days: i64,
    /// Lists per cut-off and head at most.
    most: usize,
    index: IndexOptions,
    blend: BlendWeights,
    /// Whether the sequence model's columns are filled. A training without one does not read them, so it can use such lists too.
    sequence: bool,
    /// Whether there are lists for the cold head. A training without one does not read them.
    cold: bool,
}

impl Recipe {
    /// The recipe of a training, and its cut-offs.
    fn new(log: &Log, until: i64, o: &RankerTrainOptions, sequence: bool) -> (Self, Vec<i64>) {
        let (cutoffs, window_days) = cutoffs(log, until, o.cutoffs);
        let most = o.lists.div_ceil(cutoffs.len().max(1));
        let recipe = Self { window_days, most, index: o.index.clone(), blend: o.blend.clone(), sequence, cold: o.cold };
        (recipe, cutoffs)
    }

    /// Whether lists by this recipe can be used where `wanted` is asked for.
    fn covers(&self, wanted: &Self) -> bool {
        let has_columns = (self.sequence || !wanted.sequence) && (self.cold || !wanted.cold);
        has_columns && *self == Self { sequence: self.sequence, cold: self.cold, ..wanted.clone() }
    }
}

impl CutoffLists {
    /// Number of a training's cut-offs that have no lists here.
    pub fn missing(&self, log: &Log, until: i64, o: &RankerTrainOptions, sequence: bool) -> usize {
        let (wanted, cutoffs) = Recipe::new(log, until, o, sequence);
        let usable = self.recipe.as_ref().is_some_and(|recipe| recipe.covers(&wanted));
        cutoffs.iter().filter(|cutoff| !usable || !self.by_cutoff.contains_key(cutoff)).count()
    }

    /// Days of each window.
    pub(crate) fn window_days(&self) -> i64 {
        self.recipe.as_ref().map_or(0, |recipe| recipe.window_days)
    }

    /// Lists of a head, oldest cut-off first.
    pub(crate) fn lists(&self, head: usize) -> impl Iterator<Item = &List> {
        self.by_cutoff.values().flat_map(move |lists| &lists[head])
    }

    /// Makes the missing lists of a training, drops those of other cut-offs, and returns the cut-offs.
    ///
    /// # Errors
    /// [`RankError::TooLittle`] for fewer than two cut-offs; [`RankError::Stopped`].
    pub(crate) fn complete(
        &mut self,
        data: Dataset<'_>,
        until: i64,
        o: &RankerTrainOptions,
        sequence: Option<&dyn SequenceScorerHistory>,
        hook: ProgressHook<'_>,
    ) -> Result<Vec<i64>, RankError> {
        let (wanted, cutoffs) = Recipe::new(data.log, until, o, sequence.is_some());
        if cutoffs.len() < 2 {
            return Err(RankError::TooLittle("fewer than two windows before the cut-off"));
        }
        if !self.recipe.as_ref().is_some_and(|recipe| recipe.covers(&wanted)) {
            *self = Self { recipe: Some(wanted.clone()), by_cutoff: BTreeMap::new() };
        }
        self.by_cutoff.retain(|cutoff, _| cutoffs.binary_search(cutoff).is_ok());
        let added = cutoffs.iter().any(|cutoff| !self.by_cutoff.contains_key(cutoff));
        if let Some(recipe) = self.recipe.as_mut().filter(|_| added) {
            // New lists have only what is wanted now, and the recipe must hold for all lists.
            recipe.sequence &= wanted.sequence;
            recipe.cold &= wanted.cold;
        }
        for (done, &at) in cutoffs.iter().enumerate() {
            let stopped = || hook(TrainProgress { done, total: cutoffs.len() }).is_break();
            if stopped() {
                return Err(RankError::Stopped);
            }
            if self.by_cutoff.contains_key(&at) {
                continue;
            }
            let index = CollaborativeIndex::fit(data, at, &o.index).with_sequence(sequence.and_then(|x| x.at(at)));
            let s = Snapshot { log: data.log.clone(), catalogue: data.catalogue.clone(), index: Arc::new(index) };
            let lists = lists_at_cutoff(&s, &wanted, &stopped);
            if stopped() {
                return Err(RankError::Stopped);
            }
            self.by_cutoff.insert(at, lists);
        }
        Ok(cutoffs)
    }
}

/// Lists of the three heads as of a snapshot: candidates and features of the users that bought in the window, and what they
/// bought. Users are thinned evenly to `recipe.most` a head.
fn lists_at_cutoff(s: &Snapshot, recipe: &Recipe, stopped: &(dyn Fn() -> bool + Sync)) -> [Vec<List>; 3] {
    let (at, blend) = (s.index.at(), &recipe.blend);
    let until = at + recipe.window_days * DAY_MS;
    let mut bought: BTreeMap<u32, [Option<Vec<u32>>; 3]> = BTreeMap::new();
    for (place, head) in HEADS.into_iter().enumerate().filter(|(_, head)| recipe.cold || *head != HeadKind::Cold) {
        let r = head.training_request();
        let truth = ground_truth(&s.log, &s.index, until, r.mode, r.candidates);
        let step = truth.len().div_ceil(recipe.most).max(1);
        for of_user in truth.into_iter().step_by(step) {
            bought.entry(of_user.user).or_default()[place] = Some(of_user.items);
        }
    }
    let mut bought: Vec<(u32, [Option<Vec<u32>>; 3])> = bought.into_iter().collect();
    bought.sort_by_key(|x| (s.log.key(x.0), x.0));
    let (users, bought): (Vec<u32>, Vec<_>) = bought.into_iter().unzip();
    let made = for_each_user(s, &users, at, |row, user, scores| {
        std::array::from_fn(|place| {
            if stopped() {
                return None;
            }
            let (head, bought) = (HEADS[place], bought[row][place].as_ref()?);
            let r = head.training_request().for_window(until);
            let eligible = s.eligible(user, &r);
            let items = candidates::pick(s, user, scores, &eligible, head, blend);
            let positive: Vec<bool> = items.iter().map(|i| bought.binary_search(i).is_ok()).collect();
            if !positive.contains(&true) {
                return None;
            }
            Some(List { user: users[row], x: features(s, user, scores, &items), positive })
        })
    });
    let mut out: [Vec<List>; 3] = Default::default();
    for of_user in made {
        let of_user: [Option<List>; 3] = of_user;
        for (lists, list) in out.iter_mut().zip(of_user) {
            lists.extend(list);
        }
    }
    out
}
