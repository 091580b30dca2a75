//! Evaluates the baselines: methods that a shop could use instead, each fitted up to the cut-off. A candidate must not be worse than
//! any. The gate takes the middle setting of each grid, because tuning them costs minutes; `mercer eval` tunes them.

use std::sync::Arc;

use mercer_rank::{Baseline, BlendWeights, Catalogue, Dataset, FittedBaseline, Snapshot};

use crate::gate::eval_context::EvalContext;
use crate::gate::evaluate::{Evaluated, evaluate};
use crate::gate::policy::FittedPolicy;
use crate::runs::context::RunExit;

/// A baseline and the metrics of its lists.
pub(crate) struct EvaluatedBaseline {
    /// Its name, as reports have it.
    pub(crate) name: &'static str,
    /// Its lists.
    pub(crate) evaluated: Evaluated,
}

/// The baselines' lists on the window of an evaluation.
pub(crate) fn all(eval: &EvalContext<'_>, catalogue: &Catalogue) -> Result<Vec<EvaluatedBaseline>, RunExit> {
    let context = eval.context;
    let evaluated = |snapshot: &Snapshot, weights: &BlendWeights| {
        let policy = FittedPolicy { ranker: None, blend: Some(weights) };
        let evaluated = evaluate(snapshot, eval.window, policy, eval.limits);
        context.check()?;
        evaluated.map_err(RunExit::from)
    };
    let shared = Snapshot { log: eval.log.clone(), catalogue: catalogue.clone(), index: Arc::clone(eval.index) };
    let mut out = Vec::new();
    for (name, weights) in BlendWeights::baselines() {
        context.check()?;
        out.push(EvaluatedBaseline { name, evaluated: evaluated(&shared, &weights)? });
    }
    for baseline in [Baseline::Ease, Baseline::Ials] {
        context.check()?;
        let grid = baseline.grid(eval.index.summary().window_days());
        let Some(options) = grid.get(grid.len() / 2) else { continue };
        let fitted = FittedBaseline::fit(baseline, options, Dataset { log: eval.log, catalogue }, eval.window.cutoff);
        let weights = BlendWeights::with_popularity_fallback(baseline.source());
        out.push(EvaluatedBaseline { name: baseline.name(), evaluated: evaluated(fitted.snapshot(), &weights)? });
    }
    Ok(out)
}
