//! The encoder's part of a cycle: pairs from the log, LoRA on the upper layers, checkpoints.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use mercer_learn::examples::{Interaction, Kind, NextOptions, QueryOptions, mix, next_pairs, query_pairs};
use mercer_learn::{
    Adapter, Base, CheckpointOptions, Hooks, Known, Learned, Pair, StepReport, Stopped, TextId, TextTable, TrainingSet,
    TuneOptions, tune,
};
use mercer_model::{Checkpoint, ModelHandle, TextKind};
use mercer_search::passage_text;
use mercer_shared::problem::{Code, Problem};
use mercer_shared::wire::{InteractionType, RunPhase, TrainRequest};
use rustc_hash::FxHashMap;

use super::{Control, Ended, point};
use crate::app::{App, store_problem};
use crate::world::View;

/// Longest text in tokens while training: titles fit, and a step's cost grows with the longest text of a piece.
const MAX_TOKENS: usize = 48;
/// Pairs of one cycle at most: new ones and replayed ones together.
const MAX_PAIRS: usize = 20_000;
/// How long training waits between two looks at the serving queue.
const YIELD: Duration = Duration::from_millis(5);
/// Longest wait for serving in one piece, so that a busy daemon still learns.
const LONGEST_YIELD: Duration = Duration::from_secs(2);

/// Where a run keeps its checkpoints.
pub fn run_directory(app: &App, id: &str) -> PathBuf {
    app.config.state.join("runs").join(id)
}

fn failed(error: &dyn std::fmt::Display) -> Ended {
    Ended::Failed(Problem::new(Code::Internal, error.to_string()))
}

const fn kind_of(kind: InteractionType) -> Option<Kind> {
    match kind {
        InteractionType::Search => Some(Kind::Search),
        InteractionType::Impression => Some(Kind::Impression),
        InteractionType::View => Some(Kind::View),
        InteractionType::Click => Some(Kind::Click),
        InteractionType::Cart => Some(Kind::Cart),
        InteractionType::Favourite => Some(Kind::Favourite),
        InteractionType::Purchase => Some(Kind::Purchase),
        _ => None,
    }
}

struct Examples {
    texts: TextTable,
    pairs: Vec<Pair>,
    known: Known,
}

/// Pairs from everything up to the cut-off: those that end after the last cycle's cursor are new, of the others a share is
/// replayed. Shoppers who did not agree to training are left out.
fn examples(app: &App, view: &View, base: &Checkpoint, cut: i64, since: i64, seed: u64) -> Result<Examples, Ended> {
    let tokens = base.tokens().map_err(|e| failed(&e))?;
    let mut texts = TextTable::new();
    let mut numbers = |kind: TextKind, words: &[String]| -> Result<Vec<TextId>, Ended> {
        let encoded = tokens.encode(words, kind).map_err(|e| failed(&e))?;
        let most = MAX_TOKENS.min(base.config.max_tokens());
        Ok(encoded.into_iter().map(|mut ids| {
            if ids.len() > most {
                // The closing token stays.
                let last = ids.pop();
                ids.truncate(most - 1);
                ids.extend(last);
            }
            texts.push(&ids)
        }).collect())
    };
    let passages: Vec<String> = view.items.iter().map(|item| passage_text(item)).collect();
    let item_texts: Vec<Option<TextId>> = numbers(TextKind::Passage, &passages)?.into_iter().map(Some).collect();
    let mut queries: Vec<String> = Vec::new();
    let mut places: FxHashMap<String, usize> = FxHashMap::default();
    let mut log: Vec<(Interaction, Option<usize>)> = Vec::new();
    let lines = app.store.scan_interactions(0).map_err(|e| store_problem(&e))?;
    for line in lines.named() {
        let (_, line) = line.map_err(|e| store_problem(&e))?;
        let at_ms = line.at.millis();
        let user = line.user.as_ref().and_then(|id| view.user_index.get(id)).copied();
        let user = user.or_else(|| line.session.as_ref().and_then(|id| view.session_index.get(id)).copied());
        let (Some(user), Some(kind)) = (user, kind_of(line.kind)) else { continue };
        if at_ms > cut || !view.subject(user).is_some_and(|subject| subject.consent.train) {
            continue;
        }
        let item = line.item.as_ref().and_then(|id| view.item_index.get(id)).copied();
        let query = line.query.filter(|_| kind == Kind::Search).map(|text| {
            *places.entry(text.clone()).or_insert_with(|| {
                queries.push(text);
                queries.len() - 1
            })
        });
        log.push((Interaction { user, item, kind, query: None, at_ms }, query));
    }
    let query_texts = numbers(TextKind::Query, &queries)?;
    let log: Vec<Interaction> = log
        .into_iter()
        .map(|(event, query)| Interaction { query: query.and_then(|q| query_texts.get(q)).copied(), ..event })
        .collect();
    let day = view.rank.log.shape(cut).day_resolution;
    let options = NextOptions {
        moment_ms: if day { mercer_rank::DAY_MS } else { 0 },
        min_weight: Kind::Cart.weight().unwrap_or(0.0),
        ..NextOptions::default()
    };
    let recent: Vec<Interaction> = log.iter().filter(|event| event.at_ms > since).copied().collect();
    let gather = |log: &[Interaction], texts: &mut TextTable| {
        let mut pairs = query_pairs(log, &item_texts, &QueryOptions::default());
        pairs.extend(next_pairs(log, &item_texts, texts, &options));
        pairs
    };
    let all = gather(&log, &mut texts);
    let known = Known::from_pairs(&all);
    let fresh = if recent.len() == log.len() { all.clone() } else { gather(&recent, &mut texts) };
    let share = app.config.train.replay;
    let mut pairs = mix(&fresh, &all, if fresh.len() == all.len() { 0.0 } else { share }, seed).map_err(|e| failed(&e))?;
    thin(&mut pairs, MAX_PAIRS);
    Ok(Examples { texts, pairs, known })
}

