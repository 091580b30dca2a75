//! A run that trains the cross-encoder: builds labelled pairs from the log, trains, computes metrics on later events, and compares lists
//! with and without re-scoring.
//!
//! The log up to the cut-off (the beginning of its last window) is parted once more: its last rows choose threshold and calibration and
//! teach nothing. Rows later than the cut-off are read once, at the end.

use std::collections::BTreeSet;
use std::time::Instant;

use mercer_learn::cross_encoder::examples::{
    ExampleOptions, HistoryEntry, NegativeSource, PairExample, TimeWindow, negative_source, pair_examples,
};
use mercer_learn::cross_encoder::{
    CrossEncoder, CrossEncoderOptions, CrossEncoderOutcome, LabelledPair, LabelledPairs, train,
};
use mercer_learn::examples::Interaction;
use mercer_learn::{BaseEncoder, CheckpointOptions, Hooks, Method, StopReason, TextTable};
use mercer_model::{Checkpoint, TextKind};
use mercer_reports::calibrate::Calibrator;
use mercer_reports::classification::best_f1_threshold;
use mercer_search::passage_text;
use mercer_shared::time::Timestamp;
use mercer_shared::wire::{MetricValue, PairCheck, PairPart, PairReport, PairSource, RunPhase};

use crate::cross_encoder::evaluate::check;
use crate::cross_encoder::texts::Reader;
use crate::gate::probability_metrics::{Scored, metrics};
use crate::runs::context::{RunContext, RunExit, failed};
use crate::runs::labelled_log::{Read, Scope, read};
use crate::runs::plan::Plan;
use crate::runs::plan::run_directory;
use crate::state::app::App;
use crate::state::shop::ShopState;
use crate::training::borders::borders;
use crate::training::contrastive_pairs::{Renumbered, next_options};
use crate::training::encoder_tuning::{Progress, ending, or_anew};
use crate::versions::cross_encoder::{KeptCrossEncoder, keep, kept};
use crate::versions::encoders::{self, ActiveEncoder};
use crate::versions::knowledge;

/// Negatives a positive.
const NEGATIVES: usize = 4;
/// Positive rows per second of the budget. With their negatives and five epochs this is about what two cores train in
/// that time. It does not depend on the machine, so that the same request gives the same rows everywhere.
const POSITIVES_A_SECOND: u64 = 1;
/// Positives that are evaluated at least and at most, of validation and of later rows each.
const EVALUATED: (u64, u64) = (24, 400);

/// What a run was asked for and how it trains.
#[derive(Clone, Copy)]
struct Settings<'a> {
    plan: &'a Plan,
    options: &'a CrossEncoderOptions,
    budget_seconds: u64,
}

/// What the cross-encoder learns from and is evaluated on.
struct Data {
    source: NegativeSource,
    reader: Reader,
    train: Vec<PairExample>,
    validation: Vec<PairExample>,
    later: Vec<PairExample>,
    bodies: Vec<Vec<u32>>,
    queries: Vec<Vec<u32>>,
}

/// The whole run.
pub(crate) fn run(app: &App, plan: Plan, context: &RunContext<'_>) -> Result<(), RunExit> {
    if let Some(done) = kept(&app.store)?.filter(|kept| kept.run == plan.run) {
        context.note(format!("{} was written before the interruption", done.name));
        context.update(|run| run.pair = Some(done.report));
        return Ok(());
    }
    let Some(run) = crate::state::run_documents::current(app) else { return Ok(()) };
    let view = app.view();
    context.plan_phases(vec![RunPhase::Examples, RunPhase::Encoder, RunPhase::Evaluation]);
    context.phase(RunPhase::Examples, 0);
    let log = view.training_log();
    let plan = borders(app, &view, &log, plan)?;
    context.update(|run| run.cursor = Some(plan.cursor));
    let ActiveEncoder { name, sha256 } = encoders::active_encoder(&app.store)?;
    let base = encoders::base(&app.config.state, &name, &sha256)?;
    let budget = plan.request.budget_seconds.unwrap_or(app.config.train.budget_seconds);
    let options = CrossEncoderOptions {
        wall_seconds: Some(budget as f64),
        seed: run.seed,
        checkpoint: Some(CheckpointOptions {
            dir: run_directory(app, &plan.run),
            every: app.config.train.checkpoint_steps.max(1) as usize,
            keep: 2,
        }),
        ..CrossEncoderOptions::default()
    };
    let settings = Settings { plan: &plan, options: &options, budget_seconds: budget };
    let data = gather(app, &view, &base, settings)?;
    context.note(told(&data));
    if data.train.is_empty() {
        context.note("no row to learn from: nothing is trained");
        return Ok(());
    }
    let mut texts = TextTable::new();
    let pairs = data.pairs(&data.train, &mut texts);
    let outcome = fit(app, &base, LabelledPairs { texts: &texts, pairs: &pairs }, settings, context)?;
    context.check()?;
    if matches!(outcome.stopped, StopReason::NothingToLearn(_)) || outcome.steps == 0 {
        context.note("nothing was learned: no model is kept");
        return Ok(());
    }
    let evaluated = evaluate(app, &view, &base, &data, &outcome, settings, context)?;
    let kept = KeptCrossEncoder {
        name: format!("pair-{}", plan.run),
        run: plan.run.clone(),
        encoder: (name, sha256),
        digest: String::new(),
        cursor: plan.cursor,
        cutoff: plan.cutoff,
        calibrator: evaluated.calibrator,
        report: PairReport { name: Some(format!("pair-{}", plan.run)), ..evaluated.report },
    };
    context.check()?;
    let kept = keep(app, kept, &outcome.learned)?;
    knowledge::made(&app.store, &plan.run, &kept.name)?;
    app.audit(None, "keep", &kept.name, kept.report.check.reason.clone());
    context.note(format!("{} is kept; {}", kept.name, kept.report.check.reason));
    context.update(|run| run.pair = Some(kept.report));
    Ok(())
}

