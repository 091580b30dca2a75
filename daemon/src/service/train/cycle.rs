//! One cycle: examples, encoder, embedding, memory and ranker, evaluation on later interactions, gate, promotion.
//!
//! Everything that is judged was made from interactions up to the cut-off, the beginning of the last window of the log. What then
//! serves is made again with the same configuration from everything, the adapter excepted: it stays as it was judged.

use std::sync::Arc;

use mercer_learn::Adapter;
use mercer_model::{BertEncoder, Checkpoint, Encoder};
use mercer_rank::{
    BlendWeights, Catalogue, DAY_MS, Log, Memory, MemoryOptions, RankError, Ranker, ReplayOptions, Snapshot, Vectors,
    refit_weights, train_ranker,
};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{
    DataSnapshot, EventKind, GateReport, GateVerdict, MetricValue, ModelState, ModelVersion, RunPhase,
};
use mercer_store::DocKind;

use super::judge::{Judged, Opponents};
use super::{Control, Ended, PLAN, Plan, baselines, encoder, failed, judge, queries, record};
use crate::app::{App, model_problem, store_problem};
use crate::service::evaluation::window;
use crate::service::models::{self, Embedded, Parts};
use crate::world::{Model, View};

/// Shoppers with queries from which on the encoder's worth for search is weighed.
const MIN_SEARCHERS: usize = 30;

/// An encoder with the catalogue under it.
pub(super) struct Arm {
    pub(super) encoder: Arc<BertEncoder>,
    pub(super) embedded: Embedded,
    /// None for the base as it is.
    pub(super) adapter: Option<Adapter>,
}

impl Arm {
    fn version(&self) -> &str {
        &self.encoder.identity().version
    }

    /// A catalogue with this encoder's vectors.
    pub(super) fn catalogue(&self, view: &View) -> Result<Catalogue, Ended> {
        let mut rows = Vectors::new(self.encoder.dim());
        for (number, row) in &self.embedded.rows {
            rows.set(*number, Arc::clone(row)).map_err(|e| failed(&e))?;
        }
        let mut catalogue = view.rank.catalogue.clone();
        catalogue.set_vectors(Some(rows));
        Ok(catalogue)
    }
}

/// What orders lists: the ranker, or a blend where the log is too short for one.
pub(super) struct Order {
    pub(super) ranker: Option<Ranker>,
    pub(super) blend: Option<BlendWeights>,
}

