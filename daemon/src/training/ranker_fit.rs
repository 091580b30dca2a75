//! Fits the scoring policy: a ranker trained at many cut-offs of the log, or a blend if the log or the time is too
//! short for a ranker.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use mercer_rank::{
    BlendWeights, CutoffLists, DAY_MS, Dataset, IndexOptions, RankError, Ranker, RankerTrainOptions,
    RankerTrainSeconds, RankerTraining, SequenceScorerHistory, TrainedRanker, WeighUsers, cutoffs, fit_blend_weights,
};
use mercer_shared::wire::RunPhase;

use crate::gate::policy::FittedPolicy;
use crate::runs::context::{RunContext, RunExit, failed};
use crate::runs::record;
use crate::state::sequence::TrainedSequenceModel;
use crate::training::balance;
use crate::training::sequence_fit::SequenceModels;

/// A ranker with its sequence model, or a blend where the log is too short for a ranker. Without either, the rule that derives weights
/// from the log orders lists.
#[derive(Clone, Default)]
pub(crate) struct FittedRanker {
    pub(crate) ranker: Option<Ranker>,
    /// The sequence model beside the ranker, in the numbers of the log that it was trained on.
    pub(crate) sequence: Option<Arc<TrainedSequenceModel>>,
    /// Where there is a sequence model: a ranker without it.
    pub(crate) without_sequence: Option<Ranker>,
    pub(crate) blend: Option<BlendWeights>,
    /// What it took.
    pub(crate) seconds: FitSeconds,
}

/// Seconds that a fit took, and for how many cut-offs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FitSeconds {
    /// The sequence model's stages.
    stages: f64,
    /// The training of the ranker.
    training: RankerTrainSeconds,
    /// Cut-offs that the lists were made for.
    cutoffs: usize,
}

/// How a fit on everything differs from the one up to the cut-off.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RefitParts {
    /// Cut-offs whose lists are not there.
    pub(crate) missing: usize,
    /// Whether the sequence model serves, and so needs one more stage.
    pub(crate) sequence: bool,
    /// Heads with trees.
    pub(crate) trees: [bool; 2],
}

impl FitSeconds {
    /// Estimated seconds of the same fit on everything.
    pub(crate) fn refit(&self, refit: RefitParts) -> f64 {
        let share = refit.missing as f64 / self.cutoffs.max(1) as f64;
        let stage = if refit.sequence { self.stages / self.cutoffs.max(1) as f64 } else { 0.0 };
        let trees: f64 = self.training.trees.iter().zip(refit.trees).filter(|x| x.1).map(|x| x.0).sum();
        stage + share * self.training.lists + self.training.networks + trees
    }
}

impl FittedRanker {
    /// What orders its lists.
    pub(crate) fn policy(&self) -> FittedPolicy<'_> {
        FittedPolicy { ranker: self.ranker.as_ref(), blend: self.blend.as_ref() }
    }
}

/// Sequence models to train a ranker beside.
pub(crate) struct SequenceFit<'a> {
    /// The models.
    pub(crate) models: &'a mut SequenceModels,
    /// Moment up to which the next ranker will be trained; its cut-offs get their stages now.
    pub(crate) later: i64,
}

/// What to fit a ranker with.
#[derive(Clone, Copy)]
pub(crate) struct RankerFit<'a> {
    /// Settings of the training.
    pub(crate) training: &'a RankerTrainOptions,
    /// Group of each user, by number in the log, whose lists are weighed to count alike; none where all lists do.
    pub(crate) groups: &'a [usize],
}

