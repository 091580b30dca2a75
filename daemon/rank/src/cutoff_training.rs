//! Trains the ranker on cut-offs of the log. At each cut-off the collaborative index is fitted as of then; users that bought in
//! the window after it get their candidates and features as of the cut-off, and what they bought are the labels.
use std::ops::ControlFlow;

use crate::cutoff_lists::CutoffLists;
use crate::cutoff_options::{
    Clock, ProgressHook, RankerTrainOptions, RankerTrainReport, RankerTrainSeconds, TrainProgress,
};
use crate::dataset::Dataset;
use crate::error::RankError;
use crate::features::{FEATURES, WIDTH};
use crate::head::{Head, Scale};
use crate::mlp::{List, Mlp, MlpOptions, Scaling};
use crate::mode::PerMode;
use crate::ranker::Ranker;
use crate::sequence::SequenceScorerHistory;
use crate::signal::Signal;
use crate::trees::Trees;

/// A head with fewer lists than this is not trained.
const MIN_LISTS: usize = 50;

/// Weights of users' lists, one for each user that is named.
pub type WeighUsers<'a> = &'a dyn Fn(&[u32]) -> Vec<f32>;

/// Inputs of a training.
#[derive(Clone, Copy)]
pub struct RankerTraining<'a> {
    /// Log and catalogue.
    pub data: Dataset<'a>,
    /// Events at or before this moment are read.
    pub until: i64,
    /// Settings.
    pub options: &'a RankerTrainOptions,
    /// Gives the sequence model as of each cut-off, and as of `until` for the ranker to serve with.
    pub sequence: Option<&'a dyn SequenceScorerHistory>,
    /// Weights of lists by their users, one for each; `None` where all weigh alike.
    pub weigh: Option<WeighUsers<'a>>,
    /// Called for every list and for every step of a network; may end the training.
    pub hook: ProgressHook<'a>,
    /// Measures [`RankerTrainSeconds`].
    pub clock: Clock<'a>,
}

/// Results of a training.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainedRanker {
    /// The ranker, with the sequence model where there is one.
    pub ranker: Ranker,
    /// A ranker from the same lists without the sequence model, for a comparison of both. `Some` where there is a sequence model and
    /// [`RankerTrainOptions::compared`] asked for it.
    pub without_sequence: Option<Ranker>,
    /// What the training read.
    pub report: RankerTrainReport,
    /// What it took.
    pub seconds: RankerTrainSeconds,
}

/// Lists of a head with the weight of each; no weights where all weigh alike.
#[derive(Clone, Copy)]
struct WeightedLists<'a> {
    lists: &'a [&'a List],
    weights: &'a [f32],
}

/// Trains a ranker without a sequence model from events at or before `until`.
///
/// # Errors
/// [`RankError::TooLittle`] when there are not two windows with returning users: serve the blend then.
pub fn train_ranker(
    data: Dataset<'_>,
    until: i64,
    options: &RankerTrainOptions,
) -> Result<(Ranker, RankerTrainReport), RankError> {
    let trained = RankerTraining::new(data, until, options).run(&mut CutoffLists::default())?;
    Ok((trained.ranker, trained.report))
}

impl<'a> RankerTraining<'a> {
    /// A training without a sequence model that runs to its end and measures no time.
    #[must_use]
    pub const fn new(data: Dataset<'a>, until: i64, options: &'a RankerTrainOptions) -> Self {
        Self { data, until, options, sequence: None, weigh: None, hook: &|_| ControlFlow::Continue(()), clock: &|| 0.0 }
    }

