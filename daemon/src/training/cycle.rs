//! One training cycle, from the log to a promoted version; `run` lists its steps.
//!
//! Everything that is compared was fitted on interactions up to the cut-off, the beginning of the last window of the
//! log. The promoted version is then fitted again with the same configuration on all interactions. Only the adapter is
//! not: it stays as it was compared.

use std::sync::Arc;

use mercer_model::BertEncoder;
use mercer_rank::{Catalogue, CollaborativeIndex, CutoffLists, Dataset, IndexOptions, RankerTrainOptions};
use mercer_shared::wire::{EventKind, GateVerdict, MetricValue, RunPhase};

use crate::background::query_vectors;
use crate::gate::decide;
use crate::gate::eval_context::EvalContext;
use crate::gate::evaluate::{Evaluated, ListSlice};
use crate::gate::holdout::{self, HoldoutComparison};
use crate::gate::incumbent::Incumbent;
use crate::gate::search_queries;
use crate::reports::window_lists::Limits;
use crate::runs::context::{RunContext, RunExit};
use crate::runs::plan::Plan;
use crate::state::app::App;
use crate::state::probabilities::Probabilities;
use crate::state::shop::model::Model;
use crate::training::calibration;
use crate::training::comparison::{compare_with_incumbent, decide_on, guarded};
use crate::training::component_fit;
use crate::training::component_selection::{self, Selected};
use crate::training::components::{ComponentSet, FitOptions};
use crate::training::data_fingerprint;
use crate::training::encoder_choice::{EvaluatedVariant, choose};
use crate::training::encoder_fit::{self, Encoders};
use crate::training::prepare::{Cycle, CycleData, finish_interrupted, prepare};
use crate::training::ranker_fit::{FittedRanker, RefitParts, SequenceFit};
use crate::training::sequence_fit::SequenceModels;
use crate::training::write_version::{NewVersion, write};
use crate::versions::canary;
use crate::versions::directory;
use crate::versions::embedded_catalogue;
use crate::versions::encoder_variant::EncoderVariant;
use crate::versions::knowledge;

/// The phases from the ranker on.
const RANKING: [RunPhase; 3] = [RunPhase::Ranker, RunPhase::Evaluation, RunPhase::Gate];

/// The phases of a cycle in order, as far as its request determines them. Whether a sequence model is trained is
/// decided later.
fn planned_phases(plan: &Plan) -> Vec<RunPhase> {
    let encoder: &[RunPhase] = match plan.request.encoder {
        Some(false) => &[],
        _ => &[RunPhase::Encoder, RunPhase::Embedding],
    };
    [&[RunPhase::Examples, RunPhase::Embedding], encoder, &[RunPhase::Memory], &RANKING[..]].concat()
}

