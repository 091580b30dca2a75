//! One cycle: examples, encoder, embedding, memory and ranker, evaluation on later interactions, gate, promotion.
//!
//! Everything that is judged was made from interactions up to the cut-off, the beginning of the last window of the log. What then
//! serves is made again with the same configuration from everything, the adapter excepted: it stays as it was judged.

use std::sync::Arc;

use mercer_model::Checkpoint;
use mercer_rank::{Catalogue, Log, Memory, MemoryOptions, Ranker, ReplayOptions, Replayed};
use mercer_shared::wire::{EventKind, GateVerdict, RunPhase};

use crate::background::query_vectors;
use crate::gate::decide;
use crate::gate::decide::Opponents;
use crate::gate::eval_context::Scene;
use crate::gate::incumbent::Opponent;
use crate::gate::search_queries;
use crate::gate::{baselines, holdout};
use crate::reports::window_lists::Limits;
use crate::runs::budget;
use crate::runs::budget::Rung;
use crate::runs::context::{Control, Ended};
use crate::runs::plan::Plan;
use crate::runs::record;
use crate::state::app::App;
use crate::state::dense_ids::Canon;
use crate::state::shop::View;
use crate::training::calibration;
use crate::training::component_selection;
use crate::training::data_fingerprint;
use crate::training::encoder_choice::{choose, embed, seconds_per_item, start_adapter};
use crate::training::encoder_tuning;
use crate::training::ranker_fit;
use crate::training::ranker_fit::Order;
use crate::training::sequence_fit::Networks;
use crate::training::settle::{Made, finish_interrupted, settle, write};
use crate::versions::canary;
use crate::versions::directory;
use crate::versions::embedded_catalogue;
use crate::versions::encoder_variant::Arm;
use crate::versions::encoders;

