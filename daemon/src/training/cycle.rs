//! One cycle: examples, encoder, embedding, memory and ranker, evaluation on later interactions, gate, promotion.
//!
//! Everything that is judged was made from interactions up to the cut-off, the beginning of the last window of the log. What then
//! serves is made again with the same configuration from everything, the adapter excepted: it stays as it was judged.

use std::sync::Arc;

use mercer_model::Checkpoint;
use mercer_rank::{Catalogue, CollaborativeIndex, CutoffLists, Dataset, IndexOptions, Log, Ranker, RankerTrainOptions};
use mercer_shared::wire::{EventKind, GateVerdict, RunPhase};

use crate::background::query_vectors;
use crate::gate::decide;
use crate::gate::decide::Opponents;
use crate::gate::eval_context::EvalContext;
use crate::gate::incumbent::Incumbent;
use crate::gate::search_queries;
use crate::gate::{baselines, holdout};
use crate::reports::window_lists::Limits;
use crate::runs::budget;
use crate::runs::budget::BudgetTier;
use crate::runs::context::{RunContext, RunExit};
use crate::runs::plan::Plan;
use crate::runs::record;
use crate::state::app::App;
use crate::state::dense_ids::IdMap;
use crate::state::shop::ShopState;
use crate::training::calibration;
use crate::training::component_selection;
use crate::training::data_fingerprint;
use crate::training::encoder_choice::{choose, embed, seconds_per_item, start_adapter};
use crate::training::encoder_tuning;
use crate::training::ranker_fit;
use crate::training::ranker_fit::FittedRanker;
use crate::training::sequence_fit::SequenceModels;
use crate::training::settle::{VersionRecord, finish_interrupted, settle, write};
use crate::versions::canary;
use crate::versions::directory;
use crate::versions::embedded_catalogue;
use crate::versions::encoder_variant::EncoderVariant;
use crate::versions::encoders;

/// The phases from the ranker on.
const RANKING: [RunPhase; 3] = [RunPhase::Ranker, RunPhase::Evaluation, RunPhase::Gate];