/// The whole cycle.
pub(crate) fn run(app: &App, plan: Plan, context: &RunContext<'_>) -> Result<(), RunExit> {
    if finish_interrupted(app, &plan, context)? {
        return Ok(());
    }
    let Some(run) = crate::state::run_documents::current(app) else { return Ok(()) };
    context.plan_phases(planned_phases(&plan));
    let cycle = Cycle { app, run: &run, context };

    let Some(mut data) = prepare(cycle, plan)? else { return Ok(()) };
    let Encoders { base, tuned } = encoder_fit::fit(cycle, &data)?;
    let base_encoder = Arc::clone(&base.encoder);
    let mut candidate_fit = fit_candidate(cycle, &mut data, &base)?;

    let (unwanted, index) = (|| context.unwanted(), Arc::clone(&candidate_fit.index));
    let limits = Limits { users: data.tier.users, unwanted: &unwanted };
    let window = data.plan.window();
    let eval = EvalContext { log: &data.log, index: &index, window, limits: &limits, context };
    let Selected { fitted, evaluated } = select_components(cycle, &mut candidate_fit, &eval)?;
    let queries = search_queries::collect(app, &data.view, &data.ids, &data.plan)?;
    let base = EvaluatedVariant { variant: base, evaluated };
    let mut candidate = choose(cycle, &data, base, tuned, &queries, |variant| {
        evaluate_beside(&eval, &fitted, &variant.catalogue(&data.ids)?)
    })?;
    let incumbent = Incumbent::new(app, data.shop(), &base_encoder, &data.plan, context)?;
    let compared = compare_with_incumbent(cycle, &data, &eval, &incumbent, &fitted, &mut candidate, &queries)?;
    let gate =
        decide_on(cycle, &eval, &incumbent, &candidate.evaluated, &compared, &queries, &candidate_fit.catalogue)?;
    let gate = guarded(cycle, &data, &eval, &candidate.evaluated, &compared, &candidate_fit.catalogue, gate)?;
    let (passed, asks) = (gate.verdict == GateVerdict::Promote, gate.asks);

    let mut metrics = decide::metrics(&candidate.evaluated, run.seed);
    metrics.extend(evaluate_holdout(cycle, &data, &eval, &incumbent, &fitted, &candidate.variant, passed)?);
    let calibrated = calibrate(cycle, &data, &eval, &fitted, &candidate.variant)?;
    metrics.extend(calibrated.metrics);
    let rebuilds = data.plan.request.rebuild == Some(true);
    let refitted = if passed || rebuilds { refit(cycle, &data, &mut candidate_fit, &fitted)? } else { None };
    context.check()?;
    context.update(|run| run.record.metrics = metrics.clone());
    let version = NewVersion {
        gate,
        metrics,
        until: if refitted.is_some() { data.view.last_event } else { data.plan.cutoff },
        seed: run.seed,
        probabilities: calibrated.probabilities,
        ids: data.ids.ids(&data.view),
        base_encoder,
        variant: &candidate.variant,
        judged: &fitted,
        serving: refitted.as_ref().unwrap_or(&fitted),
    };
    let model = write(app, &data.view, &data.plan, version)?;
    record_version(cycle, &data, candidate_fit.components, &fitted, &model)?;
    let wanted = data.plan.request.promote.unwrap_or(app.config.train.promote);
    if rebuilds {
        replace_knowing(cycle, model, &candidate.variant.encoder)?;
    } else if passed && !asks && wanted {
        // Whether harm is accepted is for a person to say, also where the request asks for promotion.
        promote(cycle, model, &candidate.variant.encoder)?;
    }
    directory::prune(app);
    Ok(())
}

/// A candidate's ranker with all its components, and what it was fitted from.
struct CandidateFit {
    /// The components that were made.
    components: ComponentSet,
    /// The items with the base encoder's vectors.
    catalogue: Catalogue,
    /// The collaborative index of the cut-off.
    index: Arc<CollaborativeIndex>,
    /// The sequence models, one for each cut-off.
    sequence: Option<SequenceModels>,
    /// The lists of the cut-offs.
    lists: CutoffLists,
    /// The ranker, until its components are selected.
    fitted: FittedRanker,
}