/// The whole cycle.
pub(crate) fn run(app: &App, plan: Plan, control: &Control<'_>) -> Result<(), Ended> {
    if finish_interrupted(app, &plan, control)? {
        return Ok(());
    }
    let Some(run) = crate::state::run_documents::current(app) else { return Ok(()) };
    control.phase(RunPhase::Examples, 0);
    let (whole, mut plan) = (app.view(), plan);
    plan.holdout = holdout::share(app, &whole, &plan);
    let view = holdout::without(app, &whole, plan.holdout);
    let mut canon = Canon::of(&view);
    let log = canon.log(&view.training_log());
    let plan = settle(app, &view, &log, control, plan)?;
    control.update(|run| run.cursor = Some(plan.cursor));
    let data = data_fingerprint::digest(app, &view, &canon, &plan, &run)?;
    if let Some(why) = data_fingerprint::nothing(app, &data)? {
        control.note(why);
        return Ok(());
    }
    let rung = Rung::at(plan.rung);
    let Encoders { plain, tuned } = encoders(app, (&view, &log), &plan, run.seed, control)?;

    control.phase(RunPhase::Memory, 0);
    let parts = component_selection::worth_making(app, rung, plan.sizes.events, control)?;
    let ruler = Arc::clone(&plain.encoder);
    if parts.network || view.model.network.is_some() {
        canon.set_texts(query_vectors::table(app, (&view, &whole.training_log()), &ruler, |_| control.check())?);
    }
    let catalogue = plain.catalogue(&canon)?;
    let memory = Arc::new(Memory::fit(&log, &catalogue, plan.cut, &MemoryOptions::default()));
    control.check()?;
    // The ranker's features are free of scale, so one that was trained beside the base's vectors serves beside tuned ones too; and
    // trained so it has not seen vectors that were fitted to its own labels.
    let mut networks = if parts.network { Some(Networks::new(&log, &catalogue, plan.cut, run.seed)?) } else { None };
    let beside = networks.as_mut().map(|networks| (networks, view.last_event));
    let replay =
        ReplayOptions { compared: true, ..ranker_fit::with_parts(rung.replay(run.seed), (parts.trees, parts.cold)) };
    let mut kept = Replayed::default();
    let made = ranker_fit::learn(control, (&log, &catalogue), plan.cut, &replay, beside, &mut kept)?;
    let order = made.unwrap_or_else(|| {
        control.note("no ranker: the budget was used up while it was trained; the blend's rule is judged");
        Order::default()
    });

    control.phase(RunPhase::Evaluation, 0);
    let limits = Limits { users: rung.judged, unwanted: &|| control.unwanted() };
    let scene = Scene { log: &log, memory: &memory, span: (plan.cut, plan.to), limits: &limits, control };
    let lists = |order: &Order| scene.judged(catalogue.clone(), order.policy());
    let cold = |ranker: &Ranker| scene.cold(catalogue.clone(), ranker);
    let (order, with_base) =
        component_selection::choose(order, control, &component_selection::Judges { lists: &lists, cold: &cold })?;
    let mut networks = networks.filter(|_| order.network.is_some());
    let asked = search_queries::collect(app, &view, &canon, &plan)?;
    let (arm, mut candidate) = choose(app, &view, control, (plain, with_base), tuned, &asked, |arm| {
        let catalogue = arm.catalogue(&canon)?;
        let mut judged = scene.judged(catalogue.clone(), order.policy())?;
        if let Some(ranker) = order.ranker.as_ref().filter(|ranker| ranker.has_cold()) {
            judged.cold = scene.cold(catalogue, ranker)?.ndcg;
        }
        Ok(judged)
    })?;

    let opponent = Opponent::of(app, (&view, &log), (&canon, &ruler), &plan, control)?;
    let theirs = opponent.judged((app, &view), &scene, (&arm, order.policy(), &mut candidate), &asked)?;
    control.check()?;
    let baselines = baselines::all((&log, &catalogue, &memory), scene.span, &limits, control)?;
    control.check()?;

    control.phase(RunPhase::Gate, 0);
    let refresh = opponent.is_refreshed_by(&arm, order.policy(), &plan);
    let opponents = Opponents { serving: (opponent.version(), &theirs), refresh, baselines: &baselines };
    let (gate, mut metrics) = decide::decide(app, (&run.id, run.seed), scene.span, &candidate, &opponents)?;
    control.note(format!("gate: {:?}: {}", gate.verdict, gate.reason));
    control.update(|run| run.gate = Some(gate.clone()));
    control.check()?;
    let passed = gate.verdict == GateVerdict::Promote;
    if holdout::due(app, &plan, passed)? {
        let held = canon.log(&holdout::log(app, &whole, plan.holdout));
        let scene = Scene { log: &held, ..scene };
        let (mine, theirs) = (scene.judged(arm.catalogue(&canon)?, order.policy())?, opponent.as_served(&scene)?);
        metrics.extend(holdout::report(control, run.seed, (opponent.version(), opponent.seen), &mine, &theirs));
    }

    let probabilities = match &order.ranker {
        Some(ranker) => {
            let snapshot = scene.snapshot(arm.catalogue(&canon)?);
            let (fitted, worth) = calibration::fit(&snapshot, plan.to, ranker, &limits, (run.seed, control))?;
            metrics.extend(worth);
            Some(fitted)
        }
        None => None,
    };

    let replay = order.replay(rung, run.seed);
    let everything = (&log, &catalogue, view.last_event);
    let last = if passed { again(control, everything, &replay, (&order, networks.as_mut()), &mut kept)? } else { None };
    drop(kept);
    let until = if last.is_some() { view.last_event } else { plan.cut };
    control.check()?;
    let ids = canon.ids(&view);
    control.update(|run| run.record.metrics = metrics.clone());
    let made = Made { gate, metrics, until, seed: run.seed, holdout: plan.holdout, probabilities, ids };
    let model = write(app, &view, &plan, made, (ruler, &arm), (&order, last.as_ref()))?;
    let name = model.meta.version.clone();
    control.update(|run| run.model = Some(name.clone()));
    app.tell(EventKind::Model(Box::new(model.meta.clone())));
    component_selection::note(app, parts, &order, plan.sizes.events)?;
    data_fingerprint::note(app, data, &run.id, &name)?;
    if passed && plan.request.promote.unwrap_or(app.config.train.promote) {
        control.phase(RunPhase::Promotion, 0);
        // Items may have come since; those that are known cost a look-up.
        let embedded = embedded_catalogue::embed_catalogue(app, &arm.encoder, |_| control.check())?;
        control.note(canary::put_to_work(app, model, &embedded)?);
    }
    directory::prune(app);
    Ok(())
}