/// Rows of the three parts of the log, and the texts they speak of.
fn gather(
    app: &App,
    view: &ShopState,
    base: &Checkpoint,
    Settings { plan, options, budget_seconds: budget }: Settings<'_>,
) -> Result<Data, RunExit> {
    let scope = Scope { cursor: plan.cursor, after: i64::MIN, until: plan.to };
    let Read { mut log, queries } = read(app, view, scope)?;
    let (mut users, mut items) = (Renumbered::default(), Renumbered::default());
    for event in &mut log {
        event.user = users.of(event.user);
        event.item = event.item.map(|item| items.of(item));
    }
    let learned: Vec<Interaction> = log.iter().filter(|event| event.at_ms <= plan.cutoff).copied().collect();
    let mut wanted = ExampleOptions { negatives: NEGATIVES, seed: options.seed, ..ExampleOptions::default() };
    let source = negative_source(&learned, plan.cutoff, &wanted);
    if source == NegativeSource::Sampled {
        wanted.min_weight = next_options(&learned).min_weight;
    }
    let first = learned.iter().map(|event| event.at_ms).min().unwrap_or(plan.cutoff);
    // As long as the window that is reported, and at most half of what there is.
    let chosen = (plan.cutoff - (plan.to - plan.cutoff)).max(first.midpoint(plan.cutoff));
    let evaluated = ExampleOptions { most: (budget / 2).clamp(EVALUATED.0, EVALUATED.1) as usize, ..wanted.clone() };
    let most = (budget * POSITIVES_A_SECOND).max(40) as usize;
    let train = pair_examples(
        &log,
        source,
        TimeWindow { after_ms: i64::MIN, until_ms: chosen },
        &ExampleOptions { most, ..wanted },
    );
    let validation = pair_examples(&log, source, TimeWindow { after_ms: chosen, until_ms: plan.cutoff }, &evaluated);
    let later = pair_examples(&log, source, TimeWindow { after_ms: plan.cutoff, until_ms: plan.to }, &evaluated);
    let reader = Reader::new(base, options.join, options.max_tokens)?;
    let passages: Vec<String> =
        items.order.iter().map(|&n| view.item(n).map(|item| passage_text(item)).unwrap_or_default()).collect();
    let bodies = reader.bodies(&passages, TextKind::Passage)?;
    let queries = reader.bodies(&queries, TextKind::Query)?;
    Ok(Data { source, reader, train, validation, later, bodies, queries })
}

impl Data {
    /// Rows as token ids.
    fn pairs(&self, rows: &[PairExample], texts: &mut TextTable) -> Vec<LabelledPair> {
        let body = |entry: &HistoryEntry| match entry {
            HistoryEntry::Item(item) => self.bodies.get(*item as usize).map(Vec::as_slice),
            HistoryEntry::Query(query) => self.queries.get(*query as usize).map(Vec::as_slice),
        };
        rows.iter()
            .map(|row| LabelledPair {
                history: texts.push(&self.reader.behaviour(row.history.iter().filter_map(body))),
                item: texts.push(&self.reader.item(body(&HistoryEntry::Item(row.item)).unwrap_or_default())),
                label: row.label,
            })
            .collect()
    }