/// The whole cycle.
pub(super) fn run(app: &App, plan: Plan, control: &mut Control<'_>) -> Result<(), Ended> {
    if finish_interrupted(app, &plan, control)? {
        return Ok(());
    }
    let Some(run) = super::current(app) else { return Ok(()) };
    let view = app.view();
    control.phase(RunPhase::Examples, 0);
    let log = view.training_log();
    let Some(plan) = settle(app, &view, &log, plan)? else {
        too_short(control);
        return Ok(());
    };
    control.update(|run| run.cursor = Some(plan.cursor));
    let (name, sha256) = models::active_encoder(&app.store)?;
    let base = models::base(&app.config.state, &name, &sha256)?;
    record::cycle(control, &log, &plan, &base);

    let tuned = if plan.request.encoder.unwrap_or(true) {
        let start = start_adapter(app, &plan, &base, control)?;
        encoder::train(app, &view, (&base, start.as_ref()), &plan, run.seed, control)?
    } else {
        None
    };
    let plain = embed(app, base.clone(), None, control)?;
    let tuned = tuned.map(|(checkpoint, adapter)| embed(app, checkpoint, Some(adapter), control)).transpose()?;

    control.phase(RunPhase::Memory, 0);
    let memory = Arc::new(Memory::fit(&log, &view.rank.catalogue, plan.cut, &MemoryOptions::default()));
    control.check()?;
    // The ranker's features are free of scale, so one that was trained beside the base's vectors serves beside tuned ones too; and
    // trained so it has not seen vectors that were fitted to its own labels.
    let catalogue = plain.catalogue(&view)?;
    let order = learn_order(control, &log, &catalogue, plan.cut)?;
    control.check()?;

    control.phase(RunPhase::Evaluation, 0);
    let span = (plan.cut, plan.to);
    let judged = |catalogue: Catalogue, ranker: Option<&Ranker>, blend: Option<&BlendWeights>| {
        let snapshot = Snapshot { log: log.clone(), catalogue, memory: Arc::clone(&memory) };
        judge::judge(&snapshot, span, ranker, blend)
    };
    let with_base = judged(catalogue.clone(), order.ranker.as_ref(), order.blend.as_ref())?;
    let asked = queries::collect(app, &view, &plan)?;
    let (arm, mut candidate) = choose(app, &view, control, (plain, with_base), tuned, &asked, |arm| {
        judged(arm.catalogue(&view)?, order.ranker.as_ref(), order.blend.as_ref()).map_err(Ended::from)
    })?;

    let serving = &view.model;
    // The view may be older than the embedding of its newest items: the serving encoder's catalogue is made whole for a fair match.
    let serving_arm = Arm {
        encoder: Arc::clone(&serving.encoder),
        embedded: models::embed_catalogue(app, &serving.encoder, |_| control.check())?,
        adapter: None,
    };
    let serving_catalogue = serving_arm.catalogue(&view)?;
    let seen = serving.meta.data.to.is_some_and(|to| to.millis() > plan.cut);
    let same = arm.version() == serving.encoder_version()
        && order.ranker.is_some() == serving.ranker.is_some()
        && order.blend.is_some() == serving.blend.is_some();
    let mut opponent = if seen && same {
        control.note(
            "the serving version has this very configuration and knows this window: the candidate is a refresh of it",
        );
        candidate.clone()
    } else if seen {
        control.note("the serving version knows this window, so its configuration is judged as made up to the cut-off");
        let ranker = serving.ranker.as_ref().and(order.ranker.as_ref());
        judged(serving_catalogue, ranker, None)?
    } else {
        judged(serving_catalogue, serving.ranker.as_deref(), serving.blend.as_ref())?
    };
    if asked.users() >= MIN_SEARCHERS && arm.version() != serving.encoder_version() {
        let row = |n: u32| serving_arm.embedded.rows.get(&n).map(|row| &**row);
        opponent.search = asked.judge(app, &view, &serving.encoder, &row, control)?;
    } else {
        candidate.search.clear();
    }
    control.check()?;
    let baselines = baselines::all(&view, &log, &memory, span, control)?;
    control.check()?;

    control.phase(RunPhase::Gate, 0);
    let refresh = seen && same && plan.cursor > serving.meta.data.cursor;
    let version = serving.meta.version.clone();
    let opponents = Opponents { serving: (&version, &opponent), refresh, baselines: &baselines };
    let (gate, metrics) = judge::decide(app, run.seed, span, &candidate, &opponents)?;
    control.note(format!("gate: {:?}: {}", gate.verdict, gate.reason));
    control.update(|run| (run.gate, run.record.metrics) = (Some(gate.clone()), metrics.clone()));

    control.check()?;
    control.phase(RunPhase::Memory, 0);
    let passed = gate.verdict == GateVerdict::Promote;
    let until = if passed { view.last_event } else { plan.cut };
    let last = if passed {
        control.note(
            "made again with the same configuration from everything up to the last interaction; the adapter stays",
        );
        Some(learn_order(control, &log, &catalogue, until)?)
    } else {
        None
    };
    control.check()?;
    let made = Made { gate, metrics, until, seed: run.seed };
    let model = write(app, &view, &plan, made, &base, &arm, (&order, last.as_ref()))?;
    let name = model.meta.version.clone();
    control.update(|run| run.model = Some(name.clone()));
    app.tell(EventKind::Model(Box::new(model.meta.clone())));
    if passed && plan.request.promote.unwrap_or(app.config.train.promote) {
        control.phase(RunPhase::Promotion, 0);
        // Items may have come since; those that are known cost a look-up.
        let embedded = models::embed_catalogue(app, &arm.encoder, |_| control.check())?;
        models::install(app, model, &embedded)?;
        app.audit(None, "promote", &name, "passed the gate");
        control.note(format!("{name} serves"));
    }
    models::prune(app);
    Ok(())
}

/// A run that was interrupted after its version was written has only the promotion left. Whether that was so.
fn finish_interrupted(app: &App, plan: &Plan, control: &mut Control<'_>) -> Result<bool, Ended> {
    let made = models::list(app)?.items.into_iter().find(|model| model.run.as_ref() == Some(&plan.run));
    let Some(model) = made else { return Ok(false) };
    let name = model.version.clone();
    control.note(format!("{name} was written before the interruption"));
    let gate = model.gate.clone();
    let passed = gate.as_ref().is_some_and(|gate| gate.verdict == GateVerdict::Promote);
    control.update(|run| (run.model, run.gate) = (Some(name.clone()), gate));
    let wanted = plan.request.promote.unwrap_or(app.config.train.promote);
    if passed && wanted && model.state == ModelState::Candidate {
        control.phase(RunPhase::Promotion, 0);
        models::promote(app, &name)?;
        app.audit(None, "promote", &name, "passed the gate");
        control.note(format!("{name} serves"));
    }
    models::prune(app);
    Ok(true)
}

