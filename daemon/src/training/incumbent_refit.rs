//! Fits the configuration of the serving version again, up to a cut-off. A candidate is compared with this fit if the
//! serving version has learned from the window and no earlier fit of it is usable.

use mercer_rank::{CutoffLists, Dataset};

use crate::runs::budget::BudgetTier;
use crate::runs::context::{RunContext, RunExit};
use crate::state::shop::model::Model;
use crate::training::component_fit;
use crate::training::components::FitOptions;
use crate::training::ranker_fit::{FittedRanker, SequenceFit, fit_blend};
use crate::training::sequence_fit::SequenceModels;

/// The version's configuration fitted on events up to `until`, with the lists and cut-offs of the budget's tier, weighed by groups as the candidate's
/// are. `None` when the budget was
/// used up before.
pub(crate) fn refit(
    context: &RunContext<'_>,
    model: &Model,
    data: Dataset<'_>,
    until: i64,
    tier: BudgetTier,
    groups: &[usize],
) -> Result<Option<FittedRanker>, RunExit> {
    let artifacts = &model.artifacts;
    let Some(ranker) = &artifacts.ranker else {
        return Ok(Some(FittedRanker { blend: fit_blend(data, until), ..FittedRanker::default() }));
    };
    let configured = FittedRanker { ranker: Some((**ranker).clone()), ..FittedRanker::default() };
    let options = FitOptions::again(&configured, tier, model.meta.seed).weighing(groups);
    let mut models = match &artifacts.sequence {
        Some(_) => Some(SequenceModels::new(data.log, data.catalogue, until, model.meta.seed)?),
        None => None,
    };
    let sequence = models.as_mut().map(|models| SequenceFit { models, later: until });
    component_fit::fit(context, data, until, &options, sequence, &mut CutoffLists::default())
}
