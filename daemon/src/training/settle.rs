//! What a run sets out to do and how it is written down at its end: the borders of its windows, the version it makes, and what an
//! interruption left to be done.

use std::sync::Arc;

use mercer_learn::Adapter;
use mercer_model::BertEncoder;
use mercer_rank::{BlendWeights, Log, RankerTrainOptions, cutoffs};
use mercer_shared::ids::ItemId;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{DataSnapshot, GateReport, GateVerdict, MetricValue, ModelState, ModelVersion, RunPhase};

use crate::runs::budget;
use crate::runs::budget::CycleSizes;
use crate::runs::context::{RunContext, RunExit, failed};
use crate::runs::plan::Plan;
use crate::state::app::App;
use crate::state::artifacts::Artifacts;
use crate::state::probabilities::Probabilities;
use crate::state::sequence::artifact::SequenceArtifact;
use crate::state::shop::ShopState;
use crate::state::shop::model::Model;
use crate::training::borders::{bordered, written};
use crate::training::ranker_fit::FittedRanker;
use crate::versions::canary;
use crate::versions::directory;
use crate::versions::directory::{VersionEncoders, VersionStore};
use crate::versions::embedded_catalogue;
use crate::versions::encoder_variant::EncoderVariant;
use crate::versions::load;
use crate::versions::registry;

/// A run that was interrupted after its version was written has only the promotion left. Whether that was so.
pub(crate) fn finish_interrupted(app: &App, plan: &Plan, context: &RunContext<'_>) -> Result<bool, RunExit> {
    let made = registry::list(app)?.items.into_iter().find(|model| model.run.as_ref() == Some(&plan.run));
    let Some(model) = made else { return Ok(false) };
    let name = model.version.clone();
    context.note(format!("{name} was written before the interruption"));
    let gate = model.gate.clone();
    let passed = gate.as_ref().is_some_and(|gate| gate.verdict == GateVerdict::Promote);
    context.update(|run| (run.model, run.gate) = (Some(name.clone()), gate));
    let wanted = plan.request.promote.unwrap_or(app.config.train.promote);
    if passed && wanted && model.state == ModelState::Candidate {
        context.phase(RunPhase::Promotion, 0);
        let loaded = load::load(&app.config.state, model)?;
        let embedded = embedded_catalogue::embed_catalogue(app, &loaded.encoder, |_| context.check())?;
        context.note(canary::put_to_work(app, loaded, &embedded)?);
    }
    directory::prune(app);
    Ok(true)
}

/// The plan of a cycle with its borders and what the budget allows, written down before anything is computed.
pub(crate) fn settle(
    app: &App,
    view: &ShopState,
    log: &Log,
    context: &RunContext<'_>,
    plan: Plan,
) -> Result<Plan, RunExit> {
    if plan.cursor > 0 {
        return Ok(plan);
    }
    let (mut plan, back) = bordered(view, log, plan)?;
    plan.sizes = CycleSizes {
        events: log.len(),
        items: view.items.len(),
        back,
        cutoffs: cutoffs(log, plan.cut, RankerTrainOptions::default().cutoffs).0.len(),
    };
    plan.tier = budget::step(context.budget(), &plan.sizes, plan.request.encoder.unwrap_or(true));
    if let Some(cut) = budget::cut(plan.tier, context.budget(), &plan.sizes) {
        context.note(cut);
    }
    written(app, plan)
}

/// What a version says of its making.
pub(crate) struct VersionRecord {
    pub(crate) gate: GateReport,
    pub(crate) metrics: Vec<MetricValue>,
    /// Latest moment that it knows.
    pub(crate) until: i64,
    pub(crate) seed: u64,
    /// Share of the shoppers that were held out.
    pub(crate) holdout: f64,
    /// What makes probabilities of the ranker's scores.
    pub(crate) probabilities: Option<Probabilities>,
    /// Ids of the items in the order of the cycle's numbers.
    pub(crate) ids: Arc<[ItemId]>,
}

/// Writes the version: what would serve, and beside it the ranker that was judged.
pub(crate) fn write(
    app: &App,
    view: &ShopState,
    plan: &Plan,
    made: VersionRecord,
    (base_encoder, variant): (Arc<BertEncoder>, &EncoderVariant),
    (judged, last): (&FittedRanker, Option<&FittedRanker>),
) -> Result<Model, RunExit> {
    let shape = view.rank.log.summary(made.until);
    let serving = last.unwrap_or(judged);
    let adapter = variant.adapter.as_ref().map(Adapter::to_bytes).transpose().map_err(|e| failed(&e))?;
    let digest = adapter.as_ref().map(|bytes| blake3::hash(bytes).to_hex().to_string());
    let weights = serving.ranker.as_ref().map(|ranker| ranker.blend.clone()).or_else(|| serving.blend.clone());
    let weights = weights.unwrap_or_else(|| BlendWeights::for_index(&view.rank.index));
    let named = |list: &[(mercer_rank::Source, f32)]| {
        list.iter().map(|(source, weight)| (source.name().to_owned(), f64::from(*weight))).collect()
    };
    let passed = made.gate.verdict == GateVerdict::Promote;
    let meta = ModelVersion {
        state: if passed { ModelState::Candidate } else { ModelState::Rejected },
        parent: Some(plan.parent.clone()),
        run: Some(plan.run.clone()),
        encoder: directory::encoder_ref(base_encoder.checkpoint(), digest),
        blend: [("repeat".to_owned(), named(&weights.all)), ("new".to_owned(), named(&weights.novel))].into(),
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
        ..directory::draft(Timestamp::now())
    };
    let sequence = |fitted: &FittedRanker| {
        let model = fitted.network.as_deref()?;
        Some(Arc::new(SequenceArtifact::new(model.clone(), Arc::clone(&made.ids))))
    };
    let artifacts = Artifacts {
        adapter: adapter.map(Into::into),
        whitening: variant.whitening(),
        blend: serving.blend.clone(),
        ranker: serving.ranker.clone().map(Arc::new),
        sequence: sequence(serving),
        probabilities: made.probabilities.clone().map(Arc::new),
        judged_ranker: judged.ranker.clone().map(Arc::new),
        judged_sequence: sequence(judged),
    };
    let encoders = VersionEncoders { encoder: Arc::clone(&variant.encoder), base_encoder };
    let versions = VersionStore { store: &app.store, state: &app.config.state };
    Ok(directory::write(versions, meta, encoders, artifacts)?)
}
