//! Mercer as an arm: the serving configuration, fitted on nothing later than the cut-off.

use std::sync::Arc;

use mercer_rank::{BlendWeights, Catalogue, CollaborativeIndex, CutoffLists, Dataset, IndexOptions, Snapshot, Vectors};

use crate::background::query_vectors;
use crate::evaluation::bench::Bench;
use crate::evaluation::contestant::{Contestant, MODES};
use crate::runs::budget::BudgetTier;
use crate::runs::context::{RunContext, RunExit};
use crate::state::app::App;
use crate::training::component_fit;
use crate::training::components::FitOptions;
use crate::training::encoder_fit::embed;
use crate::training::ranker_fit::{FittedRanker, SequenceFit};
use crate::training::sequence_fit::SequenceModels;
use crate::versions::encoder_variant::EncoderVariant;
use crate::versions::encoders;
use crate::versions::load;

/// The serving configuration with its lists as of the cut-off. Parts that have seen the window are replaced: the ranker
/// by the one that the gate evaluated at this cut-off, or by a newly trained one; an adapter that learned from later
/// interactions by its base encoder.
pub(crate) fn contestant(
    bench: &Bench<'_>,
    context: &RunContext<'_>,
    notes: &mut Vec<String>,
) -> Result<Contestant, RunExit> {
    let (app, model) = (bench.app, &bench.view.model);
    let meta = &model.meta;
    let judged_from = meta.gate.as_ref().map(|gate| gate.from.millis());
    let clean = meta.encoder.adapter.is_none() || judged_from.is_some_and(|from| from <= bench.cutoff);
    let (arm, encoder) = if clean {
        let arm = EncoderVariant::serving(app, model, |_| context.check())?;
        (arm, if meta.encoder.adapter.is_some() { "fine-tuned encoder" } else { "encoder as it came" })
    } else {
        notes.push(format!(
            "{} has an adapter that learned from interactions after the cut-off: its base encoder is used instead",
            meta.version
        ));
        (base_arm(app, meta, context)?, "encoder as it came")
    };
    let mut catalogue = arm.shop_catalogue(bench.view)?;
    if model.artifacts.sequence.is_some() {
        catalogue.set_texts(Some(texts(bench, context)?));
    }
    let seen = meta.data.to.is_some_and(|to| to.millis() > bench.cutoff);
    let (fitted, how) = if model.artifacts.ranker.is_none() && model.artifacts.blend.is_none() {
        (FittedRanker::default(), "the blend's rule; no ranker was trained yet".to_owned())
    } else if !seen {
        let fitted = FittedRanker {
            ranker: model.artifacts.ranker.as_deref().cloned(),
            blend: model.artifacts.blend.clone(),
            ..FittedRanker::default()
        };
        (fitted, format!("{} as it serves; it has seen nothing of the window", meta.version))
    } else if judged_from == Some(bench.cutoff)
        && let Some(judged) = load::judged_ranker(app, bench.view, bench.cutoff)?
    {
        notes.push(format!(
            "{} learned from this window; measured instead is its ranker as the gate measured it, fitted up to the cut-off",
            meta.version
        ));
        (
            FittedRanker { ranker: Some(judged), ..FittedRanker::default() },
            "the ranker that the gate evaluated".to_owned(),
        )
    } else {
        notes.push(format!(
            "{} learned from this window; its ranker is fitted again with the same configuration up to {}",
            meta.version,
            mercer_shared::time::Timestamp::at(bench.cutoff)
        ));
        // As in a cycle: trained beside the base's vectors, which were not fitted to any label.
        let beside =
            if clean && meta.encoder.adapter.is_some() { beside_base(bench, context)? } else { catalogue.clone() };
        let configured = FittedRanker { ranker: model.artifacts.ranker.as_deref().cloned(), ..FittedRanker::default() };
        let options = FitOptions::again(&configured, BudgetTier::at(0), meta.seed);
        let mut models = match &model.artifacts.sequence {
            Some(_) => Some(SequenceModels::new(&bench.log, &beside, bench.cutoff, meta.seed)?),
            None => None,
        };
        let sequence = models.as_mut().map(|models| SequenceFit { models, later: bench.cutoff });
        let fitted = component_fit::fit(
            context,
            Dataset { log: &bench.log, catalogue: &beside },
            bench.cutoff,
            &options,
            sequence,
            &mut CutoffLists::default(),
        )?
        .unwrap_or_default();
        let what = if fitted.ranker.is_some() {
            "ranker made again up to the cut-off"
        } else {
            "blend fitted up to the cut-off"
        };
        (fitted, what.to_owned())
    };
    context.check()?;
    let index = Arc::new(CollaborativeIndex::fit(
        Dataset { log: &bench.log, catalogue: &catalogue },
        bench.cutoff,
        &IndexOptions::default(),
    ));
    let weights = fitted.blend.clone().unwrap_or_else(|| BlendWeights::for_index(&index));
    let snapshot = Snapshot { log: bench.log.clone(), catalogue, index };
    let cutoff = bench.cutoff;
    Ok(Contestant {
        name: "Mercer".to_owned(),
        settings: MODES.iter().map(|(_, word)| ((*word).to_owned(), format!("{how}, {encoder}"))).collect(),
        tuned: [].into(),
        tried: 0,
        seconds: 0.0,
        list: Box::new(move |whom, request| match &fitted.ranker {
            Some(ranker) => ranker.recommend(&snapshot, whom, cutoff, request),
            None => mercer_rank::recommend(&snapshot, &weights, whom, cutoff, request),
        }),
    })
}

/// Vectors of what was searched for, by the serving version's base.
pub(crate) fn texts(bench: &Bench<'_>, context: &RunContext<'_>) -> Result<Vectors, RunExit> {
    query_vectors::table(bench.app, bench.view, &bench.log, &bench.view.model.base_encoder, |_| context.check())
}

/// The catalogue as a sequence model learns beside it: with the base encoder's vectors of items and searches.
pub(crate) fn beside_base(bench: &Bench<'_>, context: &RunContext<'_>) -> Result<Catalogue, RunExit> {
    let mut catalogue = base_arm(bench.app, &bench.view.model.meta, context)?.shop_catalogue(bench.view)?;
    catalogue.set_texts(Some(texts(bench, context)?));
    Ok(catalogue)
}

/// The serving version's base with the catalogue under it.
pub(crate) fn base_arm(
    app: &App,
    meta: &mercer_shared::wire::ModelVersion,
    context: &RunContext<'_>,
) -> Result<EncoderVariant, RunExit> {
    let base = encoders::base(&app.config.state, &meta.encoder.name, &meta.encoder.sha256)?;
    let embedded = embed(app, base, 0.0, context)?;
    embedded.ok_or_else(|| RunExit::Nothing("the budget was used up while the catalogue was embedded".to_owned()))
}