    /// The negatives in words.
    fn negatives(&self) -> String {
        match self.source {
            NegativeSource::Impressions => format!(
                "impressions that led to nothing within {} minutes, at most {NEGATIVES} a positive",
                ExampleOptions::default().led_to_ms / 60_000
            ),
            NegativeSource::Sampled => format!(
                "{NEGATIVES} a positive: for an item that is new to the shopper, drawn by the popularity of the 30 days before among what they \
                 had not taken; for a repeated one, others of their own earlier items"
            ),
        }
    }
}

fn told(data: &Data) -> String {
    format!(
        "{} rows to learn from, {} to choose by, {} later ones; negatives: {}",
        data.train.len(),
        data.validation.len(),
        data.later.len(),
        data.negatives()
    )
}

fn part(rows: &[PairExample]) -> PairPart {
    let users: BTreeSet<u32> = rows.iter().map(|row| row.user).collect();
    PairPart {
        rows: rows.len() as u64,
        users: users.len() as u64,
        positives: rows.iter().filter(|row| row.label).count() as f64 / rows.len().max(1) as f64,
        from: rows.iter().map(|row| row.at_ms).min().map(Timestamp::at),
        to: rows.iter().map(|row| row.at_ms).max().map(Timestamp::at),
    }
}

fn fit(
    app: &App,
    base: &Checkpoint,
    set: LabelledPairs<'_>,
    Settings { plan, options, .. }: Settings<'_>,
    context: &RunContext<'_>,
) -> Result<CrossEncoderOutcome, RunExit> {
    context.phase(RunPhase::Encoder, 0);
    if let Some(seconds) = options.wall_seconds {
        context.limit_phase(seconds);
    }
    let base = BaseEncoder { config: &base.config, pooling: base.rules.pooling, tensors: &base.tensors };
    let device = mercer_model::device::pick();
    let attempt =
        |context: &RunContext<'_>| train(base, set, options, &device, &mut Progress::new(context, app.model.clone()));
    let outcome = or_anew(app, plan, context, "training", attempt)?;
    if let Some(step) = outcome.resumed_from {
        context.note(format!("training went on from step {step}"));
    }
    context.note(format!(
        "cross-encoder: {} after {} of {} steps in {:.0} s",
        ending(&outcome.stopped),
        outcome.steps,
        outcome.total_steps,
        outcome.seconds
    ));
    Ok(outcome)
}

struct Evaluation {
    calibrator: Option<Calibrator>,
    report: PairReport,
}

/// Log-odds of rows, and seconds a row.
fn score(
    app: &App,
    scorer: &CrossEncoder,
    data: &Data,
    rows: &[PairExample],
    context: &RunContext<'_>,
) -> Result<(Vec<f32>, f64), RunExit> {
    let mut texts = TextTable::new();
    let pairs = data.pairs(rows, &mut texts);
    let begun = Instant::now();
    let mut hooks = Progress::new(context, app.model.clone());
    let scores = scorer.score(LabelledPairs { texts: &texts, pairs: &pairs }, || {
        hooks.yield_now();
        !hooks.should_stop()
    });
    let scores = scores.map_err(|e| failed(&e))?;
    context.check()?;
    Ok((scores, begun.elapsed().as_secs_f64() / rows.len().max(1) as f64))
}

