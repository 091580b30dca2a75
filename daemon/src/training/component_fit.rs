//! Fits a ranker with a set of components: the ranker with what its training makes, then what is fitted beside it.

use mercer_rank::{CutoffLists, Dataset};

use crate::runs::context::{RunContext, RunExit};
use crate::training::components::FitOptions;
use crate::training::ranker_fit::{FittedRanker, RankerFit, SequenceFit, fit_ranker};

/// As [`fit_ranker`], with the components of the options.
pub(crate) fn fit(
    context: &RunContext<'_>,
    data: Dataset<'_>,
    until: i64,
    options: &FitOptions,
    sequence: Option<SequenceFit<'_>>,
    kept: &mut CutoffLists,
) -> Result<Option<FittedRanker>, RunExit> {
    let fitted = fit_ranker(
        context,
        data,
        until,
        RankerFit { training: &options.training, groups: &options.groups },
        sequence,
        kept,
    )?;
    Ok(fitted.map(|fitted| options.components.fit_beside(data, until, fitted)))
}
