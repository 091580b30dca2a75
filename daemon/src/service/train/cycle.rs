//! One cycle: examples, encoder, embedding, memory and ranker, evaluation on later interactions, gate, promotion.
//!
//! Everything that is judged was made from interactions up to the cut-off, the beginning of the last window of the log. What then
//! serves is made again with the same configuration from everything, the adapter excepted: it stays as it was judged.

use std::path::Path;
use std::sync::Arc;

use mercer_learn::Adapter;
use mercer_model::BertEncoder;
use mercer_rank::{BlendWeights, Memory, MemoryOptions, RankError, Ranker, ReplayOptions, Snapshot, Vectors, train_ranker};
use mercer_shared::problem::{Code, Problem};
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{
    DataSnapshot, EventKind, GateReport, GateVerdict, MetricValue, ModelState, ModelVersion, RunPhase, TrainRequest,
};
use mercer_store::DocKind;
use rustc_hash::FxHashMap;

use super::{Control, Ended, encoder, judge};
use crate::app::{App, model_problem, store_problem};
use crate::service::evaluation::window;
use crate::service::{Answer, models};
use crate::world::{Model, View};

type Table = FxHashMap<u32, Arc<[f32]>>;

fn internal(error: &dyn std::fmt::Display) -> Problem {
    Problem::new(Code::Internal, error.to_string())
}

fn with_vectors(snapshot: &Snapshot, table: &Table, dim: usize) -> Answer<Snapshot> {
    let mut rows = Vectors::new(dim);
    for (number, row) in table {
        rows.set(*number, Arc::clone(row)).map_err(|e| internal(&e))?;
    }
    let mut snapshot = snapshot.clone();
    snapshot.catalogue.set_vectors(Some(rows));
    Ok(snapshot)
}

/// The ranker of a log up to a moment; none where the log is too short for it.
fn ranker(control: &mut Control<'_>, snapshot: &Snapshot, until: i64) -> Result<Option<Ranker>, Ended> {
    match train_ranker(&snapshot.log, &snapshot.catalogue, until, &ReplayOptions::default()) {
        Ok((ranker, report)) => {
            control.note(format!(
                "ranker: {} cut-offs of {} days, {} and {} lists",
                report.cutoffs.len(),
                report.window_days,
                report.lists[0],
                report.lists[1]
            ));
            Ok(Some(ranker))
        }
        Err(RankError::TooLittle(why)) => {
            control.note(format!("no ranker: {why}; the blend serves"));
            Ok(None)
        }
        Err(error) => Err(Ended::Failed(internal(&error))),
    }
}

fn score(judged: &judge::Judged) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    mean(&judged.any.ndcg) + mean(&judged.unseen.ndcg)
}