/// The phases of a cycle in order, as far as its request tells: whether a sequence model is trained is known later.
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
    context.phase(RunPhase::Examples, 0);
    let (whole, mut plan) = (app.view(), plan);
    plan.holdout = holdout::share(app, &whole, &plan);
    let view = holdout::without(app, &whole, plan.holdout);
    let mut ids = IdMap::of(&view);
    let log = ids.log(&view.training_log());
    let plan = settle(app, &view, &log, context, plan)?;
    context.update(|run| run.cursor = Some(plan.cursor));
    let data = data_fingerprint::digest(app, &view, &ids, &plan, &run)?;
    if let Some(why) = data_fingerprint::nothing(app, &data)? {
        context.note(why);
        return Ok(());
    }
    let tier = BudgetTier::at(plan.tier);
    let Encoders { plain, tuned } = encoders(app, (&view, &log), &plan, run.seed, context)?;

    context.phase(RunPhase::Memory, 0);
    let parts = component_selection::worth_making(app, tier, plan.sizes.events, context)?;
    if parts.network {
        context.plan_phases([&[RunPhase::Network], &RANKING[..]].concat());
    }
    let base_encoder = Arc::clone(&plain.encoder);
    if parts.network || view.model.artifacts.sequence.is_some() {
        ids.set_texts(query_vectors::table(app, (&view, &whole.training_log()), &base_encoder, |_| context.check())?);
    }
    let catalogue = plain.catalogue(&ids)?;
    let index = Arc::new(CollaborativeIndex::fit(
        Dataset { log: &log, catalogue: &catalogue },
        plan.cut,
        &IndexOptions::default(),
    ));
    context.check()?;
    // The ranker's features are free of scale, so one that was trained beside the base's vectors serves beside tuned ones too; and
    // trained so it has not seen vectors that were fitted to its own labels.
    let mut networks =
        if parts.network { Some(SequenceModels::new(&log, &catalogue, plan.cut, run.seed)?) } else { None };
    let beside = networks.as_mut().map(|networks| (networks, view.last_event));
    let replay = RankerTrainOptions {
        compared: true,
        ..ranker_fit::with_parts(tier.replay(run.seed), (parts.trees, parts.cold))
    };
    let mut kept = CutoffLists::default();
    let made = ranker_fit::learn(context, (&log, &catalogue), plan.cut, &replay, beside, &mut kept)?;
    let order = made.unwrap_or_else(|| {
        context.note("no ranker: the budget was used up while it was trained; the blend's rule is judged");
        FittedRanker::default()
    });

    context.phase(RunPhase::Evaluation, 0);
    let limits = Limits { users: tier.judged, unwanted: &|| context.unwanted() };
    let eval = EvalContext { log: &log, index: &index, span: (plan.cut, plan.to), limits: &limits, context };
    let lists = |order: &FittedRanker| eval.judged(catalogue.clone(), order.policy());
    let cold = |ranker: &Ranker| eval.cold(catalogue.clone(), ranker);
    let (order, with_base) =
        component_selection::choose(order, context, &component_selection::Judges { lists: &lists, cold: &cold })?;
    let mut networks = networks.filter(|_| order.network.is_some());
    let asked = search_queries::collect(app, &view, &ids, &plan)?;
    let (variant, mut candidate) = choose(app, &view, context, (plain, with_base), tuned, &asked, |variant| {
        let catalogue = variant.catalogue(&ids)?;
        let mut judged = eval.judged(catalogue.clone(), order.policy())?;
        if let Some(ranker) = order.ranker.as_ref().filter(|ranker| ranker.has_cold()) {
            judged.cold = eval.cold(catalogue, ranker)?.ndcg;
        }
        Ok(judged)
    })?;

    let incumbent = Incumbent::of(app, (&view, &log), (&ids, &base_encoder), &plan, context)?;
    let theirs = incumbent.judged((app, &view), &eval, (&variant, order.policy(), &mut candidate), &asked)?;
    context.check()?;
    let baselines = baselines::all((&log, &catalogue, &index), eval.span, &limits, context)?;
    context.check()?;

    context.phase(RunPhase::Gate, 0);
    let refresh = incumbent.is_refreshed_by(&variant, order.policy(), &plan);
    let opponents = Opponents { serving: (incumbent.version(), &theirs), refresh, baselines: &baselines };
    let (gate, mut metrics) = decide::decide(app, (&run.id, run.seed), eval.span, &candidate, &opponents)?;
    context.note(format!("gate: {:?}: {}", gate.verdict, gate.reason));
    context.update(|run| run.gate = Some(gate.clone()));
    context.check()?;
    let passed = gate.verdict == GateVerdict::Promote;
    if holdout::due(app, &plan, passed)? {
        let held = ids.log(&holdout::log(app, &whole, plan.holdout));
        let eval = EvalContext { log: &held, ..eval };
        let (mine, theirs) = (eval.judged(variant.catalogue(&ids)?, order.policy())?, incumbent.as_served(&eval)?);
        metrics.extend(holdout::report(context, run.seed, (incumbent.version(), incumbent.seen), &mine, &theirs));
    }

    let probabilities = match &order.ranker {
        Some(ranker) => {
            let snapshot = eval.snapshot(variant.catalogue(&ids)?);
            let (fitted, worth) = calibration::fit(&snapshot, plan.to, ranker, &limits, (run.seed, context))?;
            metrics.extend(worth);
            Some(fitted)
        }
        None => None,
    };

    let replay = order.replay(tier, run.seed);
    let everything = (&log, &catalogue, view.last_event);
    let last = if passed { again(context, everything, &replay, (&order, networks.as_mut()), &mut kept)? } else { None };
    drop(kept);
    let until = if last.is_some() { view.last_event } else { plan.cut };
    context.check()?;
    let ids = ids.ids(&view);
    context.update(|run| run.record.metrics = metrics.clone());
    let made = VersionRecord { gate, metrics, until, seed: run.seed, holdout: plan.holdout, probabilities, ids };
    let model = write(app, &view, &plan, made, (base_encoder, &variant), (&order, last.as_ref()))?;
    let name = model.meta.version.clone();
    context.update(|run| run.model = Some(name.clone()));
    app.tell(EventKind::Model(Box::new(model.meta.clone())));
    component_selection::note(app, parts, &order, plan.sizes.events)?;
    data_fingerprint::note(app, data, &run.id, &name)?;
    if passed && plan.request.promote.unwrap_or(app.config.train.promote) {
        context.phase(RunPhase::Promotion, 0);
        // Items may have come since; those that are known cost a look-up.
        let embedded = embedded_catalogue::embed_catalogue(app, &variant.encoder, |_| context.check())?;
        context.note(canary::put_to_work(app, model, &embedded)?);
    }
    directory::prune(app);
    Ok(())
}