fn evaluate(
    app: &App,
    view: &ShopState,
    base: &Checkpoint,
    data: &Data,
    outcome: &CrossEncoderOutcome,
    settings: Settings<'_>,
    context: &RunContext<'_>,
) -> Result<Evaluation, RunExit> {
    let Settings { plan, options, .. } = settings;
    context.phase(RunPhase::Evaluation, 0);
    let device = mercer_model::device::pick();
    let of_base = BaseEncoder { config: &base.config, pooling: base.rules.pooling, tensors: &base.tensors };
    let scorer = CrossEncoder::new(of_base, &outcome.learned, &device).map_err(|e| failed(&e))?;
    let (chosen, _) = score(app, &scorer, data, &data.validation, context)?;
    let labels: Vec<bool> = data.validation.iter().map(|row| row.label).collect();
    let chosen: Vec<f64> = chosen.into_iter().map(f64::from).collect();
    let calibrator = Calibrator::fit(&chosen, &labels).ok();
    let probability = |logit: f64| crate::versions::cross_encoder::probability(calibrator.as_ref(), logit as f32);
    let calibrated: Vec<f64> = chosen.iter().map(|z| probability(*z)).collect();
    let threshold = best_f1_threshold(&labels, &calibrated).ok();
    let (later, each) = score(app, &scorer, data, &data.later, context)?;
    let scored = |keep: &dyn Fn(&PairExample) -> bool| -> Vec<Scored> {
        let all = data.later.iter().zip(&later).filter(|(row, _)| keep(row));
        all.map(|(row, z)| Scored { user: row.user, label: row.label, p: probability(f64::from(*z)) }).collect()
    };
    let seed = plan.cursor;
    let mut all: Vec<MetricValue> = metrics("later", &scored(&|_| true), threshold, seed);
    all.extend(metrics("later new", &scored(&|row| !row.repeat), threshold, seed));
    all.extend(metrics("later repeat", &scored(&|row| row.repeat), threshold, seed));
    all.extend(untrained(app, base, data, options, context, seed)?);
    let check = check(app, view, plan, &scorer, &data.reader, context)?;
    context.check()?;
    let reading = Reading { each, threshold, calibrator: calibrator.as_ref() };
    Ok(Evaluation { report: report(data, outcome, settings, reading, all, check), calibrator })
}

/// Metrics of the same model before its first training step: the encoder's cosine, read by the layers that will train.
fn untrained(
    app: &App,
    base: &Checkpoint,
    data: &Data,
    options: &CrossEncoderOptions,
    context: &RunContext<'_>,
    seed: u64,
) -> Result<Vec<MetricValue>, RunExit> {
    let of_base = BaseEncoder { config: &base.config, pooling: base.rules.pooling, tensors: &base.tensors };
    let device = mercer_model::device::pick();
    let mut texts = TextTable::new();
    let pairs = data.pairs(&data.later, &mut texts);
    let nothing = CrossEncoderOptions { max_steps: Some(0), checkpoint: None, ..options.clone() };
    let start = train(of_base, LabelledPairs { texts: &texts, pairs: &pairs }, &nothing, &device, &mut ());
    let start = start.map_err(|e| failed(&e))?;
    let scorer = CrossEncoder::new(of_base, &start.learned, &device).map_err(|e| failed(&e))?;
    let (scores, _) = score(app, &scorer, data, &data.later, context)?;
    let scored: Vec<Scored> = data
        .later
        .iter()
        .zip(scores)
        .map(|(row, z)| Scored {
            user: row.user,
            label: row.label,
            p: crate::versions::cross_encoder::probability(None, z),
        })
        .collect();
    // Its probabilities mean nothing; its order does.
    Ok(metrics("untrained", &scored, None, seed).into_iter().filter(|m| m.name.ends_with("auc")).collect())
}

/// How scores of the trained model become decisions.
struct Reading<'a> {
    /// Seconds that a row takes.
    each: f64,
    /// The probability from which on a row counts as positive.
    threshold: Option<f64>,
    /// From log-odds to probabilities.
    calibrator: Option<&'a Calibrator>,
}

fn report(
    data: &Data,
    outcome: &CrossEncoderOutcome,
    Settings { plan, options, .. }: Settings<'_>,
    Reading { each, threshold, calibrator }: Reading<'_>,
    metrics: Vec<MetricValue>,
    check: PairCheck,
) -> PairReport {
    let what = match &options.method {
        Method::Full => "all weights".to_owned(),
        Method::Lora(lora) => format!("LoRA of rank {}", lora.rank),
        Method::AdaLora(ada) => format!("AdaLoRA of mean rank {}", ada.lora.rank),
    };
    PairReport {
        name: None,
        method: format!(
            "{what} of the last {} layers, which read both sides; AdamW {}, batches of {}, {} epochs, dropout {}, {} tokens; {}",
            outcome.learned.meta.upper_layers,
            options.adam.learning_rate,
            options.batch_pairs,
            options.epochs,
            options.dropout,
            options.max_tokens,
            ending(&outcome.stopped),
        ),
        source: match data.source {
            NegativeSource::Impressions => PairSource::Impressions,
            NegativeSource::Sampled => PairSource::Sampled,
        },
        negatives: data.negatives(),
        train: part(&data.train),
        validation: part(&data.validation),
        later: part(&data.later),
        cut: Timestamp::at(plan.cutoff),
        steps: outcome.steps as u64,
        seconds: outcome.seconds,
        ms_per_pair: 1e3 * each,
        calibration: calibrator.map(|fitted| fitted.name().to_owned()),
        threshold,
        metrics,
        check,
    }
}