/// The whole cycle.
pub fn run(app: &App, request: &TrainRequest, control: &mut Control<'_>) -> Result<(), Ended> {
    let view = app.view();
    let Some(run) = super::current(app) else { return Ok(()) };
    control.phase(RunPhase::Examples, 0);
    let log = view.training_log();
    let Some((cut, to)) = window(&log, view.last_event) else {
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
        return Ok(());
    };
    control.update(|run| run.cursor = Some(view.last_seq));
    let base = models::base(&app.config.state, &models::active_encoder(&app.store)?)?;
    let parent_to = view.model.meta.data.to.map_or(0, Timestamp::millis).min(cut);

    // The encoder.
    let tuned = if request.encoder.unwrap_or(true) {
        encoder::train(app, &view, &base, cut, parent_to, request, (&run.id, run.seed), control)?
    } else {
        None
    };
    control.check()?;
    control.phase(RunPhase::Embedding, view.items.len() as u64);
    let base_encoder = Arc::new(BertEncoder::on_best_device(base).map_err(|e| model_problem(&e))?);
    let base_vectors = models::embed_catalogue(app, &base_encoder)?;
    let tuned = match tuned {
        None => None,
        Some((checkpoint, adapter)) => {
            let encoder = Arc::new(BertEncoder::on_best_device(checkpoint).map_err(|e| model_problem(&e))?);
            let vectors = models::embed_catalogue(app, &encoder)?;
            Some((encoder, adapter, vectors))
        }
    };
    control.check()?;

    // Memory and ranker as of the cut-off.
    control.phase(RunPhase::Memory, 0);
    let dim = mercer_model::Encoder::dim(&*base_encoder);
    let memory = Arc::new(Memory::fit(&log, &view.rank.catalogue, cut, &MemoryOptions::default()));
    let plain = Snapshot { log, catalogue: view.rank.catalogue.clone(), memory };
    let with_base = with_vectors(&plain, &base_vectors, dim)?;
    let trained = ranker(control, &with_base, cut)?;
    control.check()?;

    // Evaluation: every arm sees the same log, memory and catalogue as of the cut-off.
    control.phase(RunPhase::Evaluation, 0);
    let weights = BlendWeights::for_memory(&plain.memory);
    let span = (cut, to);
    let arm = |snapshot: &Snapshot, ranker: Option<&Ranker>, weights: &BlendWeights| {
        judge::judge(
            snapshot,
            span,
            &|whom, r| match ranker {
                Some(ranker) => ranker.recommend(snapshot, whom, cut, r),
                None => mercer_rank::recommend(snapshot, whom, cut, r),
            },
            weights,
        )
    };
    let with_base_judged = arm(&with_base, trained.as_ref(), &weights)?;
    let (candidate, chosen) = match tuned {
        None => (with_base_judged, None),
        Some((encoder, adapter, vectors)) => {
            let snapshot = with_vectors(&plain, &vectors, dim)?;
            let judged = arm(&snapshot, trained.as_ref(), &weights)?;
            let gain = score(&judged) - score(&with_base_judged);
            control.note(format!("fine-tuned encoder against its base, NDCG@10 any + unseen: {gain:+.4}"));
            if gain > 0.0 { (judged, Some((encoder, adapter, vectors))) } else {
                control.note("the base encoder is kept: tuning did not pay on this log");
                (with_base_judged, None)
            }
        }
    };
    let serving_weights = view.model.blend.clone().unwrap_or_else(|| weights.clone());
    let serving_ranker = view.model.ranker.as_deref();
    if serving_ranker.is_some() && view.model.meta.data.to.is_some_and(|to| to.millis() > cut) {
        control.note("the serving ranker has seen part of this window: the comparison leans towards it");
    }
    let serving = arm(&plain, serving_ranker, &serving_weights)?;
    let baselines = [
        ("popularity", BlendWeights::popularity()),
        ("own repeats", BlendWeights::own_repeats()),
        ("item kNN", BlendWeights::item_knn()),
    ]
    .into_iter()
    .map(|(name, weights)| arm(&plain, None, &weights).map(|judged| (name, judged)))
    .collect::<Answer<Vec<_>>>()?;
    control.check()?;
    control.phase(RunPhase::Gate, 0);
    let version = view.model.meta.version.clone();
    let (gate, metrics) = judge::decide(app, run.seed, span, &candidate, (&version, &serving), &baselines)?;
    control.note(format!("gate: {:?}: {}", gate.verdict, gate.reason));
    control.update(|run| run.gate = Some(gate.clone()));

    // What would serve: the same configuration from everything.
    control.check()?;
    control.phase(RunPhase::Memory, 0);
    let passed = gate.verdict == GateVerdict::Promote;
    let last = match &trained {
        Some(_) if passed => ranker(control, &with_base, view.last_event)?,
        kept => kept.clone(),
    };
    let until = if passed { view.last_event } else { cut };
    control.check()?;
    let (encoder, adapter, vectors) = match chosen {
        Some((encoder, adapter, vectors)) => (encoder, Some(adapter), vectors),
        None => (base_encoder, None, base_vectors),
    };
    let made = Made { gate, metrics, until, seed: run.seed, run: run.id.clone() };
    let model = write(app, &view, made, encoder, adapter.as_ref(), last)?;
    let name = model.meta.version.clone();
    control.update(|run| run.model = Some(name.clone()));
    app.tell(EventKind::Model(Box::new(model.meta.clone())));
    if passed && request.promote.unwrap_or(app.config.train.promote) {
        control.phase(RunPhase::Promotion, 0);
        models::install(app, model, &vectors)?;
        app.audit(None, "promote", &name, "passed the gate");
        control.note(format!("{name} serves"));
    }
    models::prune(app);
    Ok(())
}