/// The encoders of a cycle.
struct Encoders {
    /// The base with the catalogue under it.
    plain: Arm,
    /// The tuned encoder, where there was something to learn and time for it.
    tuned: Option<Arm>,
}

fn encoders(
    app: &App,
    (view, log): (&View, &Log),
    plan: &Plan,
    seed: u64,
    control: &Control<'_>,
) -> Result<Encoders, Ended> {
    let (name, sha256) = encoders::active_encoder(&app.store)?;
    let base = encoders::base(&app.config.state, &name, &sha256)?;
    record::cycle(control, log, plan, &base);
    let plain = embed(app, base.clone(), None, 0.0, control)?.ok_or_else(|| {
        Ended::Nothing("the budget was used up while the catalogue was embedded: nothing could be judged".to_owned())
    })?;
    let plain = plain.in_the_way_of(&view.model);
    let wanted = plan.request.encoder.unwrap_or(true);
    let tuned = if wanted { tuned(app, view, plan, seed, (&base, &plain), control)? } else { None };
    Ok(Encoders { plain, tuned })
}

fn tuned(
    app: &App,
    view: &View,
    plan: &Plan,
    seed: u64,
    (base, plain): (&Checkpoint, &Arm),
    control: &Control<'_>,
) -> Result<Option<Arm>, Ended> {
    let behind = Rung::at(plan.rung).seconds(&plan.sizes);
    let embedding = seconds_per_item(app, view, &plain.encoder)? * view.items.len() as f64;
    let Some(seconds) = budget::encoder(control.left(), behind, embedding) else {
        control.note(format!(
            "no time for the encoder: {:.0} s are left, the rest of the cycle takes about {behind:.0} s and embedding the \
             catalogue again {embedding:.0} s",
            control.left()
        ));
        return Ok(None);
    };
    let method = encoder_tuning::method(plan.request.tuning.unwrap_or(app.config.train.tuning));
    let start = start_adapter(app, plan, (base, &method), control)?;
    let learned = encoder_tuning::train(app, view, (base, start.as_ref(), method), plan, (seed, seconds), control)?;
    let Some((checkpoint, adapter)) = learned else { return Ok(None) };
    let tuned = embed(app, checkpoint, Some(adapter), 0.5 * behind, control)?;
    if tuned.is_none() {
        control.note("the tuned encoder is left out: embedding the catalogue with it would have used up the budget");
    }
    Ok(tuned)
}

/// What serves, made again with the same configuration from everything; `None` where the budget does not allow that: then what was
/// judged serves.
fn again(
    control: &Control<'_>,
    (log, catalogue, until): (&Log, &Catalogue, i64),
    replay: &ReplayOptions,
    (judged, networks): (&Order, Option<&mut Networks>),
    kept: &mut Replayed,
) -> Result<Option<Order>, Ended> {
    let left = control.left();
    let missing = kept.missing(log, until, replay, networks.is_some());
    let trees = replay.trees.map(|trees| trees.is_some());
    let takes = judged.spent.again(ranker_fit::Again { missing, network: networks.is_some(), trees });
    let beside = networks.map(|networks| (networks, until));
    let last =
        if left < takes { None } else { ranker_fit::learn(control, (log, catalogue), until, replay, beside, kept)? };
    control.note(if last.is_some() {
        "made again with the same configuration from everything up to the last interaction; the adapter stays".to_owned()
    } else {
        format!(
            "what was judged serves: with {left:.0} s left of the budget it cannot be made again from everything, which takes \
             about {takes:.0} s"
        )
    });
    Ok(last)
}