    /// Trains. `kept` may hold lists of an earlier training on the same log and catalogue, and holds this one's afterwards.
    ///
    /// # Errors
    /// Those of [`train_ranker`], and [`RankError::Stopped`].
    pub fn run(&self, kept: &mut CutoffLists) -> Result<TrainedRanker, RankError> {
        let o = self.options;
        let begun = (self.clock)();
        let cutoffs = kept.complete(self.data, self.until, o, self.sequence, self.hook)?;
        let mut seconds = RankerTrainSeconds { lists: (self.clock)() - begun, ..RankerTrainSeconds::default() };
        let wanted = [true, true, o.cold];
        let sizes: [usize; 3] = std::array::from_fn(|head| if wanted[head] { kept.lists(head).count() } else { 0 });
        let mut report =
            RankerTrainReport { window_days: kept.window_days(), lists: sizes, cutoffs, ..Default::default() };
        let has_enough = |head: &usize| sizes[*head] >= MIN_LISTS;
        let rankers = if self.sequence.is_some() && o.compared { 2 } else { 1 };
        let networks: usize = (0..3).filter(has_enough).map(|head| o.mlp.members_for(sizes[head])).sum();
        let trees = (0..2).filter(has_enough).filter(|&head| o.trees[head].is_some()).count();
        let done = report.cutoffs.len();
        let mut progress = TrainProgress { done, total: done + rankers * networks + trees };
        let (with_sequence, without_sequence) = self.hidden();
        let hidden = [&with_sequence, &without_sequence];
        let mut heads: [Vec<Option<Head>>; 2] = Default::default();
        for head in 0..3 {
            if !has_enough(&head) {
                heads.iter_mut().for_each(|heads| heads.push(None));
                continue;
            }
            let lists: Vec<&List> = kept.lists(head).collect();
            let users = || lists.iter().map(|list| list.user).collect::<Vec<_>>();
            let weights = self.weigh.map(|weigh| weigh(&users())).unwrap_or_default();
            let lists = WeightedLists { lists: &lists, weights: &weights };
            let begun = (self.clock)();
            let trees = self.trees(head, lists, &without_sequence, &mut progress)?;
            if trees.is_some() {
                seconds.trees[head] = (self.clock)() - begun;
            }
            for (ranker, (heads, hidden)) in heads.iter_mut().zip(hidden).take(rankers).enumerate() {
                let begun = (self.clock)();
                let scale = Scale::fit(lists.lists.iter().flat_map(|l| l.x.chunks_exact(WIDTH)), hidden);
                let (nets, loss) = self.networks(lists, &scale, &mut progress)?;
                if ranker == 0 {
                    report.loss[head] = loss;
                    seconds.networks += (self.clock)() - begun;
                }
                heads.push(Some(Head { scale, nets, trees: trees.clone() }));
            }
        }
        let [heads, plain] = heads;
        let ranker = self.ranker(heads)?.with_sequence(self.sequence.and_then(|x| x.at(self.until)));
        let without_sequence = if rankers == 2 { Some(self.ranker(plain)?) } else { None };
        Ok(TrainedRanker { ranker, without_sequence, report, seconds })
    }

    /// Columns that are hidden from the ranker, and from one without the sequence model. Without a sequence model its columns say
    /// nothing, or, in lists that were kept, what another model said.
    fn hidden(&self) -> (Vec<usize>, Vec<usize>) {
        let columns = |signals: &[Signal]| -> Vec<usize> {
            (0..WIDTH).filter(|&f| signals.contains(&FEATURES[f].signal)).collect()
        };
        let ablated = columns(&self.options.without);
        let without_sequence = [&*ablated, &*columns(&[Signal::Sequence])].concat();
        (if self.sequence.is_some() { ablated } else { without_sequence.clone() }, without_sequence)
    }

    /// The trees of a head, where they are asked for.
    fn trees(
        &self,
        head: usize,
        lists: WeightedLists<'_>,
        hidden: &[usize],
        progress: &mut TrainProgress,
    ) -> Result<Option<Trees>, RankError> {
        let Some(options) = self.options.trees.get(head).copied().flatten() else { return Ok(None) };
        let now = *progress;
        let stopped = || (self.hook)(now).is_break();
        let trees = Trees::fit(lists.lists, lists.weights, &options, hidden, &stopped)?.ok_or(RankError::Stopped)?;
        progress.done += 1;
        Ok(Some(trees))
    }

    /// The networks of a head, and the mean loss per epoch of the last.
    fn networks(
        &self,
        lists: WeightedLists<'_>,
        scale: &Scale,
        progress: &mut TrainProgress,
    ) -> Result<(Vec<Mlp>, Vec<f64>), RankError> {
        let mlp = self.options.mlp;
        let scaled = |x: &[f32]| scale.apply(x);
        let scaling = Scaling { width: scale.width(), apply: &scaled };
        let (mut nets, mut last) = (Vec::new(), Vec::new());
        for member in 0..mlp.members_for(lists.lists.len()) as u64 {
            let options = MlpOptions { seed: mlp.seed + 1000 * member, ..mlp };
            let now = *progress;
            let stopped = || (self.hook)(now).is_break();
            let (net, loss) =
                Mlp::train(lists.lists, lists.weights, scaling, &options, &stopped).ok_or(RankError::Stopped)?;
            progress.done += 1;
            last = loss;
            nets.push(net);
        }
        Ok((nets, last))
    }

    /// A ranker of heads for all, novel and cold items.
    fn ranker(&self, mut heads: Vec<Option<Head>>) -> Result<Ranker, RankError> {
        let (cold, novel, all) = (heads.pop().flatten(), heads.pop().flatten(), heads.pop().flatten());
        let (Some(novel), Some(all)) = (novel, all) else {
            return Err(RankError::TooLittle("fewer than 50 shoppers came back in the windows"));
        };
        Ok(Ranker::new(self.options.blend.clone(), PerMode { all, novel }, cold))
    }
}
