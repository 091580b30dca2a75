//! What orders lists: the ranker by cut-off replay, or a blend where the log is too short for one, or time too short.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use mercer_rank::{
    BlendWeights, Catalogue, CutoffLists, DAY_MS, Dataset, IndexOptions, Log, RankError, Ranker, RankerTrainOptions,
    RankerTrainSeconds, RankerTraining, SequenceScorerHistory, TrainedRanker, cutoffs, fit_blend_weights,
};
use mercer_shared::wire::RunPhase;

use crate::gate::policy::ScoringPolicy;
use crate::runs::budget::BudgetTier;
use crate::runs::context::{RunContext, RunExit, failed};
use crate::runs::record;
use crate::state::sequence::TrainedSequenceModel;
use crate::training::sequence_fit::SequenceModels;

/// What orders lists: the ranker, or a blend where the log is too short for one; neither where the blend's rule reads the log.
#[derive(Default)]
pub(crate) struct FittedRanker {
    pub(crate) ranker: Option<Ranker>,
    /// The network beside the ranker, in the numbers of the log that it was trained on.
    pub(crate) network: Option<Arc<TrainedSequenceModel>>,
    /// Where there is a network: a ranker that does without it.
    pub(crate) plain: Option<Ranker>,
    pub(crate) blend: Option<BlendWeights>,
    /// What it took.
    pub(crate) spent: Spent,
}

/// Seconds that an order took, and for how many cut-offs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spent {
    /// The behaviour network's stages.
    stages: f64,
    /// The replay.
    replay: RankerTrainSeconds,
    /// Cut-offs that the lists were made for.
    cutoffs: usize,
}

/// How the replay of what serves differs from that of what was judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Again {
    /// Cut-offs whose lists are not there.
    pub(crate) missing: usize,
    /// Whether the network serves, and so needs one more stage.
    pub(crate) network: bool,
    /// Heads with trees.
    pub(crate) trees: [bool; 2],
}

impl Spent {
    /// Seconds of doing it again, as far as it has to be done again.
    pub(crate) fn again(&self, again: Again) -> f64 {
        let share = again.missing as f64 / self.cutoffs.max(1) as f64;
        let stage = if again.network { self.stages / self.cutoffs.max(1) as f64 } else { 0.0 };
        let trees: f64 = self.replay.trees.iter().zip(again.trees).filter(|x| x.1).map(|x| x.0).sum();
        stage + share * self.replay.lists + self.replay.networks + trees
    }
}

impl FittedRanker {
    /// What orders its lists.
    pub(crate) fn policy(&self) -> ScoringPolicy<'_> {
        ScoringPolicy { ranker: self.ranker.as_ref(), blend: self.blend.as_ref() }
    }

    /// The replay that makes this order again: with trees in the heads that have them.
    pub(crate) fn replay(&self, tier: BudgetTier, seed: u64) -> RankerTrainOptions {
        let has = self.ranker.as_ref().map_or(([false; 2], false), |ranker| (ranker.has_trees(), ranker.has_cold()));
        with_parts(tier.replay(seed), has)
    }
}

/// A replay with trees in these heads alone (any item, unseen items), and with a head for cold items or without.
pub(crate) fn with_parts(o: RankerTrainOptions, ([any, unseen], cold): ([bool; 2], bool)) -> RankerTrainOptions {
    RankerTrainOptions { trees: [o.trees[0].filter(|_| any), o.trees[1].filter(|_| unseen)], cold, ..o }
}

/// A ranker from events up to a moment, beside networks where they are wanted (and `later` is the moment up to which the next one will be
/// trained), and from the lists of an earlier replay as far as they are in `kept`; where the log is too short for one, weights of the blend
/// fitted on the windows there are; where there is none, the rule that reads the log. `None` when the budget was used up before it was
/// there.
pub(crate) fn learn(
    context: &RunContext<'_>,
    (log, catalogue): (&Log, &Catalogue),
    until: i64,
    o: &RankerTrainOptions,
    networks: Option<(&mut SequenceModels, i64)>,
    kept: &mut CutoffLists,
) -> Result<Option<FittedRanker>, RunExit> {
    let begun = Instant::now();
    let possible = cutoffs(log, until, o.cutoffs).0.len() >= 2;
    let networks = match networks.filter(|_| possible) {
        Some((networks, later)) => {
            if networks.up_to(context, log, (until, later), o.cutoffs)?.is_none() {
                return Ok(None);
            }
            Some(networks)
        }
        None => None,
    };
    let stages_seconds = begun.elapsed().as_secs_f64();
    let stages = networks.as_ref().map(|networks| networks.stages() as &dyn SequenceScorerHistory);
    context.phase(RunPhase::Ranker, 0);
    context.limit_phase(context.left());
    let hook = |progress: mercer_rank::TrainProgress| {
        control_step(context, progress);
        if context.unwanted() || context.left() <= 0.0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let missing = kept.missing(log, until, o, stages.is_some());
    let clock = || begun.elapsed().as_secs_f64();
    let data = Dataset { log, catalogue };
    let training =
        RankerTraining { sequence: stages, hook: &hook, clock: &clock, ..RankerTraining::new(data, until, o) };
    match training.run(kept) {
        Ok(TrainedRanker { ranker, without_sequence, report, seconds }) => {
            context.update(|run| record::curves(&mut run.record, &report));
            context.note(format!(
                "ranker: {} cut-offs, windows of {} days, {}, {} and {} lists for any, unseen and cold items",
                report.cutoffs.len(),
                report.window_days,
                report.lists[0],
                report.lists[1],
                report.lists[2]
            ));
            let network = networks.and_then(|networks| networks.at(until));
            let spent = Spent { stages: stages_seconds, replay: seconds, cutoffs: missing };
            Ok(Some(FittedRanker { ranker: Some(ranker), network, plain: without_sequence, blend: None, spent }))
        }
        Err(RankError::TooLittle(why)) => {
            context.check()?;
            let blend = refitted(log, catalogue, until);
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
fn control_step(context: &RunContext<'_>, progress: mercer_rank::TrainProgress) {
    let (done, total) = (progress.done as u64, progress.total as u64);
    if context.at_step() != (done, total) {
        context.step(done, total);
    }
}

/// Weights fitted on the last windows that end by `until` and have a window of history before them.
fn refitted(log: &Log, catalogue: &Catalogue, until: i64) -> Option<BlendWeights> {
    let shape = log.summary(until);
    let width = shape.window_days() * DAY_MS;
    let cutoffs: Vec<i64> = (1..=2).map(|n| until - n * width).filter(|cut| cut - shape.first >= width).collect();
    (!cutoffs.is_empty()).then(|| fit_blend_weights(Dataset { log, catalogue }, &cutoffs, &IndexOptions::default()).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doing_it_again_costs_what_is_new() {
        let replay = RankerTrainSeconds { lists: 160.0, networks: 30.0, trees: [40.0, 50.0] };
        let spent = Spent { stages: 320.0, replay, cutoffs: 16 };
        let of = |missing, network, trees| spent.again(Again { missing, network, trees });
        assert_eq!(of(16, false, [true; 2]), 280.0);
        assert_eq!(of(2, true, [false, true]), 20.0 + 20.0 + 30.0 + 50.0);
        assert_eq!(Spent::default().again(Again { missing: 2, network: true, trees: [true; 2] }), 0.0);
    }
}
