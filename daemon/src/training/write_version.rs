//! Writes the version of a cycle: the serving artifacts, and the ranker that the gate evaluated.

use std::sync::Arc;

use mercer_learn::Adapter;
use mercer_model::BertEncoder;
use mercer_rank::BlendWeights;
use mercer_shared::ids::ItemId;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{DataSnapshot, GateReport, GateVerdict, MetricValue, ModelState, ModelVersion};

use crate::runs::context::{RunExit, failed};
use crate::runs::plan::Plan;
use crate::state::app::App;
use crate::state::artifacts::Artifacts;
use crate::state::probabilities::Probabilities;
use crate::state::sequence::artifact::SequenceArtifact;
use crate::state::shop::ShopState;
use crate::state::shop::model::Model;
use crate::training::ranker_fit::FittedRanker;
use crate::versions::directory;
use crate::versions::directory::{VersionEncoders, VersionStore};
use crate::versions::encoder_variant::EncoderVariant;
use crate::versions::knowledge;

/// A version to write.
pub(crate) struct NewVersion<'a> {
    pub(crate) gate: GateReport,
    pub(crate) metrics: Vec<MetricValue>,
    /// Latest moment that it knows.
    pub(crate) until: i64,
    pub(crate) seed: u64,
    /// The calibration of the ranker's probabilities.
    pub(crate) probabilities: Option<Probabilities>,
    /// Ids of the items in the order of the cycle's numbers.
    pub(crate) ids: Arc<[ItemId]>,
    /// The encoder as it came.
    pub(crate) base_encoder: Arc<BertEncoder>,
    /// The encoder that serves.
    pub(crate) variant: &'a EncoderVariant,
    /// The ranker that the gate compared.
    pub(crate) judged: &'a FittedRanker,
    /// The ranker that serves.
    pub(crate) serving: &'a FittedRanker,
}

/// Writes a version.
pub(crate) fn write(app: &App, view: &ShopState, plan: &Plan, made: NewVersion<'_>) -> Result<Model, RunExit> {
    let NewVersion { variant, judged, serving, base_encoder, .. } = made;
    let summary = view.rank.log.summary(made.until);
    let adapter = variant.adapter.as_ref().map(Adapter::to_bytes).transpose().map_err(|e| failed(&e))?;
    let digest = adapter.as_ref().map(|bytes| blake3::hash(bytes).to_hex().to_string());
    let weights = serving.ranker.as_ref().map(|ranker| ranker.blend.clone()).or_else(|| serving.blend.clone());
    let weights = weights.unwrap_or_else(|| BlendWeights::for_index(&view.rank.index));
    let named = |list: &[(mercer_rank::Source, f32)]| {
        list.iter().map(|(source, weight)| (source.name().to_owned(), f64::from(*weight))).collect()
    };
    let passed = made.gate.verdict == GateVerdict::Promote;
    let meta = ModelVersion {
        // Without a verdict, for lack of data, it is listed as rejected too: the wire has no other word, and the reason says so.
        state: if passed { ModelState::Candidate } else { ModelState::Rejected },
        parent: Some(plan.parent.clone()),
        run: Some(plan.run.clone()),
        encoder: directory::encoder_ref(base_encoder.checkpoint(), digest),
        blend: [("repeat".to_owned(), named(&weights.all)), ("new".to_owned(), named(&weights.novel))].into(),
        metrics: made.metrics,
        gate: Some(made.gate),
        data: DataSnapshot {
            interactions: summary.counts.iter().sum(),
            cursor: plan.cursor,
            from: Some(Timestamp::at(summary.first)),
            to: Some(Timestamp::at(made.until)),
            consent_rule: if plan.holdout > 0.0 {
                format!("shoppers without consent to training and {:.1} % held out are left out", 100.0 * plan.holdout)
            } else {
                "shoppers without consent to training are left out".to_owned()
            },
            held_out: plan.holdout,
        },
        privacy: variant.privacy.clone(),
        seed: made.seed,
        ..directory::draft(Timestamp::now())
    };
    let sequence = |fitted: &FittedRanker| {
        let model = fitted.sequence.as_deref()?;
        Some(Arc::new(SequenceArtifact::new(model.clone(), Arc::clone(&made.ids))))
    };
    let artifacts = Artifacts {
        adapter: adapter.map(Into::into),
        whitening: variant.whitening(),
        blend: serving.blend.clone(),
        ranker: serving.ranker.clone().map(Arc::new),
        sequence: sequence(serving),
        probabilities: made.probabilities.map(Arc::new),
        judged_ranker: judged.ranker.clone().map(Arc::new),
        judged_sequence: sequence(judged),
    };
    let encoders = VersionEncoders { encoder: Arc::clone(&variant.encoder), base_encoder };
    let versions = VersionStore { store: &app.store, state: &app.config.state };
    let model = directory::write(versions, meta, encoders, artifacts)?;
    // Who was erased meanwhile is in what this run has read.
    knowledge::made(&app.store, &plan.run, &model.meta.version)?;
    Ok(model)
}