/// Fits the collaborative index, the sequence models and the ranker up to the cut-off.
fn fit_candidate(cycle: Cycle<'_>, data: &mut CycleData, base: &EncoderVariant) -> Result<CandidateFit, RunExit> {
    let Cycle { app, run, context } = cycle;
    context.phase(RunPhase::Memory, 0);
    let components = component_selection::plan(app, data.tier, data.plan.sizes.events, context)?;
    if components.has_sequence() {
        context.plan_phases([&[RunPhase::Network], &RANKING[..]].concat());
    }
    if components.has_sequence() || data.view.model.artifacts.sequence.is_some() {
        let log = data.whole.training_log();
        data.ids.set_texts(query_vectors::table(app, &data.view, &log, &base.encoder, |_| context.check())?);
    }
    let catalogue = base.catalogue(&data.ids)?;
    let dataset = Dataset { log: &data.log, catalogue: &catalogue };
    let index = Arc::new(CollaborativeIndex::fit(dataset, data.plan.cutoff, &IndexOptions::default()));
    context.check()?;
    // The ranker's features are free of scale, so one that was trained beside the base's vectors serves beside tuned ones too; and
    // trained so it has not seen vectors that were fitted to its own labels.
    let mut sequence = if components.has_sequence() {
        Some(SequenceModels::new(&data.log, &catalogue, data.plan.cutoff, run.seed)?)
    } else {
        None
    };
    let beside = sequence.as_mut().map(|models| SequenceFit { models, later: data.view.last_event });
    let options =
        FitOptions::new(components, RankerTrainOptions { compared: true, ..data.tier.ranker_options(run.seed) })
            .weighing(&data.groups);
    let mut lists = CutoffLists::default();
    let fitted =
        component_fit::fit(context, dataset, data.plan.cutoff, &options, beside, &mut lists)?.unwrap_or_else(|| {
            context.note("no ranker: the budget was used up while it was trained; the blend's rule is judged");
            FittedRanker::default()
        });
    Ok(CandidateFit { components, catalogue, index, sequence, lists, fitted })
}

/// Keeps the components that pay on the window.
fn select_components(
    cycle: Cycle<'_>,
    candidate: &mut CandidateFit,
    eval: &EvalContext<'_>,
) -> Result<Selected, RunExit> {
    cycle.context.phase(RunPhase::Evaluation, 0);
    let fitted = std::mem::take(&mut candidate.fitted);
    let catalogue = &candidate.catalogue;
    let lists = |fitted: &FittedRanker, slice| eval.evaluate_slice(catalogue, fitted.policy(), slice);
    let selected = component_selection::select(fitted, cycle.context, &lists)?;
    candidate.sequence = candidate.sequence.take().filter(|_| selected.fitted.sequence.is_some());
    Ok(selected)
}

/// The lists of a ranker beside the vectors of a catalogue.
fn evaluate_beside(eval: &EvalContext<'_>, fitted: &FittedRanker, catalogue: &Catalogue) -> Result<Evaluated, RunExit> {
    let mut evaluated = eval.evaluate(catalogue, fitted.policy())?;
    if fitted.ranker.as_ref().is_some_and(mercer_rank::Ranker::has_cold) {
        evaluated.cold = eval.evaluate_slice(catalogue, fitted.policy(), ListSlice::Cold)?.ndcg;
    }
    Ok(evaluated)
}

/// Evaluates candidate and incumbent on the held-out users, if their evaluation is due.
fn evaluate_holdout(
    cycle: Cycle<'_>,
    data: &CycleData,
    eval: &EvalContext<'_>,
    incumbent: &Incumbent<'_>,
    fitted: &FittedRanker,
    variant: &EncoderVariant,
    passed: bool,
) -> Result<Vec<MetricValue>, RunExit> {
    if !holdout::due(cycle.app, &data.plan, passed)? {
        return Ok(Vec::new());
    }
    let held = data.ids.log(&holdout::log(cycle.app, &data.whole, data.plan.holdout));
    let eval = EvalContext { log: &held, ..*eval };
    let comparison = HoldoutComparison {
        seed: cycle.run.seed,
        incumbent: incumbent.version(),
        incumbent_has_seen_window: incumbent.has_seen_window,
        candidate: &eval.evaluate(&variant.catalogue(&data.ids)?, fitted.policy())?,
        incumbent_evaluated: &incumbent.evaluate_served(&eval)?,
    };
    Ok(holdout::report(cycle.context, &comparison))
}

/// The calibration of a ranker's probabilities and its metrics; nothing without a ranker.
#[derive(Default)]
struct Calibrated {
    probabilities: Option<Probabilities>,
    metrics: Vec<MetricValue>,
}