/// The plan with its borders, written down before anything is computed; one that has them stays. `None` for a log shorter than
/// two windows.
pub(super) fn settle(app: &App, view: &View, log: &Log, mut plan: Plan) -> Result<Option<Plan>, Ended> {
    if plan.cursor > 0 {
        return Ok(Some(plan));
    }
    let Some((cut, to)) = window(log, view.last_event) else { return Ok(None) };
    let serving = &view.model.meta;
    let learned = serving.gate.as_ref().filter(|_| serving.encoder.adapter.is_some());
    plan.cursor = view.last_seq;
    (plan.cut, plan.to) = (cut, to);
    plan.since = learned.map_or(i64::MIN, |gate| gate.from.millis());
    plan.parent.clone_from(&serving.version);
    app.store.put_doc(DocKind::Setting, PLAN, &plan).map_err(|e| store_problem(&e))?;
    Ok(Some(plan))
}

fn too_short(control: &mut Control<'_>) {
    control.note("the log is shorter than two windows: nothing could be judged, so nothing is trained");
    let gate = GateReport {
        verdict: GateVerdict::InsufficientData,
        reason: "the log is shorter than two windows".to_owned(),
        from: Timestamp::default(),
        to: Timestamp::default(),
        users: 0,
        alpha: 0.0,
        minimum_detectable: None,
        comparisons: Vec::new(),
    };
    control.update(|run| run.gate = Some(gate));
}

/// The serving version's adapter, where it was made for this base: training goes on from there, with replay against forgetting.
fn start_adapter(
    app: &App,
    plan: &Plan,
    base: &Checkpoint,
    control: &mut Control<'_>,
) -> Result<Option<Adapter>, Ended> {
    let Some(parent) = app.store.get_model(&plan.parent).map_err(|e| store_problem(&e))? else { return Ok(None) };
    if parent.encoder.name != base.identity.name || parent.encoder.sha256 != base.identity.sha256 {
        return Ok(None);
    }
    let adapter = models::adapter(&app.config.state, &parent)?;
    if let Some(adapter) = &adapter {
        control.note(format!("the encoder goes on from {} after {} steps", plan.parent, adapter.meta.steps));
    }
    Ok(adapter)
}

pub(super) fn embed(
    app: &App,
    checkpoint: Checkpoint,
    adapter: Option<Adapter>,
    control: &mut Control<'_>,
) -> Result<Arm, Ended> {
    control.check()?;
    control.phase(RunPhase::Embedding, app.view().items.len() as u64);
    let encoder = Arc::new(BertEncoder::on_best_device(checkpoint).map_err(|e| model_problem(&e))?);
    let started = std::time::Instant::now();
    let embedded = models::embed_catalogue(app, &encoder, |done| {
        let pace = done as f64 / started.elapsed().as_secs_f64().max(1e-3);
        control.update(|run| {
            run.step = done as u64;
            run.items_per_second = Some(pace);
            run.eta_seconds = Some(run.steps.saturating_sub(done as u64) as f64 / pace.max(1e-3));
        });
        control.check()
    })?;
    Ok(Arm { encoder, embedded, adapter })
}

/// A ranker from events up to a moment; where the log is too short for one, weights of the blend fitted on the windows there
/// are; where there is none, the rule that reads the log.
pub(super) fn learn_order(
    control: &mut Control<'_>,
    log: &Log,
    catalogue: &Catalogue,
    until: i64,
) -> Result<Order, Ended> {
    match train_ranker(log, catalogue, until, &ReplayOptions::default()) {
        Ok((ranker, report)) => {
            control.update(|run| record::curves(&mut run.record, &report));
            control.note(format!(
                "ranker: {} cut-offs, windows of {} days, {}, {} and {} lists for any, unseen and cold items",
                report.cutoffs.len(),
                report.window_days,
                report.lists[0],
                report.lists[1],
                report.lists[2]
            ));
            Ok(Order { ranker: Some(ranker), blend: None })
        }
        Err(RankError::TooLittle(why)) => {
            let blend = refitted(log, catalogue, until);
            let what = if blend.is_some() { "weights of the blend were fitted" } else { "the blend's rule serves" };
            control.note(format!("no ranker: {why}; {what}"));
            Ok(Order { ranker: None, blend })
        }
        Err(error) => Err(failed(&error)),
    }
}

