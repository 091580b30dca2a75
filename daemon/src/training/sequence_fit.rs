//! Trains the sequence models of a cycle: one for each cut-off of the ranker's training, so that the ranker learns from a model that
//! knew no more than it does.

use std::collections::BTreeSet;
use std::sync::Arc;

use mercer_learn::sequence::{ItemFeatures, SequenceOptions};
use mercer_learn::{Hooks, StepReport};
use mercer_rank::{Catalogue, Log, Vectors, cutoffs};
use mercer_shared::wire::RunPhase;

use crate::runs::context::{RunContext, RunExit, failed};
use crate::state::sequence::{TrainedSequenceModel, items, options};
use crate::training::sequence_stages::{SequenceData, SequenceStages};

/// Sequence models by cut-off, and what they are trained with.
pub(crate) struct SequenceModels {
    items: ItemFeatures,
    texts: Option<Vectors>,
    options: SequenceOptions,
    stages: SequenceStages,
}

/// Ends a stage when the run was cancelled or its budget is used up.
struct Watched<'a, 'b>(&'a RunContext<'b>);

impl Hooks for Watched<'_, '_> {
    fn on_step(&mut self, report: &StepReport) {
        self.0.update(|run| run.loss = Some(f64::from(report.loss)));
    }

    fn should_stop(&mut self) -> bool {
        self.0.unwanted() || self.0.left() <= 0.0
    }
}

impl SequenceModels {
    /// Prepares models for a log up to a moment and a catalogue with the base encoder's vectors of items and searches,
    /// which no training changes. The vectors are not whitened: with whitened ones the ranker gained nothing on the
    /// validation windows of both real logs.
    pub(crate) fn new(log: &Log, catalogue: &Catalogue, until: i64, seed: u64) -> Result<Self, RunExit> {
        let items = items(catalogue, catalogue.vectors()).map_err(|e| failed(&e))?;
        let texts = catalogue.texts().cloned();
        Ok(Self { items, texts, options: options(log, until, seed), stages: SequenceStages::default() })
    }

    /// Trains the models as of every cut-off of a ranker's training (`most` cut-offs up to `until`) and as of `until`,
    /// and those that a later training up to `later` will need. `None` if the run was cancelled or the budget used up.
    pub(crate) fn up_to(
        &mut self,
        context: &RunContext<'_>,
        log: &Log,
        until: i64,
        later: i64,
        most: usize,
    ) -> Result<Option<()>, RunExit> {
        let mut cuts: BTreeSet<i64> = cutoffs(log, until, most).0.into_iter().chain([until]).collect();
        cuts.extend(cutoffs(log, later, most).0.into_iter().filter(|cutoff| *cutoff <= until));
        context.phase(RunPhase::Network, cuts.len() as u64);
        context.limit_phase(context.left());
        let (mut steps, mut done) = (0, 0);
        let mut each = |advance: &mercer_learn::sequence::AdvanceOutcome| {
            steps += advance.steps;
            done += 1;
            context.step(done, cuts.len() as u64);
        };
        let hooks = &mut Watched(context);
        let data = SequenceData { log, texts: self.texts.as_ref(), items: &self.items };
        let made = self.stages.train(data, self.options.clone(), &cuts, hooks, &mut each);
        if !made.map_err(|e| failed(&e))? {
            context.check()?;
            return Ok(None);
        }
        context.note(format!("sequence model: {steps} steps over {done} cut-offs"));
        Ok(Some(()))
    }

    /// All of them.
    pub(crate) const fn stages(&self) -> &SequenceStages {
        &self.stages
    }

    /// The model as of a cut-off.
    pub(crate) fn at(&self, cutoff: i64) -> Option<Arc<TrainedSequenceModel>> {
        self.stages.get(cutoff).cloned()
    }
}
