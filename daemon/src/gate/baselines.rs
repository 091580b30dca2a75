//! What a candidate must not be worse than: methods that a shop could pick instead, each fitted up to the cut-off. The gate takes the
//! middle setting of each grid, for tuning them costs minutes; `mercer eval` tunes.

use std::sync::Arc;

use mercer_rank::{Baseline, BlendWeights, Catalogue, CollaborativeIndex, Dataset, FittedBaseline, Log, Snapshot};

use crate::gate::decide::{Judged, judge};
use crate::gate::policy::ScoringPolicy;
use crate::reports::window_lists::Limits;
use crate::runs::context::{RunContext, RunExit};

/// The baselines' lists on a window, judged. `memory` is of its beginning and has what the cheap ones read.
pub(crate) fn all(
    (log, catalogue, index): (&Log, &Catalogue, &Arc<CollaborativeIndex>),
    span: (i64, i64),
    limits: &Limits<'_>,
    context: &RunContext<'_>,
) -> Result<Vec<(&'static str, Judged)>, RunExit> {
    let shared = Snapshot { log: log.clone(), catalogue: catalogue.clone(), index: Arc::clone(index) };
    let judged = |snapshot: &Snapshot, weights: &BlendWeights| {
        let judged = judge(snapshot, span, ScoringPolicy { ranker: None, blend: Some(weights) }, limits);
        context.check()?;
        judged.map_err(RunExit::from)
    };
    let mut out = Vec::new();
    for (name, weights) in BlendWeights::baselines() {
        context.check()?;
        out.push((name, judged(&shared, &weights)?));
    }
    for arm in [Baseline::Ease, Baseline::Ials] {
        context.check()?;
        let grid = arm.grid(index.summary().window_days());
        let Some(options) = grid.get(grid.len() / 2) else { continue };
        let fitted = FittedBaseline::fit(arm, options, Dataset { log, catalogue }, span.0);
        out.push((arm.name(), judged(fitted.snapshot(), &BlendWeights::with_popularity_fallback(arm.source()))?));
    }
    Ok(out)
}