/// Fits a ranker on events up to a moment, beside sequence models where they are given, and from the lists of an earlier fit as far as
/// they are in `kept`. Where the log is too short for a ranker, weights of the blend are fitted on the windows there are. `None` when the
/// budget was used up before.
pub(crate) fn fit_ranker(
    context: &RunContext<'_>,
    data: Dataset<'_>,
    until: i64,
    fit: RankerFit<'_>,
    sequence: Option<SequenceFit<'_>>,
    kept: &mut CutoffLists,
) -> Result<Option<FittedRanker>, RunExit> {
    let o = fit.training;
    let Dataset { log, .. } = data;
    let begun = Instant::now();
    let possible = cutoffs(log, until, o.cutoffs).0.len() >= 2;
    let models = match sequence.filter(|_| possible) {
        Some(SequenceFit { models, later }) => {
            if models.up_to(context, log, until, later, o.cutoffs)?.is_none() {
                return Ok(None);
            }
            Some(models)
        }
        None => None,
    };
    let stages_seconds = begun.elapsed().as_secs_f64();
    let stages = models.as_ref().map(|models| models.stages() as &dyn SequenceScorerHistory);
    context.phase(RunPhase::Ranker, 0);
    context.limit_phase(context.left());
    let hook = |progress: mercer_rank::TrainProgress| {
        note_step(context, progress);
        if context.unwanted() || context.left() <= 0.0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let missing = kept.missing(log, until, o, stages.is_some());
    let clock = || begun.elapsed().as_secs_f64();
    let weigh = |users: &[u32]| balance::list_weights(fit.groups, users);
    let weigh: Option<WeighUsers<'_>> = (!fit.groups.is_empty()).then_some(&weigh);
    let training =
        RankerTraining { sequence: stages, weigh, hook: &hook, clock: &clock, ..RankerTraining::new(data, until, o) };
    match training.run(kept) {
        Ok(TrainedRanker { ranker, without_sequence, report, seconds }) => {
            context.update(|run| record::curves(&mut run.record, &report));
            context.note(format!(
                "ranker: {} cut-offs, windows of {} days, {}, {} and {} lists for all, novel and cold items",
                report.cutoffs.len(),
                report.window_days,
                report.lists[0],
                report.lists[1],
                report.lists[2]
            ));
            let sequence = models.and_then(|models| models.at(until));
            let seconds = FitSeconds { stages: stages_seconds, training: seconds, cutoffs: missing };
            Ok(Some(FittedRanker { ranker: Some(ranker), sequence, without_sequence, blend: None, seconds }))
        }
        Err(RankError::TooLittle(why)) => {
            context.check()?;
            let blend = fit_blend(data, until);
            let what = if blend.is_some() { "weights of the blend were fitted" } else { "the blend's rule serves" };
            context.note(format!("no ranker: {why}; {what}"));
            Ok(Some(FittedRanker { blend, ..FittedRanker::default() }))
        }
        Err(RankError::Stopped) => {
            context.check()?;
            Ok(None)
        }
        Err(error) => Err(failed(&error)),
    }
}

/// Tells of a step when it has changed: the hook is called for every list.
fn note_step(context: &RunContext<'_>, progress: mercer_rank::TrainProgress) {
    let (done, total) = (progress.done as u64, progress.total as u64);
    if context.at_step() != (done, total) {
        context.step(done, total);
    }
}

/// Weights of the blend, fitted on the last windows that end by `until` and have a window of history before them; `None` without one.
pub(crate) fn fit_blend(data: Dataset<'_>, until: i64) -> Option<BlendWeights> {
    let summary = data.log.summary(until);
    let width = summary.window_days() * DAY_MS;
    let cutoffs: Vec<i64> =
        (1..=2).map(|n| until - n * width).filter(|cutoff| cutoff - summary.first >= width).collect();
    (!cutoffs.is_empty()).then(|| fit_blend_weights(data, &cutoffs, &IndexOptions::default()).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doing_it_again_costs_what_is_new() {
        let training = RankerTrainSeconds { lists: 160.0, networks: 30.0, trees: [40.0, 50.0] };
        let seconds = FitSeconds { stages: 320.0, training, cutoffs: 16 };
        let of = |missing, sequence, trees| seconds.refit(RefitParts { missing, sequence, trees });
        assert_eq!(of(16, false, [true; 2]), 280.0);
        assert_eq!(of(2, true, [false, true]), 20.0 + 20.0 + 30.0 + 50.0);
        assert_eq!(FitSeconds::default().refit(RefitParts { missing: 2, sequence: true, trees: [true; 2] }), 0.0);
    }
}