/// Weights fitted on the last windows that end by `until` and have a window of history before them.
fn refitted(log: &Log, catalogue: &Catalogue, until: i64) -> Option<BlendWeights> {
    let shape = log.shape(until);
    let width = shape.window_days() * DAY_MS;
    let cutoffs: Vec<i64> = (1..=2).map(|n| until - n * width).filter(|cut| cut - shape.first >= width).collect();
    (!cutoffs.is_empty()).then(|| refit_weights(log, catalogue, &cutoffs, &MemoryOptions::default()).0)
}

/// The tuned encoder where it pays on the window, for lists and for search together; else the base.
fn choose(
    app: &App,
    view: &View,
    control: &mut Control<'_>,
    (plain, mut with_base): (Arm, Judged),
    tuned: Option<Arm>,
    asked: &queries::Asked,
    judged: impl Fn(&Arm) -> Result<Judged, Ended>,
) -> Result<(Arm, Judged), Ended> {
    let searchers = asked.users();
    let search = |arm: &Arm, control: &Control<'_>| {
        let row = |n: u32| arm.embedded.rows.get(&n).map(|row| &**row);
        if searchers >= MIN_SEARCHERS { asked.judge(app, view, &arm.encoder, &row, control) } else { Ok(Vec::new()) }
    };
    with_base.search = search(&plain, control)?;
    let Some(tuned) = tuned else { return Ok((plain, with_base)) };
    let mut with_tuned = judged(&tuned)?;
    with_tuned.search = search(&tuned, control)?;
    let lists = with_tuned.lists() - with_base.lists();
    let found = with_tuned.searches() - with_base.searches();
    control.note(format!(
        "fine-tuned encoder against its base: NDCG@10 of lists {lists:+.4}, of {searchers} searching shoppers {found:+.4}"
    ));
    if lists + found > 0.0 {
        return Ok((tuned, with_tuned));
    }
    control.note("the base encoder is kept: tuning did not pay on this window");
    Ok((plain, with_base))
}

struct Made {
    gate: GateReport,
    metrics: Vec<MetricValue>,
    until: i64,
    seed: u64,
}

/// Writes the version: what would serve, and beside it the ranker that was judged.
fn write(
    app: &App,
    view: &View,
    plan: &Plan,
    made: Made,
    base: &Checkpoint,
    arm: &Arm,
    (judged, last): (&Order, Option<&Order>),
) -> Result<Model, Ended> {
    let stamp = |at: i64| Timestamp::default().plus_millis(at);
    let shape = view.rank.log.shape(made.until);
    let serving = last.unwrap_or(judged);
    let adapter = arm.adapter.as_ref().map(Adapter::to_bytes).transpose().map_err(|e| failed(&e))?;
    let digest = adapter.as_ref().map(|bytes| blake3::hash(bytes).to_hex().to_string());
    let weights = serving.ranker.as_ref().map(|ranker| ranker.blend.clone()).or_else(|| serving.blend.clone());
    let weights = weights.unwrap_or_else(|| BlendWeights::for_memory(&view.rank.memory));
    let named = |list: &[(mercer_rank::Source, f32)]| {
        list.iter().map(|(source, weight)| (source.name().to_owned(), f64::from(*weight))).collect()
    };
    let passed = made.gate.verdict == GateVerdict::Promote;
    let meta = ModelVersion {
        state: if passed { ModelState::Candidate } else { ModelState::Rejected },
        parent: Some(plan.parent.clone()),
        run: Some(plan.run.clone()),
        encoder: models::encoder_ref(base, digest),
        blend: [("repeat".to_owned(), named(&weights.any)), ("new".to_owned(), named(&weights.unseen))].into(),
        metrics: made.metrics,
        gate: Some(made.gate),
        data: DataSnapshot {
            interactions: shape.counts.iter().sum(),
            cursor: plan.cursor,
            from: Some(stamp(shape.first)),
            to: Some(stamp(made.until)),
            consent_rule: "shoppers without consent to training are left out".to_owned(),
        },
        seed: made.seed,
        ..models::draft(Timestamp::now())
    };
    let parts = Parts {
        adapter,
        ranker: serving.ranker.as_ref(),
        judged: judged.ranker.as_ref(),
        blend: serving.blend.as_ref(),
    };
    let encoder = Arc::clone(&arm.encoder);
    Ok(models::write(&app.store, &app.config.state, meta, encoder, &base.identity.version, &parts)?)
}
