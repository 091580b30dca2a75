//! What a run sets out to do and how it is written down at its end: the borders of its windows, the version it makes, and what an
//! interruption left to be done.

use std::sync::Arc;

use mercer_learn::Adapter;
use mercer_model::BertEncoder;
use mercer_rank::{BlendWeights, Log, ReplayOptions, cutoffs};
use mercer_shared::ids::ItemId;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{DataSnapshot, GateReport, GateVerdict, MetricValue, ModelState, ModelVersion, RunPhase};
use mercer_store::DocKind;

use super::arms::Arm;
use super::budget::{self, Sizes};
use super::order::Order;
use super::{Control, Ended, PLAN, Plan, failed};
use crate::app::{App, store_problem};
use crate::probabilities::Probabilities;
use crate::sequence::Serving;
use crate::service::canary;
use crate::service::evaluation::window;
use crate::service::models::{self, Parts};
use crate::world::{Model, View};

/// A run that was interrupted after its version was written has only the promotion left. Whether that was so.
pub(super) fn finish_interrupted(app: &App, plan: &Plan, control: &Control<'_>) -> Result<bool, Ended> {
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
        let loaded = models::load(&app.config.state, model)?;
        let embedded = models::embed_catalogue(app, &loaded.encoder, |_| control.check())?;
        control.note(canary::put_to_work(app, loaded, &embedded)?);
    }
    models::prune(app);
    Ok(true)
}

/// The plan with its borders and the shoppers who came back between them; one that has borders stays. Without a window that
/// something could be judged on there is nothing to be had from a run.
fn bordered(view: &View, log: &Log, mut plan: Plan) -> Result<(Plan, usize), Ended> {
    let nothing = |why: &str| Ended::Nothing(format!("{why}: nothing could be judged, so nothing is trained"));
    let (cut, to) = window(log, view.last_event).ok_or_else(|| nothing("the log is shorter than two windows"))?;
    let back = came_back(log, cut, to);
    if back == 0 {
        return Err(nothing("nobody who had bought before came back in the last window"));
    }
    let serving = &view.model.meta;
    let learned = serving.gate.as_ref().filter(|_| serving.encoder.adapter.is_some());
    plan.cursor = view.last_seq;
    (plan.cut, plan.to) = (cut, to);
    plan.since = learned.map_or(i64::MIN, |gate| gate.from.millis());
    plan.parent.clone_from(&serving.version);
    Ok((plan, back))
}

fn written(app: &App, plan: Plan) -> Result<Plan, Ended> {
    app.store.put_doc(DocKind::Setting, PLAN, &plan).map_err(|e| store_problem(&e))?;
    Ok(plan)
}

/// The borders of a run, written down before anything is computed.
pub(super) fn borders(app: &App, view: &View, log: &Log, plan: Plan) -> Result<Plan, Ended> {
    if plan.cursor > 0 { Ok(plan) } else { written(app, bordered(view, log, plan)?.0) }
}

/// The plan of a cycle with its borders and what the budget allows, written down before anything is computed.
pub(super) fn settle(app: &App, view: &View, log: &Log, control: &Control<'_>, plan: Plan) -> Result<Plan, Ended> {
    if plan.cursor > 0 {
        return Ok(plan);
    }
    let (mut plan, back) = bordered(view, log, plan)?;
    plan.sizes = Sizes {
        events: log.len(),
        items: view.items.len(),
        back,
        cutoffs: cutoffs(log, plan.cut, ReplayOptions::default().cutoffs).0.len(),
    };
    plan.rung = budget::step(control.budget(), &plan.sizes, plan.request.encoder.unwrap_or(true));
    if let Some(cut) = budget::cut(plan.rung, control.budget(), &plan.sizes) {
        control.note(cut);
    }
    written(app, plan)
}

/// Shoppers with what is to be predicted both before the cut-off and in the window behind it.
fn came_back(log: &Log, cut: i64, to: i64) -> usize {
    let target = log.shape(cut).target;
    let took = |events: &[mercer_rank::Event]| events.iter().any(|event| event.kind == target);
    let users = 0..log.users() as u32;
    users.filter(|&user| took(log.until(user, cut)) && took(log.between(user, cut, to))).count()
}

/// A gate's report where there was nothing to hold a gate over.
pub(super) fn no_verdict(reason: String) -> GateReport {
    GateReport {
        verdict: GateVerdict::InsufficientData,
        reason,
        from: Timestamp::default(),
        to: Timestamp::default(),
        users: 0,
        alpha: 0.0,
        minimum_detectable: None,
        comparisons: Vec::new(),
        spending: None,
    }
}

/// What a version says of its making.
pub(super) struct Made {
    pub(super) gate: GateReport,
    pub(super) metrics: Vec<MetricValue>,
    /// Latest moment that it knows.
    pub(super) until: i64,
    pub(super) seed: u64,
    /// Share of the shoppers that were held out.
    pub(super) holdout: f64,
    /// What makes probabilities of the ranker's scores.
    pub(super) probabilities: Option<Probabilities>,
    /// Ids of the items in the order of the cycle's numbers.
    pub(super) ids: Arc<[ItemId]>,
}

/// Writes the version: what would serve, and beside it the ranker that was judged.
pub(super) fn write(
    app: &App,
    view: &View,
    plan: &Plan,
    made: Made,
    (ruler, arm): (Arc<BertEncoder>, &Arm),
    (judged, last): (&Order, Option<&Order>),
) -> Result<Model, Ended> {
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
        encoder: models::encoder_ref(ruler.checkpoint(), digest),
        blend: [("repeat".to_owned(), named(&weights.any)), ("new".to_owned(), named(&weights.unseen))].into(),
        metrics: made.metrics,
        gate: Some(made.gate),
        data: DataSnapshot {
            interactions: shape.counts.iter().sum(),
            cursor: plan.cursor,
            from: Some(Timestamp::at(shape.first)),
            to: Some(Timestamp::at(made.until)),
            consent_rule: if made.holdout > 0.0 {
                format!("shoppers without consent to training and {:.1} % held out are left out", 100.0 * made.holdout)
            } else {
                "shoppers without consent to training are left out".to_owned()
            },
        },
        seed: made.seed,
        ..models::draft(Timestamp::now())
    };
    let parts = Parts {
        adapter,
        ranker: serving.ranker.as_ref(),
        judged: judged.ranker.as_ref(),
        blend: serving.blend.as_ref(),
        whitening: arm.whitening(),
        probabilities: made.probabilities.as_ref(),
        networks: [serving, judged].map(|order| {
            let network = order.network.as_deref()?;
            Some(Arc::new(Serving::new(network.clone(), Arc::clone(&made.ids))))
        }),
    };
    let encoders = (Arc::clone(&arm.encoder), ruler);
    Ok(models::write((&app.store, &app.config.state), meta, encoders, &parts)?)
}