/// Keeps every n-th pair, so that all times stay represented.
fn thin(pairs: &mut Vec<Pair>, most: usize) {
    if pairs.len() > most {
        let step = pairs.len() as f64 / most as f64;
        *pairs = (0..most).map(|n| pairs[(n as f64 * step) as usize].clone()).collect();
    }
}

struct Progress<'a, 'b> {
    control: &'a mut Control<'b>,
    model: ModelHandle,
    started: Instant,
}

impl Hooks for Progress<'_, '_> {
    fn on_step(&mut self, report: &StepReport) {
        self.control.update(|run| {
            (run.step, run.steps) = (report.step as u64, report.total as u64);
            run.loss = Some(f64::from(report.loss));
            run.losses.push(point(report.step as u64, f64::from(report.loss)));
            run.items_per_second = Some(report.items_per_second);
            run.eta_seconds = Some(report.eta_s);
        });
    }

    fn should_stop(&mut self) -> bool {
        self.control.check().is_err()
    }

    fn yield_now(&mut self) {
        let begun = Instant::now();
        while self.model.stats().serving_waiting > 0 && begun.elapsed() < LONGEST_YIELD {
            std::thread::sleep(YIELD);
        }
    }

    fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}

/// Fine-tunes the base on the log up to the cut-off. `None` if there was nothing to learn.
pub fn train(
    app: &App,
    view: &View,
    base: &Checkpoint,
    cut: i64,
    since: i64,
    request: &TrainRequest,
    run: (&str, u64),
    control: &mut Control<'_>,
) -> Result<Option<(Checkpoint, Adapter)>, Ended> {
    let (id, seed) = run;
    let Examples { texts, pairs, known } = examples(app, view, base, cut, since, seed)?;
    control.note(format!("{} pairs of texts from interactions up to the cut-off", pairs.len()));
    control.phase(RunPhase::Encoder, 0);
    let options = TuneOptions {
        epochs: 1.0,
        wall_seconds: Some(request.budget_seconds.unwrap_or(app.config.train.budget_seconds) as f64),
        seed,
        checkpoint: Some(CheckpointOptions {
            dir: run_directory(app, id),
            every: app.config.train.checkpoint_steps.max(1) as usize,
            keep: 2,
        }),
        ..TuneOptions::default()
    };
    let base_ref = Base { config: &base.config, pooling: base.rules.pooling, tensors: &base.tensors };
    let mut hooks = Progress { control, model: app.model.clone(), started: Instant::now() };
    let set = TrainingSet { texts: &texts, pairs: &pairs, known: &known };
    let outcome = tune(base_ref, set, None, &options, &mercer_model::device::pick(), &mut hooks).map_err(|e| failed(&e))?;
    control.check()?;
    control.note(format!(
        "encoder: {:?} after {} of {} steps in {:.0} s",
        outcome.stopped, outcome.steps, outcome.total_steps, outcome.seconds
    ));
    if matches!(outcome.stopped, Stopped::NothingToLearn(_)) || outcome.steps == 0 {
        return Ok(None);
    }
    let changed = outcome.learned.changed(&base.tensors).map_err(|e| failed(&e))?;
    let Learned::Adapter(adapter) = outcome.learned else { return Ok(None) };
    let tuned = base.with_tensors(&base.identity.name, changed).map_err(|e| failed(&e))?;
    Ok(Some((tuned, adapter)))
}