/// Calibrates the ranker's probabilities on the window.
fn calibrate(
    cycle: Cycle<'_>,
    data: &CycleData,
    eval: &EvalContext<'_>,
    fitted: &FittedRanker,
    variant: &EncoderVariant,
) -> Result<Calibrated, RunExit> {
    let Some(ranker) = &fitted.ranker else { return Ok(Calibrated::default()) };
    let snapshot = eval.snapshot(&variant.catalogue(&data.ids)?);
    let (end, seed) = (data.plan.to, cycle.run.seed);
    let (probabilities, metrics) = calibration::fit(&snapshot, end, ranker, eval.limits, seed, cycle.context)?;
    Ok(Calibrated { probabilities: Some(probabilities), metrics })
}

/// Fits the serving components again with the same configuration on all interactions. `None` if the budget does not
/// allow it; the evaluated components then serve.
fn refit(
    cycle: Cycle<'_>,
    data: &CycleData,
    candidate: &mut CandidateFit,
    fitted: &FittedRanker,
) -> Result<Option<FittedRanker>, RunExit> {
    let (context, until) = (cycle.context, data.view.last_event);
    let options = FitOptions::again(fitted, data.tier, cycle.run.seed).weighing(&data.groups);
    let mut lists = std::mem::take(&mut candidate.lists);
    let left = context.left();
    let missing = lists.missing(&data.log, until, &options.training, candidate.sequence.is_some());
    let trees = options.training.trees.map(|trees| trees.is_some());
    let takes = fitted.seconds.refit(RefitParts { missing, sequence: candidate.sequence.is_some(), trees });
    let beside = candidate.sequence.as_mut().map(|models| SequenceFit { models, later: until });
    let dataset = Dataset { log: &data.log, catalogue: &candidate.catalogue };
    let last =
        if left < takes { None } else { component_fit::fit(context, dataset, until, &options, beside, &mut lists)? };
    context.note(if last.is_some() {
        "made again with the same configuration from everything up to the last interaction; the adapter stays".to_owned()
    } else {
        format!(
            "what was judged serves: with {left:.0} s left of the budget it cannot be made again from everything, which takes \
             about {takes:.0} s"
        )
    });
    Ok(last)
}

/// Announces a version, and stores what its cycle read and left out.
fn record_version(
    cycle: Cycle<'_>,
    data: &CycleData,
    made: ComponentSet,
    fitted: &FittedRanker,
    model: &Model,
) -> Result<(), RunExit> {
    let name = &model.meta.version;
    cycle.context.update(|run| run.model = Some(name.clone()));
    cycle.app.tell(EventKind::Model(Box::new(model.meta.clone())));
    component_selection::store(cycle.app, made, fitted, data.plan.sizes.events)?;
    data_fingerprint::note(cycle.app, data.fingerprint.clone(), &cycle.run.id, name)
}

/// Lets a rebuilt version serve at once, whatever the gate says, and deletes the versions that know an erased user.
fn replace_knowing(cycle: Cycle<'_>, model: Model, encoder: &Arc<BertEncoder>) -> Result<(), RunExit> {
    cycle.context.phase(RunPhase::Promotion, 0);
    let version = model.meta.version.clone();
    let embedded = embedded_catalogue::embed_catalogue(cycle.app, encoder, |_| cycle.context.check())?;
    crate::versions::promote::install(cycle.app, model, &embedded)?;
    let gone = knowledge::delete_knowing(cycle.app)?;
    let words = if gone.is_empty() { "none".to_owned() } else { gone.join(", ") };
    cycle.app.audit(None, "rebuild", &version, format!("deleted, because they knew an erased shopper: {words}"));
    cycle.context.note(format!("{version} serves; deleted, because they knew an erased shopper: {words}"));
    Ok(())
}

/// Puts a version to work.
fn promote(cycle: Cycle<'_>, model: Model, encoder: &Arc<BertEncoder>) -> Result<(), RunExit> {
    cycle.context.phase(RunPhase::Promotion, 0);
    // Items may have come since; those that are known cost a look-up.
    let embedded = embedded_catalogue::embed_catalogue(cycle.app, encoder, |_| cycle.context.check())?;
    cycle.context.note(canary::put_to_work(cycle.app, model, &embedded)?);
    Ok(())
}