/// The encoders of a cycle.
struct Encoders {
    /// The base with the catalogue under it.
    plain: EncoderVariant,
    /// The tuned encoder, where there was something to learn and time for it.
    tuned: Option<EncoderVariant>,
}

fn encoders(
    app: &App,
    (view, log): (&ShopState, &Log),
    plan: &Plan,
    seed: u64,
    context: &RunContext<'_>,
) -> Result<Encoders, RunExit> {
    let (name, sha256) = encoders::active_encoder(&app.store)?;
    let base = encoders::base(&app.config.state, &name, &sha256)?;
    record::cycle(context, log, plan, &base);
    let plain = embed(app, base.clone(), None, 0.0, context)?.ok_or_else(|| {
        RunExit::Nothing("the budget was used up while the catalogue was embedded: nothing could be judged".to_owned())
    })?;
    let plain = plain.in_the_way_of(&view.model);
    let wanted = plan.request.encoder.unwrap_or(true);
    let tuned = if wanted { tuned(app, view, plan, seed, (&base, &plain), context)? } else { None };
    Ok(Encoders { plain, tuned })
}

fn tuned(
    app: &App,
    view: &ShopState,
    plan: &Plan,
    seed: u64,
    (base, plain): (&Checkpoint, &EncoderVariant),
    context: &RunContext<'_>,
) -> Result<Option<EncoderVariant>, RunExit> {
    let behind = BudgetTier::at(plan.tier).seconds(&plan.sizes);
    let embedding = seconds_per_item(app, view, &plain.encoder)? * view.items.len() as f64;
    let Some(seconds) = budget::encoder(context.left(), behind, embedding) else {
        context.note(format!(
            "no time for the encoder: {:.0} s are left, the rest of the cycle takes about {behind:.0} s and embedding the \
             catalogue again {embedding:.0} s",
            context.left()
        ));
        return Ok(None);
    };
    let method = encoder_tuning::method(plan.request.tuning.unwrap_or(app.config.train.tuning));
    let start = start_adapter(app, plan, (base, &method), context)?;
    let learned = encoder_tuning::train(app, view, (base, start.as_ref(), method), plan, (seed, seconds), context)?;
    let Some((checkpoint, adapter)) = learned else { return Ok(None) };
    let tuned = embed(app, checkpoint, Some(adapter), 0.5 * behind, context)?;
    if tuned.is_none() {
        context.note("the tuned encoder is left out: embedding the catalogue with it would have used up the budget");
    }
    Ok(tuned)
}

/// What serves, made again with the same configuration from everything; `None` where the budget does not allow that: then what was
/// judged serves.
fn again(
    context: &RunContext<'_>,
    (log, catalogue, until): (&Log, &Catalogue, i64),
    replay: &RankerTrainOptions,
    (judged, networks): (&FittedRanker, Option<&mut SequenceModels>),
    kept: &mut CutoffLists,
) -> Result<Option<FittedRanker>, RunExit> {
    let left = context.left();
    let missing = kept.missing(log, until, replay, networks.is_some());
    let trees = replay.trees.map(|trees| trees.is_some());
    let takes = judged.spent.again(ranker_fit::Again { missing, network: networks.is_some(), trees });
    let beside = networks.map(|networks| (networks, until));
    let last =
        if left < takes { None } else { ranker_fit::learn(context, (log, catalogue), until, replay, beside, kept)? };
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
