//! The sequence model alone as an arm: trained up to the cut-off beside the base encoder's vectors, its scores order the list.

use std::sync::Arc;

use mercer_rank::{BlendWeights, CollaborativeIndex, Dataset, IndexOptions, SequenceScorerHistory, Snapshot, Source};

use crate::evaluation::bench::Bench;
use crate::evaluation::contestant::{Contestant, MODES};
use crate::evaluation::mercer::beside_base;
use crate::runs::context::{RunContext, RunExit};
use crate::training::sequence_fit::SequenceModels;

/// The model with its lists as of the cut-off.
pub(crate) fn contestant(bench: &Bench<'_>, context: &RunContext<'_>) -> Result<Contestant, RunExit> {
    let meta = &bench.view.model.meta;
    let catalogue = beside_base(bench, context)?;
    let mut models = SequenceModels::new(&bench.log, &catalogue, bench.cutoff, meta.seed)?;
    if models.up_to(context, &bench.log, bench.cutoff, bench.cutoff, 0)?.is_none() {
        return Err(RunExit::Nothing("the budget was used up while the sequence model was trained".to_owned()));
    }
    let index = CollaborativeIndex::fit(
        Dataset { log: &bench.log, catalogue: &catalogue },
        bench.cutoff,
        &IndexOptions::counts(),
    );
    let index = Arc::new(index.with_sequence(models.stages().at(bench.cutoff)));
    let snapshot = Snapshot { log: bench.log.clone(), catalogue, index };
    let weights = BlendWeights::only(Source::Sequence);
    let cutoff = bench.cutoff;
    let setting = format!("one training up to the cut-off, horizon {} days", bench.window_days);
    Ok(Contestant {
        // The name of the arm in stored evaluations.
        name: "sequence model".to_owned(),
        settings: MODES.iter().map(|(_, word)| ((*word).to_owned(), setting.clone())).collect(),
        tuned: [].into(),
        tried: 0,
        seconds: 0.0,
        list: Box::new(move |whom, request| mercer_rank::recommend(&snapshot, &weights, whom, cutoff, request)),
    })
}