struct Made {
    gate: GateReport,
    metrics: Vec<MetricValue>,
    until: i64,
    seed: u64,
    run: String,
}

/// Writes a version aside, renames it into place and lists it.
fn write(
    app: &App,
    view: &View,
    made: Made,
    encoder: Arc<BertEncoder>,
    adapter: Option<&Adapter>,
    ranker: Option<Ranker>,
) -> Answer<Model> {
    let number = app.store.next_number(DocKind::Model).map_err(|e| store_problem(&e))?;
    let version = format!("v{number:06}");
    let root = app.config.state.join("models");
    let aside = root.join(format!(".{version}"));
    std::fs::create_dir_all(&aside).map_err(|e| internal(&e))?;
    let mut bytes = 0;
    let mut digest = None;
    if let Some(adapter) = adapter {
        let data = adapter.to_bytes().map_err(|e| internal(&e))?;
        digest = Some(blake3::hash(&data).to_hex().to_string());
        bytes += write_file(&aside.join(models::ADAPTER), &data)?;
    }
    if let Some(ranker) = &ranker {
        let data = serde_json::to_vec(ranker).map_err(|e| internal(&e))?;
        bytes += write_file(&aside.join(models::RANKER), &data)?;
    }
    std::fs::rename(&aside, root.join(&version)).map_err(|e| internal(&e))?;
    let stamp = |at: i64| Timestamp::default().plus_millis(at);
    let shape = view.rank.log.shape(made.until);
    let weights = BlendWeights::for_memory(&view.rank.memory);
    let named = |list: &[(mercer_rank::Source, f32)]| {
        list.iter().map(|(source, weight)| (source.name().to_owned(), f64::from(*weight))).collect()
    };
    let meta = ModelVersion {
        version,
        state: if made.gate.verdict == GateVerdict::Promote { ModelState::Candidate } else { ModelState::Rejected },
        pinned: false,
        parent: Some(view.model.meta.version.clone()),
        created: Timestamp::now(),
        promoted: None,
        run: Some(made.run),
        encoder: models::encoder_ref(&encoder, digest),
        blend: [("repeat".to_owned(), named(&weights.any)), ("new".to_owned(), named(&weights.unseen))].into(),
        metrics: made.metrics,
        gate: Some(made.gate),
        data: DataSnapshot {
            interactions: shape.counts.iter().sum(),
            cursor: view.last_seq,
            from: Some(stamp(shape.first)),
            to: Some(stamp(made.until)),
            consent_rule: "shoppers without consent to training are left out".to_owned(),
        },
        seed: made.seed,
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        bytes,
    };
    app.store.put_model(&meta).map_err(|e| store_problem(&e))?;
    Ok(Model { meta, encoder, blend: None, ranker: ranker.map(Arc::new) })
}

/// Writes a file and waits until it is on the disk.
fn write_file(path: &Path, data: &[u8]) -> Answer<u64> {
    use std::io::Write;
    let mut file = std::fs::File::create(path).map_err(|e| internal(&e))?;
    file.write_all(data).and_then(|()| file.sync_all()).map_err(|e| internal(&e))?;
    Ok(data.len() as u64)
}
